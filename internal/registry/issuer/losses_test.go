package issuer

import (
	"slices"
	"testing"

	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// TestLosses: a list that takes from more than three tenancies waits for a second
// issuer, whatever it takes and from whoever's word; what gateways have recorded
// themselves is active there and takes nothing.
func TestLosses(t *testing.T) {
	const n = 10
	act := func(what, reason string) func(w *world, g *box, k int) {
		return func(w *world, _ *box, k int) {
			w.do(operator.Act{Act: what, Tenancy: id('t', k).String(), Reason: reason})
		}
	}
	say := func(op wire.Op) func(w *world, g *box, k int) {
		return func(w *world, g *box, k int) {
			w.front.deliver(g.record(id('s', k), other(op, k, 60)))
			w.turn()
		}
	}
	for name, c := range map[string]struct {
		do   func(w *world, g *box, k int)
		held bool
	}{
		"ended by the operator":     {act(operator.ActEnd, "order"), true},
		"suspended by the operator": {act(operator.ActSuspend, "order"), true},
		"ended at the desk":         {say(wire.OpEnd), false},
		"lost cards at the desk":    {say(wire.OpSuspend), false},
		"notices at the desk":       {say(wire.OpNotice), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			for k := range n {
				w.front.deliver(g.record(id('r', k), checkIn(k, 0)))
			}
			w.turn()
			for k := range 3 {
				c.do(w, g, k)
			}
			if s, err := w.i.status(); err != nil || len(s.Held) != 0 {
				t.Fatal("three are free", s.Held, err)
			}
			c.do(w, g, 3)
			if s, err := w.i.status(); err != nil || (len(s.Held) > 0) != c.held {
				t.Fatalf("held: %v, %v", s.Held, err)
			}
		})
	}
}

// TestLossOfWhatNoListNamed: check-ins that gateways go by already, and that the
// first list to name them refuses, are losses as well. A desk's lost card that an
// operator has found and lost again is one of the operator's.
func TestLossOfWhatNoListNamed(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 100), checkIn(100, 0)))
	w.turn()
	for k := range 4 {
		c := checkIn(k, 0)
		c.Doors = []string{"cellar"} // so that no list names it
		w.front.deliver(g.record(id('r', k), c))
	}
	w.turn()
	for k := range 3 {
		w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', k).String(), Reason: "order"})
		w.want(k, wire.GrantRevoked)
	}
	if d := w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', 3).String(), Reason: "order"}); !d.Held {
		t.Fatalf("%+v", d)
	}
}

// TestLostTwice: a card that a desk reported lost long ago counts when the
// operator, who had found it, takes it away.
func TestLostTwice(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for k := range 4 {
		w.front.deliver(g.record(id('r', k), checkIn(k, 0)))
	}
	w.turn()
	for k := range 4 {
		w.front.deliver(g.record(id('s', k), other(wire.OpSuspend, k, 1)))
	}
	w.turn()
	for k := range 4 {
		w.do(operator.Act{Act: operator.ActResume, Tenancy: id('t', k).String(), Reason: "found"})
	}
	for k := range 4 {
		d := w.do(operator.Act{Act: operator.ActSuspend, Tenancy: id('t', k).String(), Reason: "lost"})
		if d.Held != (k == 3) {
			t.Fatalf("%d: %+v", k, d)
		}
	}
}

// TestObjectionIsNoLoss: notices and what answers them take nothing, in one list or in
// two; an end that a decision sets for tenants who have objected does, also where no list
// went out between.
func TestObjectionIsNoLoss(t *testing.T) {
	uphold := func(w *world, n int) operator.Done {
		return w.do(operator.Act{Act: operator.ActUphold, Tenancy: id('t', n).String(), Reason: "heard", Until: start.AddDate(0, 0, 30)})
	}
	for _, op := range []wire.Op{wire.OpDispute, wire.OpWithdraw} {
		for _, twice := range []bool{true, false} {
			w, g := housed(t)
			for k := range 4 {
				w.front.deliver(g.record(id('n', k), other(wire.OpNotice, k, 1)))
			}
			if twice {
				w.turn()
			}
			for k := range 4 {
				w.front.deliver(g.record(id('d', k), other(op, k, 2)))
			}
			w.turn()
			for k := range 3 {
				if d := w.do(operator.Act{Act: operator.ActSuspend, Tenancy: id('t', 5+k).String(), Reason: "lost"}); d.Held {
					t.Fatalf("%v, twice %v: the suspension %d waits for a second issuer", op, twice, k)
				}
			}
			if op == wire.OpDispute && !uphold(w, 0).Held {
				t.Error("the fourth that loses something in a day")
			}
		}
	}
	w, g := housed(t)
	for k := range 4 {
		w.do(operator.Act{Act: operator.ActSuspend, Tenancy: id('t', 5+k).String(), Reason: "lost"})
	}
	w.front.deliver(g.record(id('n', 0), other(wire.OpNotice, 0, 1)), g.record(id('d', 0), other(wire.OpDispute, 0, 2)))
	w.turn()
	if !uphold(w, 0).Held {
		t.Fatal("no list waits")
	}
	lists, err := report.Lists(w.i.ledger, building1)
	if err != nil || len(lists) != 2 || !slices.Contains(lists[1].Removes, id('t', 0).String()) {
		t.Fatalf("%d lists, %v; the upheld notice is no loss", len(lists), err)
	}
}

// housed is a building of ten tenants without a term.
func housed(t *testing.T) (*world, *box) {
	t.Helper()
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for k := range 10 {
		w.front.deliver(g.record(id('r', k), checkIn(k, 0)))
	}
	w.turn()
	return w, g
}
