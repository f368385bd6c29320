package mandate

import (
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// TestScopeOf: a mandate has the doors of its own gateway, and whom it names by card or tenancy, itself or by
// what its flats and the card in hand turned out to be; a mandate that names nobody has everybody, and one whose
// flat nobody lives in has nobody.
func TestScopeOf(t *testing.T) {
	doors := []mandates.Gateway{{ID: "gate-1", Doors: []string{"front"}}, {ID: "gate-2", Doors: []string{"back"}}}
	one, two, card, other := wire.ID{1}, wire.ID{2}, wire.CredentialID{3}, wire.CredentialID{4}
	for name, c := range map[string]struct {
		asked     mandates.Request
		tenancies []wire.ID
		cards     []wire.CredentialID
		who       wire.Who
		want      bool
	}{
		"everybody":                 {who: wire.Who{Tenancy: &two, Credential: &other}, want: true},
		"everybody, a card alone":   {who: wire.Who{Credential: &other}, want: true},
		"a tenancy":                 {asked: mandates.Request{Tenancies: []wire.ID{one}}, who: wire.Who{Tenancy: &one}, want: true},
		"another tenancy":           {asked: mandates.Request{Tenancies: []wire.ID{one}}, who: wire.Who{Tenancy: &two, Credential: &card}},
		"a card":                    {asked: mandates.Request{Cards: []wire.CredentialID{card}}, who: wire.Who{Tenancy: &two, Credential: &card}, want: true},
		"another card":              {asked: mandates.Request{Cards: []wire.CredentialID{card}}, who: wire.Who{Tenancy: &two, Credential: &other}},
		"of the flat":               {asked: mandates.Request{Flats: []string{"3B"}}, tenancies: []wire.ID{two}, who: wire.Who{Tenancy: &two}, want: true},
		"of another flat":           {asked: mandates.Request{Flats: []string{"3B"}}, tenancies: []wire.ID{two}, who: wire.Who{Tenancy: &one}},
		"a flat that nobody has":    {asked: mandates.Request{Flats: []string{"9Z"}}, who: wire.Who{Tenancy: &one, Credential: &card}},
		"the card in hand":          {asked: mandates.Request{InHand: true}, cards: []wire.CredentialID{card}, who: wire.Who{Credential: &card}, want: true},
		"not the card in hand":      {asked: mandates.Request{InHand: true}, cards: []wire.CredentialID{card}, who: wire.Who{Credential: &other}},
		"who has no card, by card":  {asked: mandates.Request{Cards: []wire.CredentialID{{}}}, who: wire.Who{Tenancy: &one}},
		"a grant is nobody's name":  {asked: mandates.Request{Tenancies: []wire.ID{one}}, who: wire.Who{Grant: &one}},
		"a visitor, by another one": {asked: mandates.Request{Tenancies: []wire.ID{one}, Cards: []wire.CredentialID{card}}, who: wire.Who{Tenancy: &one, Credential: &other}, want: true},
	} {
		c.asked.Gateways = doors
		s := ScopeOf(c.asked, "gate-1", c.tenancies, c.cards)
		if got := s.Names(c.who); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if !s.At("front") || s.At("back") || s.At("") {
			t.Errorf("%s: doors of another gateway", name)
		}
	}
	if ScopeOf(mandates.Request{Gateways: doors}, "gate-9", nil, nil).At("front") {
		t.Error("a gateway that the mandate does not name has a door")
	}
}
