package desk

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// A tenancy may read so often within a time: a reading goes through the whole log.
const (
	readingsMost = 6
	readingsIn   = time.Hour
)

// Mine is who reads their own entries: those of one card, while it was this tenancy's. A partner's card in the same
// flat, and whoever had this card before, have others.
type Mine struct {
	Tenancy     tenancy.View // with that card alone
	Credentials []wire.CredentialID
}

// Mine proves a resident by the one card that was held up in a visit as proof and by the PIN that the tenant has chosen
// with a card, typed there or given. That it was read is in the log, durably, when it returns; the landlord sees nothing
// of it.
func (d *Residents) Mine(ctx context.Context, session, pin string) (Mine, error) {
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(session)
	if err != nil {
		return Mine{}, err
	}
	if len(s.typed) == 1 {
		pin = s.typed[0].Digits()
	}
	held := s.proof
	s.empty() // the next reading takes card and PIN anew
	ids, err := d.identify(held)
	switch {
	case err != nil:
		return Mine{}, err
	case len(held) != 1:
		return Mine{}, tenancy.Refuse("hold up the card whose entries are to be read, and no other", "want one card, and %d were held up", len(held))
	}
	t, grants, err := d.holder(held[0])
	if err != nil {
		return Mine{}, err
	}
	if err := d.mayRead(ctx, t, ids, pin); err != nil {
		return Mine{}, err
	}
	v := t.Show(d.book.standing(t, grants), d.clock(), 0)
	v.Cards = slices.DeleteFunc(v.Cards, func(c tenancy.Card) bool { return !c.Any(ids) })
	who := wire.Who{Credential: &ids[0], Tenancy: new(t.ID)}
	header := wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone, Reason: wire.ReasonOwnEntries, Source: caller.Of(ctx).String()}
	if _, err := d.Doors.journal.Append(ctx, header, who); err != nil {
		return Mine{}, err
	}
	return Mine{v, ids}, nil
}

// mayRead refuses who does not show that the tenancy is theirs, and too many readings.
func (d *Residents) mayRead(ctx context.Context, t *tenancy.Tenancy, ids []wire.CredentialID, pin string) error {
	switch {
	case t == nil:
		return tenancy.Refuse("hold up a card of the tenancy", "no tenancy has this card")
	case slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return d.Doors.seen.Load().unproven[id] }):
		return tenancy.Refuse("confirm it first: gatehouse card confirm", "this card came on the landlord's word, and proves nothing until the tenant confirms it")
	case t.PIN == nil || !t.PIN.Own:
		return tenancy.Refuse("choose one: gatehouse tenancy pin --by card", "this takes a PIN that the tenant has chosen with a card")
	}
	if err := d.pins.check(t, pin, caller.Of(ctx).String()); err != nil {
		return err
	}
	now := time.Now()
	recent := slices.DeleteFunc(d.readings[t.ID], func(at time.Time) bool { return now.Sub(at) >= readingsIn })
	if len(recent) >= readingsMost {
		return tenancy.Refuse("try again in an hour", "this was read often enough for now")
	}
	d.readings[t.ID] = append(recent, now)
	return nil
}
