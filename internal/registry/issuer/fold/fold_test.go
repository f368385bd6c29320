package fold

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// ev is an event of a gateway, or of the registry.
func ev(n int, source string, c wire.Change) Event {
	if source == "" {
		c.Proof = wire.ProofRegistry
	}
	return Event{Record: id('r', n), Source: source, At: c.At, Change: c}
}

// readOff is an event that was read from a list: it has no gateway, and is not the
// registry's word.
func readOff(n int, c wire.Change) Event {
	e := ev(n, "", c)
	e.Change.Proof = c.Proof
	return e
}

// TestFold: what changes of one grant add up to, whoever made them.
func TestFold(t *testing.T) {
	in := ev(1, "a", checkIn(1, 0))
	now := at(60)
	for name, c := range map[string]struct {
		events    []Event
		state     string
		suspended bool
		until     uint32
	}{
		"check-in":                               {[]Event{in}, StateActive, false, 0},
		"end":                                    {[]Event{in, ev(2, "a", other(wire.OpEnd, 1, 5))}, StateEnded, false, 0},
		"end that another gateway dates earlier": {[]Event{in, ev(2, "b", other(wire.OpEnd, 1, -50))}, StateEnded, false, 0},
		"lost":                                   {[]Event{in, ev(2, "a", other(wire.OpSuspend, 1, 5))}, StateSuspended, true, 0},
		"lost and found":                         {[]Event{in, ev(2, "a", other(wire.OpSuspend, 1, 5)), ev(3, "b", other(wire.OpResume, 1, 6))}, StateActive, false, 0},
		"lost and found at once":                 {[]Event{in, ev(2, "b", other(wire.OpSuspend, 1, 5)), ev(3, "a", other(wire.OpResume, 1, 5))}, StateSuspended, true, 0},
		"found and lost at once":                 {[]Event{in, ev(2, "a", other(wire.OpSuspend, 1, 5)), ev(3, "b", other(wire.OpResume, 1, 5))}, StateSuspended, true, 0},
		"lost again":                             {[]Event{in, ev(2, "a", other(wire.OpSuspend, 1, 9)), ev(3, "b", other(wire.OpResume, 1, 6))}, StateSuspended, true, 0},
		"notice":                                 {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5))}, StateNotice, false, at(5 + 3*24*60)},
		"withdrawn":                              {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpWithdraw, 1, 6))}, StateActive, false, 0},
		"withdrawn, given again":                 {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpWithdraw, 1, 6)), ev(4, "a", other(wire.OpNotice, 1, 7))}, StateNotice, false, at(7 + 3*24*60)},
		"disputed":                               {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6))}, StateDisputed, false, 0},
		"disputed by a clock behind":             {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "b", other(wire.OpDispute, 1, -6))}, StateDisputed, false, 0},
		"a second notice after a dispute":        {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6)), ev(4, "a", other(wire.OpNotice, 1, 7))}, StateDisputed, false, 0},
		"decided by the registry":                {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6)), ev(4, "", other(wire.OpNotice, 1, 9))}, StateDisputed, false, at(9 + 3*24*60)},
		"disputed, the notice read from a list":  {[]Event{in, readOff(2, other(wire.OpNotice, 1, 5)), ev(3, "a", other(wire.OpDispute, 1, 6))}, StateDisputed, false, 0},
		"notice that is over":                    {[]Event{in, ev(2, "a", other(wire.OpNotice, 1, -3*24*60))}, StateEnded, false, at(0)},
	} {
		for range 2 {
			slices.Reverse(c.events)
			g := Of(id('g', 1), c.events)
			if g.State(now) != c.state || g.Until() != c.until || g.Cards[0].Suspended != c.suspended {
				t.Errorf("%s: %s until %d, card %v", name, g.State(now), g.Until(), g.Cards)
			}
		}
	}
}

// TestFirstEndCounts: a grant that was ended twice, as by two gateways, is over since the first end.
func TestFirstEndCounts(t *testing.T) {
	events := []Event{ev(1, "a", checkIn(1, 0)), ev(2, "b", other(wire.OpEnd, 1, 9)), ev(3, "a", other(wire.OpEnd, 1, 5))}
	for range 2 {
		slices.Reverse(events)
		if g := Of(id('g', 1), events); !g.Ended || g.End.Source != "a" || g.Over() != at(5) {
			t.Errorf("ended %v by %q, over at %d, want %d", g.Ended, g.End.Source, g.Over(), at(5))
		}
	}
}

