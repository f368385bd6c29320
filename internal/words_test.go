package internal_test

import (
	"testing"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// TestWordsAgree: packages that may not know each other declare the same
// numbers, because all of them end as reasons of entries.
func TestWordsAgree(t *testing.T) {
	for reason, want := range map[access.Reason]wire.Reason{
		access.ReasonGranted: wire.ReasonGranted, access.ReasonUnknown: wire.ReasonUnknown,
		access.ReasonWrongDoor: wire.ReasonWrongDoor, access.ReasonNotYet: wire.ReasonNotYet,
		access.ReasonExpired: wire.ReasonExpired, access.ReasonSuspended: wire.ReasonSuspended,
		access.ReasonRevoked: wire.ReasonRevoked, access.ReasonClockUntrusted: wire.ReasonClockUntrusted,
		access.ReasonNotReady: wire.ReasonNotReady,
	} {
		if wire.Reason(reason) != want {
			t.Errorf("access calls %s %d", want, reason)
		}
	}
	for kind, want := range map[access.Kind]wire.GrantKind{
		access.KindResident: wire.GrantResident, access.KindStaff: wire.GrantStaff,
		access.KindVisitor: wire.GrantVisitor, access.KindBrigade: wire.GrantBrigade,
	} {
		if wire.GrantKind(kind) != want {
			t.Errorf("access calls a %s %d", want, kind)
		}
	}
	for state, want := range map[access.State]wire.GrantState{
		access.StateActive: wire.GrantActive, access.StateSuspended: wire.GrantSuspended, access.StateRevoked: wire.GrantRevoked,
	} {
		if wire.GrantState(state) != want {
			t.Errorf("access calls %s %d", want, state)
		}
	}
	if len(access.CredentialID{}) != len(wire.CredentialID{}) || len(access.ID{}) != len(wire.ID{}) {
		t.Error("ids differ in size")
	}
}

// TestFaultsAreReasons: every fault of a device has its name among the reasons,
// and a hint for the installer.
func TestFaultsAreReasons(t *testing.T) {
	for f := device.FaultMissing; f <= device.FaultOtherReader; f++ {
		if f.Hint() == "" {
			continue // a number that is not used
		}
		if got := wire.Reason(f).String(); got != f.String() {
			t.Errorf("fault %d is %q as a fault and %q as a reason", f, f, got)
		}
	}
	for _, f := range []device.Fault{device.FaultMissing, device.FaultUnplugged, device.FaultIO, device.FaultLostEdges, device.FaultLength,
		device.FaultParity, device.FaultSwapped, device.FaultCable, device.FaultShortFirst, device.FaultTrailing, device.FaultNoise,
		device.FaultChecksum, device.FaultGhost, device.FaultUnterminated, device.FaultOutputRefused, device.FaultStale} {
		if f.Hint() == "" {
			t.Errorf("fault %s has no hint", f)
		}
	}
}
