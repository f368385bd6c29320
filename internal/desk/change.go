package desk

import (
	"context"
	"slices"
	"strings"

	"gatehouse/sync/wire"
)

// Request asks for a change of a tenancy.
type Request struct {
	Session string
	Action  string // checkout, dispute, withdraw, suspend, resume, replace, add
	Tenancy string // id or the start of it, flat or label; empty: that of the card that was held up
	Proof   string // landlord, card or pin
	PIN     string
	Cause   string // of a check-out: one of wire's
	Card    int    // number of the card that it is about; 0: the only one
}

// Change does what is asked for, or refuses it and says what would do.
func (d *Desk) Change(ctx context.Context, r Request) (Done, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.at(r.Session)
	if err != nil {
		return Done{}, err
	}
	all := holdings(d.p.Keyring.Grants())
	t, err := d.subject(s, r, all)
	if err != nil {
		return Done{}, err
	}
	reg, clock := d.p.Keyring.Registry(), d.p.Clock()
	at := situation{t: t, standing: t.stand(all[wire.ID(t.ID)]), now: clock.now(), surely: clock.surely(), trusted: clock.Trusted,
		days: NoticeDays(reg.House), cause: named(r.Cause, wire.CauseMistake), card: r.Card}
	if r.Cause != "" && at.cause == 0 {
		return Done{}, refuse(causes(), "this is no cause for which a tenancy ends")
	}
	if err := d.prove(&at, s, r); err != nil {
		return Done{}, err
	}
	if at.fresh, err = d.identify(s.fresh); err != nil {
		return Done{}, err
	}
	changes, err := at.decide(r.Action)
	if err != nil {
		return Done{}, err
	}
	var remarks []string
	for _, c := range changes {
		c.Clock = clock.Quality
		var cards []byte
		if c.Op == wire.OpBind {
			if cards, err = sealPerson(reg, wire.Person{Tenancy: c.Tenancy, Cards: rawCards(s.fresh)}); err != nil {
				return Done{}, err
			}
		}
		more, err := d.record(ctx, reg, c, cards)
		if err != nil {
			return Done{}, err
		}
		remarks = append(remarks, more...)
	}
	s.fresh, s.proof = nil, nil
	return d.done(d.tenancy(wire.ID(t.ID)), remarks), nil
}

// NoticeDays is how long a notice of the landlord alone runs, in days.
func NoticeDays(h wire.House) int {
	if h.NoticeDays == 0 {
		return 3
	}
	return int(h.NoticeDays)
}

// subject finds the tenancy that a request is about.
func (d *Desk) subject(s *session, r Request, all map[wire.ID][]holding) (*tenancy, error) {
	if r.Tenancy != "" {
		return d.lookup(r.Tenancy, all)
	}
	for _, c := range s.proof {
		if t, _, err := d.holder(c); t != nil || err != nil {
			return t, err
		}
	}
	return nil, refuse("name it: gatehouse tenancy list shows them", "no tenancy is named, and no card was held up")
}

// lookup finds a tenancy by id, flat or label. An id finds one that is over too.
func (d *Desk) lookup(text string, all map[wire.ID][]holding) (*tenancy, error) {
	text = strings.TrimSpace(text)
	surely := d.p.Clock().surely()
	var found []*tenancy
	over := ""
	for _, t := range d.everyone(all) {
		byID := len(text) >= 4 && strings.HasPrefix(wire.ID(t.ID).String(), strings.ToLower(text))
		byWord := text != "" && (strings.EqualFold(t.Flat, text) || strings.EqualFold(t.Label, text))
		switch {
		case byID, byWord && t.state(t.stand(all[wire.ID(t.ID)]), surely) != stateEnded:
			found = append(found, t)
		case byWord:
			over = wire.ID(t.ID).String()[:8]
		}
	}
	switch len(found) {
	case 0:
		if over != "" {
			return nil, refuse("by its id it can still be shown: "+over, "the tenancy of %q is over", text)
		}
		return nil, refuse("gatehouse tenancy list shows them", "no tenancy %q here", text)
	case 1:
		return found[0], nil
	}
	var words []string
	for _, t := range found {
		words = append(words, t.word())
	}
	return nil, refuse("name it by its id: "+strings.Join(words, ", "), "%q names %d tenancies", text, len(found))
}

// everyone returns the tenancies of the book and those that only the list names.
func (d *Desk) everyone(all map[wire.ID][]holding) []*tenancy {
	out := slices.Clone(d.book.Tenancies)
	for id := range all {
		if d.book.find(id) == nil {
			out = append(out, &tenancy{ID: hexID(id)})
		}
	}
	return out
}

// prove fills in on whose word the change rests.
func (d *Desk) prove(at *situation, s *session, r Request) error {
	switch strings.ToLower(r.Proof) {
	case wire.ProofLandlord.String():
		at.proof = wire.ProofLandlord
		return nil
	case wire.ProofPIN.String():
		at.proof = wire.ProofPIN
		return d.checkPIN(at.t, r.PIN)
	case wire.ProofCard.String():
		at.proof = wire.ProofCard
		return d.proveByCard(at, s, r.Action)
	}
	return refuse("card: the tenant holds one up; pin: the tenant types it; landlord: by your word alone", "the proof is missing")
}

// proveByCard looks for a card of the tenancy among those that were held up. A
// suspended one proves nothing, but that it is found.
func (d *Desk) proveByCard(at *situation, s *session, action string) error {
	suspended := false
	for _, c := range s.proof {
		ids, err := d.p.Keyring.IdentifyAll(c)
		if err != nil {
			return err
		}
		for _, k := range at.cards {
			if !slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(k.credentials, id) }) {
				continue
			}
			if k.State == stateActive || k.State == stateSuspended && action == resume {
				at.held = k.Number
				return nil
			}
			suspended = suspended || k.State == stateSuspended
		}
	}
	if suspended {
		return refuse("gatehouse card resume brings it back", "the card that was held up is suspended, so it proves nothing")
	}
	return refuse("hold up a card that opens for this tenancy", "no card of tenancy %s was held up", at.t.word())
}
