package issuer

import (
	"slices"
	"testing"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

func (w *world) names(line uint64) bool {
	m, _ := w.listed()
	return slices.ContainsFunc(m.Seen, func(s wire.Seen) bool { return s.Line == line })
}

// TestManyLines: a gateway that was rolled back forty times has all of its records
// in the list, which names the lines that were used last. A record of another one
// that is brought again, since nothing settles it, brings its line back.
func TestManyLines(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	const lines = 40
	for i := range lines {
		w.front.deliver(g.recordAt(uint64(1000+i), 1, id('r', i), checkIn(i, i)))
	}
	w.turn()
	m, grants := w.listed()
	if len(grants) != lines || len(m.Seen) != building.MaxLines || m.Seen[0].Line != 1000+lines-building.MaxLines {
		t.Fatalf("%d grants, seen %v", len(grants), m.Seen)
	}
	w.reopen()
	again := g.recordAt(1000, 1, id('r', 0), checkIn(0, 0))
	w.front.deliver(again)
	w.turn()
	if !w.names(1000) || w.names(1000+lines-building.MaxLines) {
		t.Fatal("the line is not named, or another one was left out than that used longest ago")
	}
	before, _ := w.listed()
	w.front.deliver(again)
	w.turn()
	if after, _ := w.listed(); after.Version != before.Version {
		t.Fatal("a list for a record that it settles")
	}
	w.front.deliver(g.recordAt(1001, 2, id('s', 1), other(wire.OpEnd, 1, 60)))
	w.turn()
	w.want(1, wire.GrantRevoked)
	if !w.names(1001) || !w.names(1000) {
		t.Fatal("an old line that goes on is not named")
	}
}

// TestRecordsFromTheFuture: what a gateway's clock says does not settle anything for
// ever.
func TestRecordsFromTheFuture(t *testing.T) {
	w := newWorld(t)
	g, thief := w.enrolled("gw-1"), w.enrolled("gw-2")
	stop := other(wire.OpSuspend, 1, 1)
	stop.At = 1<<32 - 1
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), thief.record(id('x', 1), stop))
	w.turn()
	w.want(1, wire.GrantSuspended)
	w.do(operator.Act{Act: operator.ActResume, Tenancy: id('t', 1).String(), Reason: "found"})
	w.want(1, wire.GrantActive)
	w.now = w.now.AddDate(0, 0, 2)
	found, lost := other(wire.OpResume, 1, 3*24*60-60), other(wire.OpSuspend, 1, 3*24*60-90)
	w.front.deliver(g.record(id('r', 2), lost))
	w.turn()
	w.want(1, wire.GrantSuspended)
	w.front.deliver(g.record(id('r', 3), found))
	w.turn()
	w.want(1, wire.GrantActive)
}
