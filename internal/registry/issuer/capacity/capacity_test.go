package capacity

import (
	"slices"
	"testing"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// TestWhatStandsComesFirst: a gateway whose cards fill its part of the list gets no more into it,
// whatever would go first otherwise; what is in the list stays.
func TestWhatStandsComesFirst(t *testing.T) {
	b := building.New("house-1")
	b.House.Gateways = []wire.HouseGateway{{ID: "gw-1", Doors: []string{"front"}}}
	said, cards := byte(0), 0
	say := func(op wire.Op, grant byte, n int) {
		c := wire.Change{Op: op, At: 1, Tenancy: wire.ID{grant}, Grant: wire.ID{grant}, Kind: wire.GrantResident, Doors: []string{"front"}}
		for range n {
			c.Credentials = append(c.Credentials, wire.CredentialID{1, byte(cards), byte(cards >> 8)})
			cards++
		}
		said++
		b.Tenancies.Add(fold.Event{Record: wire.ID{said, grant}, Source: "gw-1", At: 1, Change: c})
	}
	choose := func() Choice {
		b.Tenancies.FoldAll()
		c, err := Choose(b, nil, 100, true)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const each = MaxRows / 128
	say(wire.OpCheckIn, 1, each)
	for range 127 {
		say(wire.OpBind, 1, each)
	}
	full := choose()
	if len(full.Grants) != MaxRows || full.Left["gw-1"] {
		t.Fatalf("%d cards, left out %v", len(full.Grants), full.Left)
	}
	b.Lists.Newest.Grants = full.Grants
	say(wire.OpCheckIn, 2, 1) // check-ins go before the cards that joined later
	if next := choose(); !slices.Equal(next.Grants, full.Grants) || !next.Left["gw-1"] {
		t.Errorf("%d cards, left out %v", len(next.Grants), next.Left)
	}
}
