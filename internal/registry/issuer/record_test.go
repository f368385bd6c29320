package issuer

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// TestOddRecords: what can't be applied is kept, counts as seen where it is the
// gateway's own word, and is shown.
func TestOddRecords(t *testing.T) {
	w := newWorld(t)
	g, h := w.enrolled("gw-1", "3b", "4a"), w.enrolled("gw-2")
	thief := w.newBox("gw-1")
	wrongFlat, sameCard := checkIn(2, 1), checkIn(3, 2)
	wrongFlat.Flat, sameCard.Credentials = "9z", wrongFlat.Credentials
	asRegistry := other(wire.OpEnd, 2, 3)
	asRegistry.Proof = wire.ProofRegistry
	unknown := g.record(id('r', 1), checkIn(1, 0))
	unknown.Place.Building = "house-2"
	g.number = 0
	w.front.deliver(unknown,
		thief.record(id('x', 1), other(wire.OpEnd, 2, 1)), // signed by another key
		h.sealed(7, 1, id('y', 1), []byte("nothing that opens")),
		h.recordAt(7, 2, id('y', 2), asRegistry),
		g.record(id('r', 2), wrongFlat), g.record(id('r', 3), sameCard), g.record(id('r', 4), other(wire.OpBind, 9, 3)))
	w.turn()
	m, _ := w.listed()
	if want := []wire.Seen{{Gateway: "gw-1", Line: 7, Number: 3}, {Gateway: "gw-2", Line: 7, Number: 2}}; !slices.Equal(m.Seen, want) {
		t.Fatalf("seen %v", m.Seen)
	}
	w.want(2, wire.GrantActive)
	w.want(3, wire.GrantActive)
	all, err := report.Problems(w.i.ledger, "")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, p := range all {
		text.WriteString(p.Text + "\n")
	}
	for _, want := range []string{"not known here", "record refused", "can't be read", "in the registry's name", `"9z"`, "opens for tenancy", "no check-in"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no problem says %q:\n%s", want, &text)
		}
	}
}

// TestOrderWithinALine: a record waits for the one before it, and counts once
// however often it comes, in whichever line.
func TestOrderWithinALine(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	first, second := g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpEnd, 1, 1))
	third := g.record(id('r', 3), checkIn(3, 0))
	w.front.deliver(third, second, third)
	w.turn()
	w.want(1, 0)
	if p, err := report.Problems(w.i.ledger, building1); err != nil || len(p) != 2 {
		t.Fatal(p, err)
	}
	w.reopen()
	w.front.deliver(first, first, second)
	w.turn()
	w.want(1, wire.GrantRevoked)
	w.want(3, wire.GrantActive)
	before, _ := w.listed()
	w.front.deliver(g.recordAt(99, 1, id('r', 3), checkIn(3, 0))) // its disk was rolled back: a new line
	w.turn()
	m, grants := w.listed()
	if m.Version != before.Version+1 || len(m.Seen) != 2 || len(grants) != 2 {
		t.Fatalf("%+v", m)
	}
	var flood []api.Delivery
	for line := range uint64(2 * building.MaxLines) {
		flood = append(flood, g.recordAt(1000+line, 1, id('f', int(line)), checkIn(1000+int(line), 0)))
	}
	w.front.deliver(flood...)
	w.turn()
	if m, _ := w.listed(); len(m.Seen) != building.MaxLines {
		t.Fatalf("%d lines", len(m.Seen))
	}
}

// TestInterleavings: whatever the order in which the lines of two gateways
// arrive, however often records are repeated and the issuer restarts, the list
// says the same.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.enrolled("gw-1"), w.enrolled("gw-2")
	scripts := [2][]wire.Change{
		{checkIn(1, 0), other(wire.OpSuspend, 1, 2), checkIn(2, 3), other(wire.OpNotice, 2, 4)},
		{other(wire.OpEnd, 1, 1), other(wire.OpResume, 1, 3), other(wire.OpSuspend, 2, 9), other(wire.OpDispute, 2, 1)},
	}
	// Every run has a line of its own, grants of its own, and one list to compare.
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		var lines [2][]api.Delivery
		for k, box := range []*box{a, b} {
			for n, c := range scripts[k] {
				real := int(c.Grant[2])
				c.Grant, c.Tenancy = id('g', 100*run+real), id('t', 100*run+real)
				if len(c.Credentials) > 0 {
					c.Credentials = []wire.CredentialID{credential(100*run + real)}
				}
				lines[k] = append(lines[k], box.recordAt(box.line, box.number+1, wire.ID{byte(k + 1), byte(run >> 8), byte(run), byte(n + 1)}, c))
				box.number++
			}
		}
		for len(lines[0])+len(lines[1]) > 0 {
			k := rapid.IntRange(0, 1).Draw(rt, "line")
			if len(lines[k]) == 0 {
				k = 1 - k
			}
			w.front.deliver(lines[k][0])
			if rapid.Bool().Draw(rt, "repeat") {
				w.front.deliver(lines[k][0])
			}
			lines[k] = lines[k][1:]
			if rapid.IntRange(0, 3).Draw(rt, "turn") == 0 {
				w.turn()
			}
			if run%8 == 0 && rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				w.reopen()
			}
		}
		w.turn()
		w.want(100*run+1, wire.GrantRevoked)
		if g := w.want(100*run+2, wire.GrantSuspended); g.Until != 0 {
			rt.Fatalf("a disputed notice counts: %+v", g)
		}
	})
}

// TestActWithoutList: an operator is not told that the doors know what they don't.
func TestActWithoutList(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	key := w.i.ledger.Keys.Issuer
	w.i.ledger.Keys.Issuer = nil
	d, err := w.i.act(t.Context(), "test", operator.Act{Act: operator.ActEnd, Tenancy: id('t', 1).String(), Reason: "order"})
	w.i.ledger.Keys.Issuer = key
	if err != nil || d.Sent || !strings.Contains(d.Hint, "NO NEW LIST") {
		t.Fatalf("%+v, %v", d, err)
	}
}

// TestProblemsDoNotGrow: the same record, brought without end, is one problem, and
// one gateway fills no disk with different ones.
func TestProblemsDoNotGrow(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	bad := g.sealed(7, 1, id('y', 1), []byte("nothing that opens"))
	bad.Envelope = slices.Clone(bad.Envelope)
	bad.Envelope[len(bad.Envelope)-1] ^= 1
	for range 5 {
		w.front.deliver(bad)
	}
	w.turn()
	if p, err := report.Problems(w.i.ledger, building1); err != nil || len(p) != 1 {
		t.Fatal(p, err)
	}
	err := w.update(func(c *ledger.Change) error {
		_, err := c.Exec(`WITH RECURSIVE k(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM k WHERE n < ?)
			INSERT INTO problems (at, building, gateway, line, number, text) SELECT 1, ?, 'gw-1', x'07', n, 'refused' FROM k`, 2048-1, building1)
		for n := range uint64(5) {
			c.Problem(bad.Place, 7, 100+n, "record refused", nil)
		}
		return err
	})
	if p, _ := report.Problems(w.i.ledger, building1); err != nil || len(p) != 2048 {
		t.Fatal(len(p), err)
	}
}
