package desk

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/device"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// Arrival is what a check-in needs. Document, Basis are the stable names of
// package wire. Number and Name are sealed at once, and not kept.
type Arrival struct {
	Session  string
	Document string
	Number   string
	Name     string
	Flat     string
	Label    string   // the landlord's own word; empty: the flat
	Doors    []string // empty: all of the building
	From     uint32   // unix s; 0: at once
	Until    uint32   // unix s, exclusive; 0: no end
	Basis    string
	Informed bool   // the person was told what is kept and why
	PIN      string // for the doors; empty: none. It proves nothing: whoever answers for the tenant knows it
	Check    bool   // only judge it: before the card is held up
}

// Done is what came of an action, with remarks for the one who asked for it.
type Done struct {
	Tenancy Tenancy
	Remarks []string
}

// CheckIn makes a tenancy for the cards that were shown in the session. Its
// grant is in force when CheckIn returns, whatever the network does.
func (d *Desk) CheckIn(ctx context.Context, a Arrival) (Done, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.at(a.Session)
	if err != nil {
		return Done{}, err
	}
	reg, clock := d.p.Keyring.Registry(), d.p.Clock()
	c, person, err := d.judge(reg, a, clock)
	if err != nil {
		return Done{}, err
	}
	chosen, err := newPIN(a.PIN)
	if err != nil || a.Check {
		return Done{}, err
	}
	if err := d.give(s.fresh, &c, &person); err != nil {
		return Done{}, err
	}
	sealed, err := sealPerson(reg, person)
	if err != nil {
		return Done{}, err
	}
	// Label and PIN are in no record, so they are written first.
	t := &tenancy{ID: hexID(c.Tenancy), Flat: c.Flat, Label: strings.TrimSpace(a.Label), PIN: chosen, Since: c.At}
	d.book.Tenancies = append(d.book.Tenancies, t)
	remarks, err := d.record(ctx, reg, c, sealed)
	if err != nil {
		d.book.Tenancies = slices.DeleteFunc(d.book.Tenancies, func(o *tenancy) bool { return o == t })
		return Done{}, err
	}
	if !clock.Trusted {
		remarks = append(remarks, "the gateway's clock can't be trusted: the key counts from now on, and its end when the clock is right again")
	}
	s.fresh, s.proof = nil, nil
	return d.done(t, remarks), nil
}

// give puts the cards that were shown into the change and the person.
func (d *Desk) give(fresh []device.Card, c *wire.Change, p *wire.Person) (err error) {
	if len(fresh) == 0 {
		return refuse("hold it up to a reader", "no card has been shown")
	}
	for _, card := range fresh {
		if err := d.free(card); err != nil {
			return err
		}
	}
	p.Cards = rawCards(fresh)
	c.Credentials, err = d.identify(fresh)
	return err
}

// rawCards are cards as the records key gets them, so that a building's key can
// be replaced without one swipe.
func rawCards(cards []device.Card) (raw []wire.RawCard) {
	for _, card := range cards {
		raw = append(raw, wire.RawCard{Bits: uint16(card.Len()), Data: slices.Clone(card.Bytes())})
	}
	return raw
}

// judge holds an arrival against the rules, and makes the change and the person
// of it.
func (d *Desk) judge(reg *keyring.Registry, a Arrival, clock Time) (c wire.Change, p wire.Person, err error) {
	document := named(a.Document, wire.DocumentResidence)
	if document == 0 {
		return c, p, refuse("the documents are "+list(wire.DocumentResidence), "no such document")
	}
	number, err := idnumber.Check(document, a.Number, time.Unix(int64(clock.now()), 0))
	if err != nil {
		return c, p, refuse("read it again from the document", "%s: %v", document, err)
	}
	name := strings.Join(strings.Fields(a.Name), " ")
	if name == "" || len(name) > 256 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return c, p, refuse("as it stands in the document", "the name is empty, too long or holds characters that can't be printed")
	}
	c = wire.Change{Op: wire.OpCheckIn, At: clock.now(), Clock: clock.Quality, Proof: wire.ProofLandlord, Tenancy: newID(), Grant: newID(),
		Kind: wire.GrantResident, From: a.From, Until: a.Until, Flat: strings.TrimSpace(a.Flat), Informed: a.Informed,
		Basis: named(a.Basis, wire.BasisConsent), Document: document}
	if err := judgeFlat(reg.House, c.Flat, a.Label, name, number); err != nil {
		return c, p, err
	}
	if c.Doors, err = judgeDoors(reg, a.Doors); err != nil {
		return c, p, err
	}
	switch {
	case c.Basis == 0:
		return c, p, refuse("the bases are "+list(wire.BasisConsent), "there has to be a legal basis for keeping a person's data")
	case !a.Informed:
		return c, p, refuse("tell them: the registry keeps name, document number and entries; the gateway keeps flat and term", "the person has not been told what is kept")
	case a.Until != 0 && a.Until <= a.From:
		return c, p, refuse("the last day comes after the first", "the term ends before it begins")
	case a.Until != 0 && a.Until <= clock.past():
		return c, p, refuse("the last day is still to come", "the last day is over: the term ends in the past")
	}
	if !clock.Trusted || a.From <= clock.now() { // from now on: no clock that is wrong later holds it off
		c.From = 0
	}
	return c, wire.Person{Tenancy: c.Tenancy, Document: document, Number: number, Name: name}, nil
}

func judgeFlat(house wire.House, flat, label, name, number string) error {
	if flat == "" {
		return refuse("as 3B", "the flat is missing")
	}
	if err := checkLabel("flat", flat, name, number); err != nil {
		return err
	}
	if err := checkLabel("label", label, name, number); err != nil {
		return err
	}
	if len(house.Flats) > 0 && !slices.Contains(house.Flats, flat) {
		return refuse("flats that begin alike: "+strings.Join(alike(flat, house.Flats), ", "), "the building has no flat %q", flat)
	}
	return nil
}

// judgeDoors returns the doors of a key in order; all of the building if none
// is named.
func judgeDoors(reg *keyring.Registry, want []string) ([]string, error) {
	var all []string
	for _, g := range reg.House.Gateways {
		all = append(all, g.Doors...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(want) == 0 {
		want = all
	}
	want = slices.Clone(want)
	slices.Sort(want)
	want = slices.Compact(want)
	for _, door := range want {
		if !slices.Contains(all, door) {
			return nil, refuse("doors of the building: "+strings.Join(all, ", "), "no door %q here", door)
		}
	}
	if len(want) == 0 {
		return nil, refuse("enrol the gateway again", "the registry knows no door of this building")
	}
	return want, nil
}

// sealPerson is where name and number leave this process.
func sealPerson(reg *keyring.Registry, p wire.Person) ([]byte, error) {
	plain, err := wire.Encode(p)
	if err != nil {
		return nil, err
	}
	return wire.Seal(reg.Trust.Records, wire.SealPerson, reg.Place.Address(), plain)
}
