package server

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// TestKindsHaveAView: each kind of entries is shown in the log, in a test of a
// door, or nowhere, and somebody has thought about which.
func TestKindsHaveAView(t *testing.T) {
	nowhere := []wire.Kind{wire.KindTold, wire.KindAdopt, wire.KindSealed}
	for k := wire.Kind(1); !strings.HasPrefix(k.String(), "kind_"); k++ {
		log, test := shownKinds[k], passageKinds[k]
		if log && test || !log && !test && !slices.Contains(nowhere, k) || (log || test) && slices.Contains(nowhere, k) {
			t.Errorf("entries of kind %s are shown in the log %v, in a test of a door %v", k, log, test)
		}
	}
}

// TestSlowDiskIsHidden: that a door did not wait for the disk tells when somebody came in; that the
// disk fails does not.
func TestSlowDiskIsHidden(t *testing.T) {
	for reason, want := range map[wire.Reason]bool{wire.ReasonSlowDisk: false, wire.ReasonIO: true, wire.ReasonDiskFull: true} {
		if shown(wire.Header{Kind: wire.KindJournal, Outcome: wire.OutcomeActive, Reason: reason}) != want {
			t.Errorf("%s is shown: %v", reason, !want)
		}
	}
}
