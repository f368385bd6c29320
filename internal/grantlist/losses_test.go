package grantlist

import (
	"fmt"
	"testing"

	"gatehouse/sync/wire"
)

func ExampleMayLose() {
	fmt.Println(MayLose(4), MayLose(100), MayLose(319))
	// Output: 3 10 31
}

// TestLosses: a tenancy loses something by what opens less, later or for less time than before, or in
// another's name, and by nothing else. What is over, or never opened, can't be lost.
func TestLosses(t *testing.T) {
	const now = 50
	doors := Doors{IDs: []string{"front", "yard"}, Sets: [][]uint16{{0}, {0, 1}, {1}}}
	had := wire.Grant{Credential: wire.CredentialID{1}, ID: wire.ID{1}, Tenancy: wire.ID{2}, Kind: wire.GrantVisitor, State: wire.GrantActive, DoorSet: 0, From: 100, Until: 200}
	began, endless := had, had
	began.From, endless.Until = 30, 0
	for name, c := range map[string]struct {
		had  wire.Grant
		then func(*wire.Grant)
		lost bool
	}{
		"as it was":           {had: had, then: func(*wire.Grant) {}},
		"later":               {had: had, then: func(g *wire.Grant) { g.From = 101 }, lost: true},
		"sooner":              {had: had, then: func(g *wire.Grant) { g.From = 99 }},
		"later, and past":     {had: began, then: func(g *wire.Grant) { g.From = now }},
		"later than now":      {had: began, then: func(g *wire.Grant) { g.From = now + 1 }, lost: true},
		"shorter":             {had: had, then: func(g *wire.Grant) { g.Until = 199 }, lost: true},
		"longer":              {had: had, then: func(g *wire.Grant) { g.Until = 201 }},
		"without an end":      {had: had, then: func(g *wire.Grant) { g.Until = 0 }},
		"with an end":         {had: endless, then: func(g *wire.Grant) { g.Until = 1 << 31 }, lost: true},
		"another grant":       {had: had, then: func(g *wire.Grant) { g.ID = wire.ID{9} }},
		"another tenancy":     {had: had, then: func(g *wire.Grant) { g.Tenancy = wire.ID{9} }, lost: true},
		"another kind":        {had: had, then: func(g *wire.Grant) { g.Kind = wire.GrantBrigade }, lost: true},
		"another credential":  {had: had, then: func(g *wire.Grant) { g.Credential[0] = 9 }, lost: true},
		"suspended":           {had: had, then: func(g *wire.Grant) { g.State = wire.GrantSuspended }, lost: true},
		"revoked":             {had: had, then: func(g *wire.Grant) { g.State = wire.GrantRevoked }, lost: true},
		"more doors":          {had: had, then: func(g *wire.Grant) { g.DoorSet = 1 }},
		"other doors":         {had: had, then: func(g *wire.Grant) { g.DoorSet = 2 }, lost: true},
		"over already":        {had: over(had, now), then: func(g *wire.Grant) { g.State = wire.GrantRevoked }},
		"over a second later": {had: over(had, now+1), then: func(g *wire.Grant) { g.State = wire.GrantRevoked }, lost: true},
	} {
		next := c.had
		c.then(&next)
		lost := Losses(Contents{doors, []wire.Grant{c.had}}, Contents{doors, []wire.Grant{next}}, now)
		if lost[c.had.Tenancy] != c.lost || len(lost) > 1 {
			t.Errorf("%s: lost %v, want %t", name, lost, c.lost)
		}
	}
	stopped := had
	stopped.State = wire.GrantSuspended
	if lost := Losses(Contents{doors, []wire.Grant{stopped}}, Contents{Doors: doors}, now); len(lost) > 0 {
		t.Errorf("what did not open was lost: %v", lost)
	}
}

func over(g wire.Grant, at uint32) wire.Grant {
	g.From, g.Until = 1, at
	return g
}

// TestDoorSetHasNoOrder: the same doors, named in another order or twice, are the
// same set.
func TestDoorSetHasNoOrder(t *testing.T) {
	e := NewDraft("house-1", wire.Manifest{}, wire.Hash{})
	var first uint16
	for i, doors := range [][]string{{"front", "yard", "cellar"}, {"yard", "cellar", "front"}, {"cellar", "cellar", "front", "yard"}} {
		set, err := e.DoorSet(doors)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = set
		}
		if set != first {
			t.Errorf("%v: set %d, want %d", doors, set, first)
		}
	}
	if other, err := e.DoorSet([]string{"yard", "front"}); err != nil || other == first {
		t.Errorf("fewer doors: set %d, %v", other, err)
	}
}
