package gateway

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestIsBefore: only a clock that somebody has set shows that the log reaches back behind every
// pass that may still be good; after a power cut another one says 1970.
func TestIsBefore(t *testing.T) {
	for _, c := range []struct {
		clock wire.ClockQuality
		unix  int64
		want  bool
	}{
		{wire.ClockUnset, 0, false}, {wire.ClockFloor, 99, false}, {wire.ClockRTC, 99, true}, {wire.ClockNTP, 99, true}, {wire.ClockRegistry, 99, true},
		{wire.ClockRTC, 100, false}, {wire.ClockRegistry, 101, false},
	} {
		if got := isBefore(wire.Header{Clock: c.clock, Wall: c.unix * 1000}, 100); got != c.want {
			t.Errorf("%s at %d: %v", c.clock, c.unix, got)
		}
	}
}
