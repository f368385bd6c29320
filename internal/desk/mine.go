package desk

import (
	"context"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/internal/caller"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/doorcode"
	"gatehouse/sync/wire"
)

// A tenancy may read so often within a time: a reading goes through the whole log.
const (
	readingsMost = 6
	readingsIn   = time.Hour
)

// ownEntries is the act of who wants to read the own entries.
const ownEntries = "mine"

// Mine is who reads their own entries: those of one card, while it was this tenancy's. A partner's card in the same
// flat, and whoever had this card before, have others.
type Mine struct {
	Tenancy     tenancy.View // with that card alone
	Credentials []wire.CredentialID
	Guests      []doorcode.Guest
}

// Known finds the tenancy of a resident by flat and own PIN, and its cards: one of them has to be held up next. It
// shows nothing yet. Wrong PINs are counted with those of other acts of residents, apart from the desk's and the doors'.
func (d *Residents) Known(ctx context.Context, flat, pin string) (id wire.ID, cards map[wire.CredentialID]bool, err error) {
	d.book.Lock()
	defer d.book.Unlock()
	if _, err := d.Records.registry(); err != nil {
		return id, nil, err
	}
	t, err := d.living(ctx, ResidentRequest{Act: ownEntries, Flat: flat, PIN: pin})
	if err != nil {
		return id, nil, err
	}
	cards = map[wire.CredentialID]bool{}
	for _, h := range d.book.held()[t.ID] {
		if h.State != wire.GrantRevoked {
			cards[h.Credential] = true
		}
	}
	return t.ID, cards, nil
}

// Mine lets a resident whom Known has found read by the card that was held up. That it was read is in the log, durably,
// when it returns; the landlord sees nothing of it.
func (d *Residents) Mine(ctx context.Context, of wire.ID, held device.Card) (Mine, error) {
	d.book.Lock()
	defer d.book.Unlock()
	ids, err := d.keyring.IdentifyAll(held)
	if err != nil {
		return Mine{}, err
	}
	t, grants, err := d.holder(held)
	if err != nil {
		return Mine{}, err
	}
	if err := d.mayRead(t, of, ids); err != nil {
		return Mine{}, err
	}
	v := t.Show(d.book.standing(t, grants), d.clock(), 0)
	v.Cards = slices.DeleteFunc(v.Cards, func(c tenancy.Card) bool { return !c.Any(ids) })
	who := wire.Who{Credential: &ids[0], Tenancy: new(t.ID)}
	header := wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone, Reason: wire.ReasonOwnEntries, Source: caller.Of(ctx).String()}
	if _, err := d.Doors.journal.Append(ctx, header, who); err != nil {
		return Mine{}, err
	}
	return Mine{v, ids, d.Guests.of(t.ID)}, nil
}

// mayRead refuses a card that is not of the tenancy, or that the tenant has not confirmed, and too many readings.
func (d *Residents) mayRead(t *tenancy.Tenancy, of wire.ID, ids []wire.CredentialID) error {
	switch {
	case t == nil || t.ID != of:
		return tenancy.Refuse("hold up a card of the tenancy whose PIN was typed", "no tenancy has this card")
	case slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return d.Doors.seen.Load().unproven[id] }):
		return tenancy.Refuse("confirm it first: gatehouse card confirm", "this card came on the landlord's word, and proves nothing until the tenant confirms it")
	}
	now := time.Now()
	recent := slices.DeleteFunc(d.readings[t.ID], func(at time.Time) bool { return now.Sub(at) >= readingsIn })
	if len(recent) >= readingsMost {
		return tenancy.Refuse("try again in an hour", "this was read often enough for now")
	}
	d.readings[t.ID] = append(recent, now)
	return nil
}
