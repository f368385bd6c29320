package keyring

import (
	"testing"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// TestSameWords: access and wire import nothing of each other, so each declares
// these; here they meet.
func TestSameWords(t *testing.T) {
	for _, pair := range [][2]int{
		{int(access.ReasonGranted), int(wire.ReasonGranted)},
		{int(access.ReasonUnknown), int(wire.ReasonUnknown)},
		{int(access.ReasonWrongDoor), int(wire.ReasonWrongDoor)},
		{int(access.ReasonNotYet), int(wire.ReasonNotYet)},
		{int(access.ReasonExpired), int(wire.ReasonExpired)},
		{int(access.ReasonSuspended), int(wire.ReasonSuspended)},
		{int(access.ReasonRevoked), int(wire.ReasonRevoked)},
		{int(access.ReasonClockUntrusted), int(wire.ReasonClockUntrusted)},
		{int(access.ReasonNotReady), int(wire.ReasonNotReady)},
		{int(access.KindResident), int(wire.GrantResident)},
		{int(access.KindStaff), int(wire.GrantStaff)},
		{int(access.KindVisitor), int(wire.GrantVisitor)},
		{int(access.KindBrigade), int(wire.GrantBrigade)},
		{int(access.StateActive), int(wire.GrantActive)},
		{int(access.StateSuspended), int(wire.GrantSuspended)},
		{int(access.StateRevoked), int(wire.GrantRevoked)},
		{access.MaxBits, max(access.MaxBits, wire.MaxBucketBits)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("access says %d, wire %d", pair[0], pair[1])
		}
	}
	// The same order, or a bucket that wire takes would be refused by access.
	grants := []wire.Grant{{Credential: credential(1), ID: wire.ID{1}}, {Credential: credential(1), ID: wire.ID{2}},
		{Credential: credential(2), ID: wire.ID{1}}, {Credential: wire.CredentialID{2, 0x9e}, ID: wire.ID{1}}}
	rows := records(grants)
	for i := range grants {
		for j := range grants {
			if a, b := grants[i].Compare(&grants[j]), access.Compare(&rows[i], &rows[j]); (a < 0) != (b < 0) || (a == 0) != (b == 0) {
				t.Errorf("records %d and %d: wire says %d, access %d", i, j, a, b)
			}
		}
	}
}
