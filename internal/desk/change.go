package desk

import (
	"context"
	"slices"
	"strings"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/caller"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// Request is a request to change a tenancy.
type Request struct {
	Session string
	Action  string // checkout, dispute, withdraw, suspend, resume, replace, add, confirm, pin, codes, guest
	Tenancy string // id or the start of it, flat or label; empty: that of the card that was held up
	Proof   string // landlord, card or pin
	PIN     string
	Cause   string          // of a check-out: one of wire's
	Card    int             // number of the card in question; 0: the only one
	NewPIN  string          // chosen by the tenant; for the action pin
	Typed   bool            // the PINs are those given to Type
	Guest   *doorcode.Terms // for the action guest

	by string // who asks, for the entries
}

// typed assigns the PINs that were typed at a reader, in their order: the one that proves, then the
// new one twice.
func (r *Request) typed(s *visit) error {
	if !r.Typed {
		return nil
	}
	all := s.typed
	s.typed = nil
	if r.Proof == wire.ProofPIN.String() && len(all) > 0 {
		r.PIN, all = all[0].Digits(), all[1:]
	}
	if r.Action != tenancy.SetPIN {
		return nil
	}
	if len(all) != 2 || all[0] != all[1] {
		return tenancy.Refuse("begin anew", "these were not twice the same PIN")
	}
	r.NewPIN = all[0].Digits()
	return nil
}

// Change carries out a request, or refuses it and says what would work.
func (d *Desk) Change(ctx context.Context, r Request) (Done, error) {
	r.by = caller.Of(ctx).String()
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(r.Session)
	if err != nil {
		return Done{}, err
	}
	if err := r.typed(s); err != nil {
		return Done{}, err
	}
	at, err := d.situation(s, r)
	if err != nil {
		return Done{}, err
	}
	chosen, err := tenancy.NewPIN(r.NewPIN)
	if err != nil {
		return Done{}, err
	}
	at.NewPIN = chosen != nil
	changes, err := at.Decide(r.Action)
	if err != nil {
		return Done{}, err
	}
	remarks, err := d.carryOut(ctx, at, s.fresh, changes)
	if err != nil {
		return Done{}, err
	}
	if chosen != nil {
		remarks = append(remarks, d.pins.keep(at.Tenancy, chosen, r.by)...)
	}
	s.empty()
	done := d.done(d.book.tenancy(at.Tenancy.ID), remarks)
	switch r.Action {
	case tenancy.NewCodes:
		err = d.giveCodes(&done)
	case tenancy.NewGuest:
		done.Guest, err = d.Guests.give(at.Tenancy, r.Guest)
	}
	return done, err
}

// situation gathers the facts on which a request is decided.
func (d *Desk) situation(s *visit, r Request) (tenancy.Situation, error) {
	all := d.book.held()
	t, err := d.subject(s, r, all)
	if err != nil {
		return tenancy.Situation{}, err
	}
	at := tenancy.Situation{Tenancy: t, Standing: d.book.standing(t, all[t.ID]), Clock: d.clock(),
		Days: grantlist.NoticeDays(d.keyring.Keys.Registry().House), Cause: tenancy.Named(r.Cause, wire.CauseMistake), Card: r.Card}
	if r.Cause != "" && at.Cause == 0 {
		return at, tenancy.Refuse(tenancy.Causes(), "this is no cause for which a tenancy ends")
	}
	if err := d.prove(&at, s, r); err != nil {
		return at, err
	}
	at.Fresh, err = d.identify(s.fresh)
	return at, err
}

// carryOut records the changes. A new card is sealed and sent as it was read; a card that is named
// again was sent before.
func (d *Desk) carryOut(ctx context.Context, at tenancy.Situation, fresh []device.Card, changes []wire.Change) (remarks []string, err error) {
	reg := d.keyring.Keys.Registry()
	for _, c := range changes {
		var person []byte
		given := c.Op == wire.OpBind && slices.Equal(c.Credentials, at.Fresh)
		if given {
			if person, err = sealPerson(reg, wire.Person{Tenancy: c.Tenancy, Cards: rawCards(fresh)}); err != nil {
				return nil, err
			}
		}
		more, err := d.Records.record(ctx, reg, c, person)
		if err != nil {
			return nil, err
		}
		remarks = append(remarks, more...)
		if c.Op == wire.OpBind && c.Proof == wire.ProofLandlord {
			remarks = append(remarks, d.onLandlordsWord(c, given, at.Days)...)
		}
	}
	return remarks, nil
}

// onLandlordsWord explains what the landlord's word is worth, and starts the days after which a
// card stops.
func (d *Desk) onLandlordsWord(c wire.Change, given bool, days int) []string {
	k := d.book.Tenancies.Find(c.Tenancy).Holding(c.Credentials[0])
	if given || k == nil || k.Stop == nil {
		return []string{"this card opens, and proves nothing yet: the tenant confirms it with an older card or the PIN (gatehouse card confirm), or the registry does (registryd confirm-card)"}
	}
	k.Stop.Left = uint32(days) * tenancy.DaySeconds
	_ = d.book.save() // logged there; at worst the landlord has to ask again
	return []string{"by your word alone it stops after " + amount.Of(days, "day") + ", unless it is used at a door meanwhile; with the tenant's PIN or another proven card it stops at once"}
}

func (d *Desk) subject(s *visit, r Request, all map[wire.ID][]wire.Grant) (*tenancy.Tenancy, error) {
	if r.Tenancy != "" {
		return d.book.lookup(r.Tenancy, all, d.clock())
	}
	for _, c := range s.proof {
		if t, _, err := d.holder(c); t != nil || err != nil {
			return t, err
		}
	}
	return nil, tenancy.Refuse("name it: gatehouse tenancy list shows them", "no tenancy is named, and no card was held up")
}

// prove sets on whose word the change rests.
func (d *Desk) prove(at *tenancy.Situation, s *visit, r Request) error {
	switch strings.ToLower(r.Proof) {
	case wire.ProofLandlord.String():
		at.Proof = wire.ProofLandlord
		return nil
	case wire.ProofPIN.String():
		at.Proof = wire.ProofPIN
		if err := at.ProvePIN(r.Action); err != nil {
			return err
		}
		return d.pins.check(at.Tenancy, r.PIN, r.by)
	case wire.ProofCard.String():
		at.Proof = wire.ProofCard
		var shown [][]wire.CredentialID
		for _, c := range s.proof {
			ids, err := d.keyring.IdentifyAll(c)
			if err != nil {
				return err
			}
			shown = append(shown, ids)
		}
		return at.ProveCard(shown, r.Action)
	}
	return tenancy.Refuse("card: the tenant holds one up; pin: the tenant types it; landlord: by your word alone", "the proof is missing")
}
