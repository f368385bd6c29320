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
	nowhere := []wire.Kind{wire.KindTold, wire.KindAdopt}
	for k := wire.Kind(1); !strings.HasPrefix(k.String(), "kind_"); k++ {
		log, test := shownKinds[k], passageKinds[k]
		if log && test || !log && !test && !slices.Contains(nowhere, k) || (log || test) && slices.Contains(nowhere, k) {
			t.Errorf("entries of kind %s are shown in the log %v, in a test of a door %v", k, log, test)
		}
	}
}
