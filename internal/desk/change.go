package desk

import (
	"context"
	"slices"
	"strings"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Request asks for a change of a tenancy.
type Request struct {
	Session string
	Action  string // checkout, dispute, withdraw, suspend, resume, replace, add, confirm, pin
	Tenancy string // id or the start of it, flat or label; empty: that of the card that was held up
	Proof   string // landlord, card or pin
	PIN     string
	Cause   string // of a check-out: one of wire's
	Card    int    // number of the card that it is about; 0: the only one
	NewPIN  string // that the tenant chose; of pin
	Typed   bool   // PINs are those of Type
}

// typed takes the PINs from those that came from a reader's keys, in their order:
// the one that proves, then twice the new one.
func (r *Request) typed(s *session) error {
	if !r.Typed {
		return nil
	}
	all := s.typed
	s.typed = nil
	if r.Proof == wire.ProofPIN.String() && len(all) > 0 {
		r.PIN, all = all[0].Digits(), all[1:]
	}
	if r.Action != setPIN {
		return nil
	}
	if len(all) != 2 || all[0] != all[1] {
		return refuse("begin anew", "these were not twice the same PIN")
	}
	r.NewPIN = all[0].Digits()
	return nil
}

// Change does what is asked for, or refuses it and says what would do.
func (d *Desk) Change(ctx context.Context, r Request) (Done, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.at(r.Session)
	if err != nil {
		return Done{}, err
	}
	if err := r.typed(s); err != nil {
		return Done{}, err
	}
	all := d.held()
	t, err := d.subject(s, r, all)
	if err != nil {
		return Done{}, err
	}
	reg, clock := d.p.Keyring.Keys.Registry(), d.p.Clock()
	at := situation{t: t, standing: d.standing(t, all[t.ID]), now: clock.now(), surely: clock.surely(), trusted: clock.Trusted,
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
	chosen, err := newPIN(r.NewPIN)
	if err != nil {
		return Done{}, err
	}
	at.pin = chosen != nil
	changes, err := at.decide(r.Action)
	if err != nil {
		return Done{}, err
	}
	remarks, err := d.carryOut(ctx, reg, at, clock, s.fresh, changes)
	if err != nil {
		return Done{}, err
	}
	if chosen != nil {
		remarks = append(remarks, d.keepPIN(t, chosen)...)
	}
	s.fresh, s.proof, s.typed = nil, nil, nil
	return d.done(d.tenancy(t.ID), remarks), nil
}

// carryOut records the changes. A card that is given travels as it was read,
// sealed; one that is named again has travelled before.
func (d *Desk) carryOut(ctx context.Context, reg *keys.Registry, at situation, clock Time, fresh []device.Card, changes []wire.Change) (remarks []string, err error) {
	for _, c := range changes {
		c.Clock = clock.Quality
		var person []byte
		given := c.Op == wire.OpBind && slices.Equal(c.Credentials, at.fresh)
		if given {
			if person, err = sealPerson(reg, wire.Person{Tenancy: c.Tenancy, Cards: rawCards(fresh)}); err != nil {
				return nil, err
			}
		}
		more, err := d.record(ctx, reg, c, person)
		if err != nil {
			return nil, err
		}
		remarks = append(remarks, more...)
		if c.Op == wire.OpBind && c.Proof == wire.ProofLandlord {
			remarks = append(remarks, d.onLandlordsWord(c, given, at.days)...)
		}
	}
	return remarks, nil
}

// onLandlordsWord says what the landlord's word is worth, and begins the days
// after which a card stops.
func (d *Desk) onLandlordsWord(c wire.Change, given bool, days int) []string {
	t := d.book.find(c.Tenancy)
	k := t.holding(c.Credentials[0])
	if given || k == nil || k.Stop == nil {
		return []string{"this card opens, and proves nothing yet: the tenant confirms it with an older card or the PIN (gatehouse card confirm), or the registry does (registryd confirm-card)"}
	}
	k.Stop.Left = uint32(days) * daySeconds
	_ = d.save() // logged there; at worst the landlord has to ask again
	return []string{"by your word alone it stops after " + amount.Of(days, "day") + ", unless it is used at a door meanwhile; with the tenant's PIN or another proven card it stops at once"}
}

// proven refuses a word of a card or PIN that the landlord may have given to
// himself, but for what only keeps a tenancy going.
func proven(proves bool, action, hint, message string) error {
	if proves || action == dispute {
		return nil
	}
	return refuse(hint, "%s (refusal N3)", message)
}

// NoticeDays is how long a notice of the landlord alone runs, in days.
func NoticeDays(h wire.House) int { return grantlist.NoticeDays(h) }

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
		byID := len(text) >= 4 && strings.HasPrefix(t.ID.String(), strings.ToLower(text))
		byWord := text != "" && (naming.Fold(t.Flat) == naming.Fold(text) || naming.Fold(t.Label) == naming.Fold(text))
		switch {
		case byID, byWord && t.state(d.standing(t, all[t.ID]), surely) != stateEnded:
			found = append(found, t)
		case byWord:
			over = t.ID.String()[:8]
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
	return nil, refuse("name it by its id: "+strings.Join(words, ", "), "%q names %s", text, amount.Of(len(found), "tenancy"))
}

// everyone returns the tenancies of the book and those that only the list names.
func (d *Desk) everyone(all map[wire.ID][]holding) []*tenancy {
	out := slices.Clone(d.book.Tenancies)
	for id := range all {
		if d.book.find(id) == nil {
			out = append(out, d.blank(id))
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
		return d.provePIN(at.t, r)
	case wire.ProofCard.String():
		at.proof = wire.ProofCard
		return d.proveByCard(at, s, r.Action)
	}
	return refuse("card: the tenant holds one up; pin: the tenant types it; landlord: by your word alone", "the proof is missing")
}

// provePIN takes the PIN if the tenant has chosen it.
func (d *Desk) provePIN(t *tenancy, r Request) error {
	if t.PIN != nil {
		err := proven(t.PIN.Own, r.Action, "with a card of the tenancy its tenant chooses another: gatehouse tenancy pin --by card",
			"this PIN was typed at check-in, on the landlord's word: it opens doors, and proves nothing")
		if err != nil {
			return err
		}
	}
	return d.checkPIN(t, r.PIN)
}

// proveByCard looks for a card of the tenancy among those that were held up. A
// suspended one proves nothing, but that it is found; nor does one that came on
// the landlord's word.
func (d *Desk) proveByCard(at *situation, s *session, action string) error {
	var no error
	alone := lone(at.cards)
	for _, c := range s.proof {
		ids, err := d.p.Keyring.IdentifyAll(c)
		if err != nil {
			return err
		}
		for _, k := range at.cards {
			if !slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(k.credentials, id) }) {
				continue
			}
			found := k.State == stateSuspended && action == resume
			whole := alone != nil && alone.Number == k.Number && !slices.ContainsFunc(k.credentials, func(id wire.CredentialID) bool { return !slices.Contains(ids, id) })
			switch {
			case k.State == stateActive || found:
				if no = proven(k.Proves || whole || found, action, "an older card of the tenancy or its PIN confirms it: gatehouse card confirm; or the registry: registryd confirm-card",
					"this card came on the landlord's word, or nobody here knows on whose: it opens, and proves nothing"); no == nil {
					at.held = k.Number
					return nil
				}
			case k.State == stateSuspended && no == nil:
				no = refuse("gatehouse card resume brings it back", "the card that was held up is suspended, so it proves nothing")
			}
		}
	}
	if no != nil {
		return no
	}
	return refuse("hold up a card that opens for this tenancy", "no card of tenancy %s was held up", at.t.word())
}
