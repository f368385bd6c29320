package intake

import (
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestGapsNameTheirReason: entries that are dropped for another reason are counted in
// a gap of their own.
func TestGapsNameTheirReason(t *testing.T) {
	in := New(1, 20, func() journaled.Stamp { return journaled.Stamp{} }, zerolog.Nop())
	add := func(n int, o wire.Outcome, r wire.Reason) {
		for range n {
			in.Queue(wire.Header{Kind: wire.KindAccess, Outcome: o, Reason: r, Door: "front", Source: "street"}, wire.Who{})
		}
	}
	in.Tight(true)
	add(10, wire.OutcomeDenied, wire.ReasonUnknown) // eight may pass
	in.Tight(false)
	add(14, wire.OutcomeGranted, wire.ReasonGranted)
	counted := map[wire.Reason]uint64{}
	for _, it := range in.Take(100, false) {
		if it.Header.Kind == wire.KindGap {
			counted[it.Header.Reason] += it.Header.Count
		}
	}
	if s := in.State(); counted[wire.ReasonDiskFull] != 2 || counted[wire.ReasonDiskFull]+counted[wire.ReasonQueueFull] != s.Dropped {
		t.Errorf("%d dropped, counted: %v", s.Dropped, counted)
	}
}
