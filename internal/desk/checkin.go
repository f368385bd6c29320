package desk

import (
	"context"
	"slices"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/keys"
	"gatehouse/internal/naming"
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
	reg, clock := d.p.Keyring.Keys.Registry(), d.p.Clock()
	j, err := d.judge(reg, a, clock)
	if err != nil {
		return Done{}, err
	}
	chosen, err := newPIN(a.PIN)
	if err != nil || a.Check {
		return Done{Remarks: j.remarks}, err
	}
	c := j.change
	if err := d.give(s.fresh, &c, &j.person); err != nil {
		return Done{}, err
	}
	sealed, err := sealPerson(reg, j.person)
	if err != nil {
		return Done{}, err
	}
	// Label and PIN are in no record, so they are written first.
	t := &tenancy{ID: c.Tenancy, Flat: c.Flat, Label: j.label, PIN: chosen, Since: c.At}
	d.book.Tenancies = append(d.book.Tenancies, t)
	remarks, err := d.record(ctx, reg, c, sealed)
	if err != nil {
		d.book.Tenancies = slices.DeleteFunc(d.book.Tenancies, func(o *tenancy) bool { return o == t })
		return Done{}, err
	}
	remarks = append(j.remarks, remarks...)
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

// judged is an arrival that was held against the rules.
type judged struct {
	change  wire.Change
	person  wire.Person
	label   string
	remarks []string
}

// judge holds an arrival against the rules, and makes the change and the person
// of it.
func (d *Desk) judge(reg *keys.Registry, a Arrival, clock Time) (j judged, err error) {
	if err := d.judgePerson(&j, a, clock); err != nil {
		return j, err
	}
	c := wire.Change{Op: wire.OpCheckIn, At: clock.now(), Clock: clock.Quality, Proof: wire.ProofLandlord, Tenancy: newID(), Grant: newID(),
		Kind: wire.GrantResident, From: a.From, Until: a.Until, Informed: a.Informed, Basis: named(a.Basis, wire.BasisConsent), Document: j.person.Document}
	if c.Flat, err = d.judgeFlat(reg, a.Flat, j.person); err != nil {
		return j, err
	}
	if j.label, err = judgeLabel(a.Label, j.person); err != nil {
		return j, err
	}
	if c.Doors, err = judgeDoors(reg, a.Doors); err != nil {
		return j, err
	}
	switch {
	case c.Basis == 0:
		return j, refuse("the bases are "+list(wire.BasisConsent), "there has to be a legal basis for keeping a person's data")
	case !a.Informed:
		return j, refuse("tell them: the registry keeps name, document number and entries; the gateway keeps flat and term", "the person has not been told what is kept")
	case a.Until != 0 && a.Until <= a.From:
		return j, refuse("the last day comes after the first", "the term ends before it begins")
	case a.Until != 0 && a.Until <= clock.past():
		return j, refuse("the last day is still to come", "the last day is over: the term ends in the past")
	}
	if !clock.Trusted || a.From <= clock.now() { // from now on: no clock that is wrong later holds it off
		c.From = 0
	}
	j.change, j.person.Tenancy = c, c.Tenancy
	return j, nil
}

func (d *Desk) judgePerson(j *judged, a Arrival, clock Time) (err error) {
	p := &j.person
	if p.Document = named(a.Document, wire.LastDocument); p.Document == 0 {
		return refuse("the documents are "+list(wire.LastDocument), "no such document")
	}
	if p.Number, err = idnumber.Check(p.Document, a.Number, time.Unix(int64(clock.now()), 0)); err != nil {
		return refuse("read it again from the document", "%s: %v", p.Document, err)
	}
	if p.Name, j.remarks, err = naming.Person(a.Name); err != nil {
		return refuse("as it stands in the document", "%v", err)
	}
	if p.Document == wire.DocumentOther {
		j.remarks = append(j.remarks, "document \"other\": its number follows no rule that could be checked; read it once more")
	}
	return nil
}

// judgeFlat returns the spelling that the building's list, or an earlier tenancy, has.
// What stands in the list of flats names nobody.
func (d *Desk) judgeFlat(reg *keys.Registry, text string, p wire.Person) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", refuse("as 3B", "the flat is missing")
	}
	flat, err := naming.Flat(text)
	if err != nil {
		return "", refuse("as 3B", "%v", err)
	}
	if known := reg.House.Flats; len(known) > 0 {
		same, ok := naming.Same(flat, known)
		if !ok {
			return "", refuse("flats that begin alike: "+strings.Join(alike(flat, known), ", "), "the building has no flat %q", flat)
		}
		return same, nil
	}
	if strings.Contains(idnumber.Fold(flat), p.Number) || naming.Names(flat, p.Name) {
		return "", refuse("name the flat in your own words: the gateway keeps no names", "the flat holds the tenant's name or number (refusal N12)")
	}
	var known []string
	for _, t := range d.book.Tenancies {
		known = append(known, t.Flat)
	}
	if same, ok := naming.Same(flat, known); ok {
		return same, nil
	}
	return flat, nil
}

func judgeLabel(text string, p wire.Person) (string, error) {
	label, err := naming.Label(text)
	if err != nil {
		return "", refuse("name the flat in your own words", "%v", err)
	}
	if label != "" && (strings.Contains(idnumber.Fold(label), p.Number) || naming.Names(label, p.Name)) {
		return "", refuse("name the flat in your own words: the gateway keeps no names", "the label holds the tenant's name or number (refusal N12)")
	}
	return label, nil
}

// judgeDoors returns the doors of a key in order; all of the building if none
// is named.
func judgeDoors(reg *keys.Registry, want []string) ([]string, error) {
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
func sealPerson(reg *keys.Registry, p wire.Person) ([]byte, error) {
	plain, err := wire.Encode(p)
	if err != nil {
		return nil, err
	}
	return wire.Seal(reg.Trust.Records, wire.SealPerson, reg.Place.Address(), plain)
}
