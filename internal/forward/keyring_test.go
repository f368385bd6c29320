package forward

import (
	"errors"
	"fmt"
	"testing"

	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// TestJudged: what a keyring refuses has its reason in the journal, what is active on no
// disk is no refusal, and the error itself is still to be found.
func TestJudged(t *testing.T) {
	for err, want := range map[error]uplink.Judged{
		keyring.ErrSecondNeeded: {Reason: wire.ReasonSecondNeeded},
		keyring.ErrUnproved:     {Reason: wire.ReasonUnproved},
		keyring.ErrTooFar:       {Reason: wire.ReasonTooFar},
		keys.ErrOtherFloor:      {Reason: wire.ReasonRolledBack},
		keyring.ErrConflict:     {Reason: wire.ReasonRolledBack},
		keyring.ErrRolledBack:   {Reason: wire.ReasonRolledBack},
		keyring.ErrNotDurable:   {Active: true},
		wire.ErrUnknownKey:      {}, // the uplink knows these itself
	} {
		got := judged(fmt.Errorf("apply list: %w", err))
		j, ok := errors.AsType[*uplink.Judged](got)
		if !ok || j.Reason != want.Reason || j.Active != want.Active || !errors.Is(got, err) || got.Error() != "apply list: "+err.Error() {
			t.Errorf("%v: judged %+v", err, got)
		}
	}
	if err := judged(nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}
