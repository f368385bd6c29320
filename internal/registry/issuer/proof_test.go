package issuer

import (
	"testing"

	"gatehouse/sync/wire"
)

// proves has the gateways prove the newest list, and the issuer hear of it.
func (w *world) proves(gateways ...string) {
	w.t.Helper()
	m, _ := w.listed()
	for _, g := range gateways {
		w.front.applied[building1+"/"+g] = m.Version
	}
	w.tend()
}

func (w *world) tend() {
	w.t.Helper()
	if err := w.i.tend(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.turn()
}

// TestDroppedIsNamedAgain: a grant that was revoked, proved and dropped is on
// the list again, as revoked, whenever a gateway may not know of it: after any
// record that names it, a rollback however short, lost proofs, a new machine.
// When all have proved it anew it is dropped anew.
func TestDroppedIsNamedAgain(t *testing.T) {
	for name, again := range map[string]func(w *world, g *box){
		"its check-in in a new line": func(w *world, g *box) {
			w.front.deliver(g.recordAt(99, 1, id('r', 1), checkIn(1, 0)))
			w.turn()
		},
		"its check-in under its old number": func(w *world, g *box) {
			w.front.deliver(g.recordAt(g.line, 1, id('r', 1), checkIn(1, 0)))
			w.turn()
		},
		"another record of it": func(w *world, g *box) {
			w.front.deliver(g.record(id('r', 3), other(wire.OpSuspend, 1, 2)))
			w.turn()
		},
		"a second record of one number": func(w *world, g *box) {
			w.front.deliver(g.recordAt(g.line, 2, id('r', 3), other(wire.OpSuspend, 1, 2)))
			w.turn()
		},
		"a rollback that was proved away before anybody asked": func(w *world, _ *box) {
			w.front.setBacks[building1+"/gw-1"], w.front.setBackTo[building1+"/gw-1"] = 1, 0
			w.tend()
		},
		"a rollback that the issuer hears of after a restart": func(w *world, _ *box) {
			w.front.setBacks[building1+"/gw-2"], w.front.setBackTo[building1+"/gw-2"] = 3, 0
			w.reopen()
			w.tend()
		},
		"a front that lost its proofs": func(w *world, _ *box) {
			w.front.applied[building1+"/gw-2"] = 0
			w.tend()
		},
		"a new gateway":   func(w *world, _ *box) { w.enrolled("gw-3") },
		"another machine": func(w *world, _ *box) { w.replaced("gw-2") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			w.enrolled("gw-2")
			w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpEnd, 1, 1)))
			w.turn()
			w.proves("gw-1", "gw-2")
			w.want(1, 0)
			w.proves("gw-1", "gw-2")
			again(w, g)
			w.want(1, wire.GrantRevoked)
			w.reopen()
			w.tend() // what was proved before does not count
			w.want(1, wire.GrantRevoked)
			m, _ := w.listed()
			w.tend()
			if last, _ := w.listed(); last.Version != m.Version {
				t.Fatalf("list %d after %d: made again for nothing", last.Version, m.Version)
			}
			w.proves("gw-1", "gw-2", "gw-3")
			w.want(1, 0)
			w.proves("gw-1", "gw-2", "gw-3")
			w.want(1, 0)
			w.reopen()
			w.proves("gw-1", "gw-2", "gw-3") // what voided the first proofs is heeded once
			w.want(1, 0)
		})
	}
}

// TestSetBackNotSoFar: a gateway that was rolled back to a list that has the grant
// revoked knows of it.
func TestSetBackNotSoFar(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpEnd, 1, 1)))
	w.turn()
	m, _ := w.listed()
	w.proves("gw-1")
	w.want(1, 0)
	w.front.setBacks[building1+"/gw-1"], w.front.setBackTo[building1+"/gw-1"] = 1, m.Version
	w.tend()
	w.want(1, 0)
}

// replaced enrols another machine in the place of a gateway.
func (w *world) replaced(gateway string) *box {
	w.t.Helper()
	b := w.newBox(gateway)
	token := w.token(gateway, true)
	w.introduce(token)
	if a := w.ask("enrol", b.place, b.request(token, 0)); a.Error != "" {
		w.t.Fatal(a.Error, a.Hint)
	}
	return b
}
