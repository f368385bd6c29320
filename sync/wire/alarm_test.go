package wire

import "testing"

// TestAlarm: what somebody should hear of at once, and what not.
func TestAlarm(t *testing.T) {
	cites := make([]byte, 48)
	for i, c := range []struct {
		h    Header
		want bool
	}{
		{Header{Kind: KindForced}, true},
		{Header{Kind: KindDamaged}, true},
		{Header{Kind: KindRefused}, true},
		{Header{Kind: KindGap}, true},
		{Header{Kind: KindHeld, Outcome: OutcomeActive}, true},
		{Header{Kind: KindHeld, Outcome: OutcomeIdle}, false},
		{Header{Kind: KindFire, Outcome: OutcomeActive}, true},
		{Header{Kind: KindFire, Outcome: OutcomeIdle}, false},
		{Header{Kind: KindJournal, Outcome: OutcomeActive}, true},
		{Header{Kind: KindUplink, Outcome: OutcomeIdle}, false},
		{Header{Kind: KindEpoch, Detail: cites}, true},
		{Header{Kind: KindEpoch}, false},
		{Header{Kind: KindFault, Reason: 257}, true},
		{Header{Kind: KindFault, Reason: 264}, true},
		{Header{Kind: KindOffline, Reason: 271}, true},
		{Header{Kind: KindFault, Reason: 262}, false},
		{Header{Kind: KindOnline, Reason: 257}, false},
		{Header{Kind: KindAccess, Outcome: OutcomeDenied}, false},
	} {
		if got := c.h.Alarm(); got != c.want {
			t.Errorf("%d: %s %s %s: %v", i, c.h.Kind, c.h.Outcome, c.h.Reason, got)
		}
	}
}