// TestFoldWithoutCheckIn: what names a grant that nobody opened is kept, and
// counts when its check-in comes.
func TestFoldWithoutCheckIn(t *testing.T) {
	end := ev(2, "b", other(wire.OpEnd, 1, 5))
	g := Of(id('g', 1), []Event{end})
	if g.Known || len(g.Problems) != 1 || len(g.Lines(0, nil)) != 0 || g.Tenancy != id('t', 1) {
		t.Fatalf("%+v", g)
	}
	g = Of(id('g', 1), []Event{end, ev(1, "a", checkIn(1, 9))})
	if len(g.Lines(0, nil)) != 1 || g.Lines(0, nil)[0].State != wire.GrantRevoked || len(g.Problems) != 0 {
		t.Fatalf("%+v", g)
	}
}

// TestDecisionOfAList: a decision that was read from a list settles what was said
// through the second that it names, and nothing later.
func TestDecisionOfAList(t *testing.T) {
	for later, decided := range map[uint32]string{0: DecidedRejected, 1: ""} {
		notice, decision := ev(2, "a", other(wire.OpNotice, 1, 5)), ev(3, "", other(wire.OpWithdraw, 1, 9))
		notice.Change.At += later
		decision.Least = at(5)
		g := Of(id('g', 1), []Event{ev(1, "a", checkIn(1, 0)), notice, decision})
		if g.Decided != decided || g.Given != (decided == "") || g.Through != at(5) {
			t.Errorf("%d s later: decided %q, given %v, through %d", later, g.Decided, g.Given, g.Through)
		}
	}
}

// TestFoldLaws: a grant is the same whatever the order of its events; with an
// end in it nothing opens; a card that was checked in is always named.
func TestFoldLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := []wire.Op{wire.OpCheckIn, wire.OpBind, wire.OpSuspend, wire.OpResume, wire.OpEnd, wire.OpNotice, wire.OpDispute, wire.OpWithdraw}
		n := rapid.IntRange(1, 9).Draw(t, "events")
		var events []Event
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
			if e.Source == "" && rapid.Bool().Draw(t, "read from a list") {
				e = readOff(i, c)
			}
			e.Settled = !e.OfRegistry() && rapid.Bool().Draw(t, "settled")
			events = append(events, e)
			ended, checked = ended || op == wire.OpEnd, checked || op == wire.OpCheckIn
		}
		g := Of(id('g', 1), events)
		again := Of(id('g', 1), rapid.Permutation(events).Draw(t, "order"))
		if !reflect.DeepEqual(g, again) {
			t.Fatalf("another order, another grant:\n%+v\n%+v", g, again)
		}
		lines := g.Lines(0, nil)
		for _, l := range lines {
			if ended != (l.State == wire.GrantRevoked) {
				t.Fatalf("ended %v, and a card is %s", ended, l.State)
			}
		}
		if _, err := wire.EncodeBucket(lines); err != nil {
			t.Fatalf("no list can hold it: %v", err)
		}
		for _, e := range events {
			for _, c := range e.Change.Credentials {
				bound := e.Change.Op == wire.OpCheckIn || e.Change.Op == wire.OpBind
				if checked && bound && !slices.ContainsFunc(lines, func(l wire.Grant) bool { return l.Credential == c }) {
					t.Fatalf("a card of a check-in is not named")
				}
			}
		}
	})
}

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func id(kind byte, n int) wire.ID { return wire.ID{kind, byte(n >> 8), byte(n), 1} }

func credential(n int) wire.CredentialID {
	return wire.CredentialID{1, byte(n >> 8), byte(n)}
}

// at is a time so many minutes after the start.
func at(minutes int) uint32 { return uint32(start.Unix()) + uint32(minutes)*60 }

func checkIn(n, minutes int) wire.Change {
	c := other(wire.OpCheckIn, n, minutes)
	c.Credentials, c.Kind, c.Doors, c.Flat = []wire.CredentialID{credential(n)}, wire.GrantResident, []string{"front"}, "3b"
	return c
}

func other(op wire.Op, n, minutes int) wire.Change {
	c := wire.Change{Op: op, At: at(minutes), Proof: wire.ProofLandlord, Tenancy: id('t', n), Grant: id('g', n)}
	switch op {
	case wire.OpBind, wire.OpSuspend, wire.OpResume:
		c.Credentials = []wire.CredentialID{credential(n)}
	case wire.OpNotice:
		c.Until = at(minutes + 3*24*60)
	}
	return c
}
