package issuer

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// ev is an event of a gateway, or of the registry.
func ev(n int, source string, c wire.Change) event {
	if source == "" {
		c.Proof = wire.ProofRegistry
	}
	return event{record: id('r', n), source: source, at: c.At, change: c}
}

// readOff is an event that was read from a list: it has no gateway, and is not the
// registry's word.
func readOff(n int, c wire.Change) event {
	e := ev(n, "", c)
	e.change.Proof = c.Proof
	return e
}

// TestFold: what changes of one grant add up to, whoever made them.
func TestFold(t *testing.T) {
	in := ev(1, "a", checkIn(1, 0))
	now := at(60)
	for name, c := range map[string]struct {
		events    []event
		state     string
		suspended bool
		until     uint32
	}{
		"check-in":                               {[]event{in}, stateActive, false, 0},
		"end":                                    {[]event{in, ev(2, "a", other(wire.OpEnd, 1, 5))}, stateEnded, false, 0},
		"end that another gateway dates earlier": {[]event{in, ev(2, "b", other(wire.OpEnd, 1, -50))}, stateEnded, false, 0},
		"lost":                                   {[]event{in, ev(2, "a", other(wire.OpSuspend, 1, 5))}, stateSuspended, true, 0},
		"lost and found":                         {[]event{in, ev(2, "a", other(wire.OpSuspend, 1, 5)), ev(3, "b", other(wire.OpResume, 1, 6))}, stateActive, false, 0},
		"lost and found at once":                 {[]event{in, ev(2, "b", other(wire.OpSuspend, 1, 5)), ev(3, "a", other(wire.OpResume, 1, 5))}, stateSuspended, true, 0},
		"lost again":                             {[]event{in, ev(2, "a", other(wire.OpSuspend, 1, 9)), ev(3, "b", other(wire.OpResume, 1, 6))}, stateSuspended, true, 0},
		"notice":                                 {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5))}, stateNotice, false, at(5 + 3*24*60)},
		"withdrawn":                              {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpWithdraw, 1, 6))}, stateActive, false, 0},
		"withdrawn, given again":                 {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpWithdraw, 1, 6)), ev(4, "a", other(wire.OpNotice, 1, 7))}, stateNotice, false, at(7 + 3*24*60)},
		"disputed":                               {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6))}, stateDisputed, false, 0},
		"disputed by a clock behind":             {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "b", other(wire.OpDispute, 1, -6))}, stateDisputed, false, 0},
		"a second notice after a dispute":        {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6)), ev(4, "a", other(wire.OpNotice, 1, 7))}, stateDisputed, false, 0},
		"decided by the registry":                {[]event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6)), ev(4, "", other(wire.OpNotice, 1, 9))}, stateDisputed, false, at(9 + 3*24*60)},
		"disputed, the notice read from a list":  {[]event{in, readOff(2, other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6))}, stateDisputed, false, 0},
		"notice that is over":                    {[]event{in, ev(2, "a", other(wire.OpNotice, 1, -3*24*60))}, stateEnded, false, at(0)},
	} {
		for range 2 {
			slices.Reverse(c.events)
			g := fold(id('g', 1), c.events)
			if g.state(now) != c.state || g.until() != c.until || g.cards[0].suspended != c.suspended {
				t.Errorf("%s: %s until %d, card %v", name, g.state(now), g.until(), g.cards)
			}
		}
	}
}

// TestFoldWithoutCheckIn: what names a grant that nobody opened is kept, and
// counts when its check-in comes.
func TestFoldWithoutCheckIn(t *testing.T) {
	end := ev(2, "b", other(wire.OpEnd, 1, 5))
	g := fold(id('g', 1), []event{end})
	if g.known || len(g.problems) != 1 || len(g.lines(0, nil)) != 0 || g.tenancy != id('t', 1) {
		t.Fatalf("%+v", g)
	}
	g = fold(id('g', 1), []event{end, ev(1, "a", checkIn(1, 9))})
	if len(g.lines(0, nil)) != 1 || g.lines(0, nil)[0].State != wire.GrantRevoked || len(g.problems) != 0 {
		t.Fatalf("%+v", g)
	}
}

// TestFoldLaws: a grant is the same whatever the order of its events; with an
// end in it nothing opens; a card that was checked in is always named.
func TestFoldLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := []wire.Op{wire.OpCheckIn, wire.OpBind, wire.OpSuspend, wire.OpResume, wire.OpEnd, wire.OpNotice, wire.OpDispute, wire.OpWithdraw}
		n := rapid.IntRange(1, 9).Draw(t, "events")
		var events []event
		ended, checked := false, false
		for i := range n {
			op := rapid.SampledFrom(ops).Draw(t, "op")
			c := other(op, 1, rapid.IntRange(0, 3).Draw(t, "minute"))
			if op == wire.OpCheckIn {
				c = checkIn(1, int(c.At-at(0))/60)
			}
			if len(c.Credentials) > 0 {
				c.Credentials = []wire.CredentialID{credential(rapid.IntRange(1, 3).Draw(t, "card"))}
			}
			e := ev(i, rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "source"), c)
			if e.source == "" && rapid.Bool().Draw(t, "read from a list") {
				e = readOff(i, c)
			}
			e.settled = !e.ofRegistry() && rapid.Bool().Draw(t, "settled")
			events = append(events, e)
			ended, checked = ended || op == wire.OpEnd, checked || op == wire.OpCheckIn
		}
		g := fold(id('g', 1), events)
		again := fold(id('g', 1), rapid.Permutation(events).Draw(t, "order"))
		if !reflect.DeepEqual(g, again) {
			t.Fatalf("another order, another grant:\n%+v\n%+v", g, again)
		}
		lines := g.lines(0, nil)
		for _, l := range lines {
			if ended != (l.State == wire.GrantRevoked) {
				t.Fatalf("ended %v, and a card is %s", ended, l.State)
			}
		}
		if _, err := wire.EncodeBucket(lines); err != nil {
			t.Fatalf("no list can hold it: %v", err)
		}
		for _, e := range events {
			for _, c := range e.change.Credentials {
				bound := e.change.Op == wire.OpCheckIn || e.change.Op == wire.OpBind
				if checked && bound && !slices.ContainsFunc(lines, func(l wire.Grant) bool { return l.Credential == c }) {
					t.Fatalf("a card of a check-in is not named")
				}
			}
		}
	})
}
