package desk

import (
	"slices"
	"testing"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// mine reads as a resident who has held up cards and typed a PIN.
func (o *office) mine(pin string, held ...device.Card) (Mine, error) {
	o.t.Helper()
	session := o.begin()
	for _, c := range held {
		if _, _, err := o.Show(session, true, c); err != nil {
			return Mine{}, err
		}
	}
	return o.Desk.Residents.Mine(o.t.Context(), session, pin)
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
	_, err = o.mine("150926", em(1))
	refused(t, err, "wrong PIN")
	_, err = o.mine("471108")
	refused(t, err, "0 were held up")
	_, err = o.mine("471108", em(1), em(2))
	refused(t, err, "2 were held up")
	_, err = o.mine("471108", em(9))
	refused(t, err, "no tenancy has this card")
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
	_, err = o.arrive(em(7), func(a *tenancy.Arrival) { a.Flat, a.Label, a.PIN = "3A", "", "808182" })
	must(t, err)
	_, err = o.mine("808182", em(7))
	refused(t, err, "chosen with a card")
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonOwnEntries); n != 0 {
		t.Errorf("%d readings", n)
	}
}

// first is the id of the first tenancy that was checked in.
func (o *office) first() string { return o.Desk.book.Tenancies[0].ID.String() }

// TestMineIsBounded: card and PIN are wanted each time, guessing waits, and so does who reads all day.
func TestMineIsBounded(t *testing.T) {
	o := sharedFlat(t)
	session := o.begin()
	_, _, err := o.Show(session, true, em(1))
	must(t, err)
	_, err = o.Desk.Residents.Mine(t.Context(), session, "471108")
	must(t, err)
	_, err = o.Desk.Residents.Mine(t.Context(), session, "471108")
	refused(t, err, "0 were held up")
	for range readingsMost - 1 {
		_, err = o.mine("471108", em(1))
		must(t, err)
	}
	_, err = o.mine("471108", em(1))
	refused(t, err, "often enough")
	_, err = o.mine("150926", em(2))
	must(t, err)
	for range tenancy.PINTries {
		_, err = o.mine("000000", em(2))
		refused(t, err, "wrong PIN")
	}
	_, err = o.mine("150926", em(2))
	refused(t, err, "too many wrong PINs")
}
