package desk

import (
	"slices"
	"testing"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// mine reads as a resident of 3B who has typed a PIN and then held up a card.
func (o *office) mine(pin string, held device.Card) (Mine, error) {
	o.t.Helper()
	id, cards, err := o.Desk.Residents.Known(o.t.Context(), "3b", pin)
	if err != nil {
		return Mine{}, err
	}
	if ids, err := o.keyring.IdentifyAll(held); err != nil || !slices.ContainsFunc(ids, func(c wire.CredentialID) bool { return cards[c] }) {
		return Mine{}, tenancy.Refuse("", "no reader takes this card")
	}
	return o.Desk.Residents.Mine(o.t.Context(), id, held)
}

// TestMine: the card held up and the own PIN name whose entries are read: those of that card in that tenancy. A
// partner's card in the same flat is another's.
func TestMine(t *testing.T) {
	o := sharedFlat(t)
	ids, err := o.keyring.IdentifyAll(em(1))
	must(t, err)
	one, err := o.mine("471108", em(1))
	must(t, err)
	two, err := o.mine("150926", em(2))
	must(t, err)
	if !slices.Equal(one.Credentials, ids) || one.Tenancy.ID == two.Tenancy.ID || len(one.Tenancy.Cards) != 1 || one.Tenancy.Flat != "3B" {
		t.Errorf("%+v", one)
	}
	for _, id := range two.Credentials {
		if slices.Contains(one.Credentials, id) {
			t.Error("partners read each other")
		}
	}
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonOwnEntries); n != 2 {
		t.Errorf("%d readings are in the log", n)
	}
	_, err = o.mine("999998", em(1))
	refused(t, err, "flat and PIN do not fit")
	for _, other := range []device.Card{em(2), em(9)} { // the partner's, and nobody's
		_, err = o.mine("471108", other)
		refused(t, err, "no reader takes this card")
		_, err = o.Desk.Residents.Mine(t.Context(), one.Tenancy.ID, other)
		refused(t, err, "no tenancy has this card")
	}
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonOwnEntries); n != 2 {
		t.Errorf("%d readings are in the log, some of which were refused", n)
	}
}

// TestMineShowsOneCard: of the cards of a tenancy that one is shown which was held up.
func TestMineShowsOneCard(t *testing.T) {
	o := sharedFlat(t)
	_, err := o.ask(Request{Action: tenancy.AddCard, Proof: "card"}, cards(em(1)), cards(em(5)))
	must(t, err)
	m, err := o.mine("471108", em(5))
	must(t, err)
	if ids, err := o.keyring.IdentifyAll(em(5)); err != nil || !slices.Equal(m.Credentials, ids) || len(m.Tenancy.Cards) != 1 || m.Tenancy.Cards[0].Number != 2 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestMineNeedsTheTenantsWord: neither a card that the landlord added nor a PIN that was typed at the check-in shows a
// landlord when somebody comes home.
func TestMineNeedsTheTenantsWord(t *testing.T) {
	o := sharedFlat(t)
	_, err := o.ask(Request{Action: tenancy.AddCard, Proof: "landlord", Tenancy: o.first()}, nil, cards(em(5)))
	must(t, err)
	_, err = o.mine("471108", em(5))
	refused(t, err, "came on the landlord's word")
	_, err = o.arrive(em(7), func(a *tenancy.Arrival) { a.Flat, a.Label, a.PIN = "3B", "", "808182" })
	must(t, err)
	_, err = o.mine("808182", em(7))
	refused(t, err, "chosen with a card")
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonOwnEntries); n != 0 {
		t.Errorf("%d readings", n)
	}
}

// first is the id of the first tenancy that was checked in.
func (o *office) first() string { return o.Desk.book.Tenancies[0].ID.String() }

// TestMineIsBounded: card and PIN are wanted each time, who reads all day waits, and so does who guesses, which holds
// neither the neighbour off nor the tenant at a door or at the desk.
func TestMineIsBounded(t *testing.T) {
	o := sharedFlat(t)
	for range readingsMost {
		_, err := o.mine("471108", em(1))
		must(t, err)
	}
	_, err := o.mine("471108", em(1))
	refused(t, err, "often enough")
	_, err = o.mine("150926", em(2))
	must(t, err)
	for range atFlat.Burst {
		_, err = o.mine("999998", em(2))
		refused(t, err, "do not fit")
	}
	_, err = o.mine("150926", em(2))
	refused(t, err, "too many tries")
	o.wants("front", em(2), wire.ReasonGranted)
	typed, _ := device.NewPIN("150926")
	ids, err := o.keyring.IdentifyAll(em(2))
	must(t, err)
	for _, d := range o.Desk.book.Tenancies {
		if right, err := o.Desk.Doors.CheckPIN(wire.Who{Credential: &ids[0], Tenancy: &d.ID}, typed); err != nil || right != (d.PIN.Own && d != o.Desk.book.Tenancies[0]) {
			t.Errorf("a door takes the PIN: %v, %v", right, err)
		}
	}
	_, err = o.ask(Request{Action: tenancy.Suspend, Proof: "pin", Tenancy: o.Desk.book.Tenancies[1].ID.String(), PIN: "150926"}, nil, nil)
	must(t, err)
}
