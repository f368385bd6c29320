package desk

import (
	"context"
	"slices"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Judge checks an arrival against the rules, before a card is held up.
func (d *Desk) Judge(session string, a tenancy.Arrival) (remarks []string, err error) {
	d.book.Lock()
	defer d.book.Unlock()
	if _, err := d.at(session); err != nil {
		return nil, err
	}
	j, _, err := d.judge(a, d.clock())
	return j.Remarks, err
}

func (d *Desk) judge(a tenancy.Arrival, clock tenancy.Time) (tenancy.Judged, *tenancy.PIN, error) {
	var flats []string
	for _, t := range d.book.Tenancies {
		flats = append(flats, t.Lease.Flat)
	}
	j, err := tenancy.Judge(d.keyring.Keys.Registry().House, flats, a, clock)
	if err != nil {
		return tenancy.Judged{}, nil, err
	}
	chosen, err := tenancy.NewPIN(a.PIN)
	return j, chosen, err
}

// CheckIn makes a tenancy for the cards that were shown in the session. Its grant is active when
// CheckIn returns, also without a network.
func (d *Desk) CheckIn(ctx context.Context, session string, a tenancy.Arrival) (Done, error) {
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(session)
	if err != nil {
		return Done{}, err
	}
	reg, clock := d.keyring.Keys.Registry(), d.clock()
	j, chosen, err := d.judge(a, clock)
	if err != nil {
		return Done{}, err
	}
	c := j.Change
	c.Brief, c.Tenancy, c.Grant = j.Child, grantlist.NewID(), grantlist.NewID()
	if c.Credentials, err = d.give(s.fresh); err != nil {
		return Done{}, err
	}
	j.Person.Tenancy, j.Person.Cards = c.Tenancy, rawCards(s.fresh)
	sealed, err := sealPerson(reg, j.Person)
	if err != nil {
		return Done{}, err
	}
	// Label and PIN are in no record, so they are written first.
	t := &tenancy.Tenancy{ID: c.Tenancy, Lease: tenancy.Lease{Flat: c.Flat, Label: j.Label, Since: c.At}, PIN: chosen, Brief: j.Child}
	d.book.Tenancies = append(d.book.Tenancies, t)
	remarks, err := d.Records.record(ctx, reg, c, sealed)
	if err != nil {
		d.book.Tenancies = slices.DeleteFunc(d.book.Tenancies, func(o *tenancy.Tenancy) bool { return o == t })
		return Done{}, err
	}
	remarks = append(j.Remarks, remarks...)
	if !clock.Trusted {
		remarks = append(remarks, "the gateway's clock can't be trusted: the key counts from now on, and its end when the clock is right again")
	}
	s.fresh, s.proof = nil, nil
	done := d.done(t, remarks)
	if d.codes.given() && d.giveCodes(&done) != nil {
		done.Remarks = append(done.Remarks, "one-time codes could not be written: see gatehouse status about the disk, then gatehouse tenancy codes")
	}
	return done, nil
}

// give returns the credentials of the cards that were shown, or refuses cards that can't be given.
func (d *Desk) give(fresh []device.Card) ([]wire.CredentialID, error) {
	if len(fresh) == 0 {
		return nil, tenancy.Refuse("hold it up to a reader", "no card has been shown")
	}
	for _, card := range fresh {
		if err := d.free(card); err != nil {
			return nil, err
		}
	}
	return d.identify(fresh)
}

// rawCards returns cards in the form that is sealed to the records key, so that a building's key
// can be replaced without one swipe.
func rawCards(cards []device.Card) (raw []wire.RawCard) {
	for _, card := range cards {
		raw = append(raw, wire.RawCard{Bits: uint16(card.Len()), Data: slices.Clone(card.Bytes())})
	}
	return raw
}

// sealPerson seals name and number to the registry; nothing else of them leaves this process.
func sealPerson(reg *keys.Registry, p wire.Person) ([]byte, error) {
	plain, err := wire.Encode(p)
	if err != nil {
		return nil, err
	}
	return sealing.Seal(reg.Trust.Records, sealing.Person, reg.Place.Address(), plain)
}
