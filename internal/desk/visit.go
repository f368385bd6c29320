package desk

import (
	"fmt"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// idleMost is the idle time after which a visit ends: the card numbers that it gathered leave
// memory, and the next visitor may come to the desk.
const idleMost = 10 * time.Minute

// visit is one visit at the desk. It keeps the cards that were held up, in memory alone. The book's
// lock guards it.
type visit struct {
	id          string
	since, used time.Time
	over        chan struct{}
	fresh       []device.Card // the forms of a card to be given, one a swipe
	proof       []device.Card // cards held up as proof
	typed       []device.PIN  // at a reader's keys, oldest first
}

// take adds a swipe of the card to be given. Its swipes are the forms of one card, each of another
// length.
func (s *visit) take(c device.Card) error {
	if slices.Contains(s.fresh, c) {
		return nil
	}
	if slices.ContainsFunc(s.fresh, func(o device.Card) bool { return o.Len() == c.Len() }) {
		return tenancy.Refuse("begin anew, and hold the same card up at each reader", "this is another card than the one before")
	}
	s.fresh = append(s.fresh, c)
	return nil
}

// forms returns the forms in which the card to be given is known so far.
func (s *visit) forms() (all []device.Card) {
	for _, f := range s.fresh {
		all = append(all, cardnumber.Derive(f)...)
	}
	return all
}

// empty drops the cards and PINs of the visit.
func (s *visit) empty() { s.fresh, s.proof, s.typed = nil, nil, nil }

// Session is an open visit at the desk.
type Session struct {
	ID       string
	Registry *keys.Registry  // the enrolment of the house
	Over     <-chan struct{} // closed when the session ends, whoever ends it
}

// Begin opens a session. There is one at a time; takeOver ends that of somebody else.
func (d *Desk) Begin(takeOver bool) (Session, error) {
	d.book.Lock()
	defer d.book.Unlock()
	reg, err := d.Records.registry()
	if err != nil {
		return Session{}, err
	}
	now := time.Now()
	if s := d.visit; s != nil && !takeOver && now.Sub(s.used) < idleMost {
		return Session{}, &tenancy.Refusal{Busy: true, Hint: "wait for them, or end theirs with --take-over",
			Message: fmt.Sprintf("somebody has been at the desk for %s, and was active %s ago", amount.Span(now.Sub(s.since)), amount.Span(now.Sub(s.used)))}
	}
	d.drop()
	d.visit = &visit{id: grantlist.NewID().String(), since: now, used: now, over: make(chan struct{})}
	return Session{ID: d.visit.id, Registry: reg, Over: d.visit.over}, nil
}

// drop ends the current visit, if any.
func (d *Desk) drop() {
	if d.visit != nil {
		close(d.visit.over)
		d.visit = nil
	}
}

// Leave ends a session; ending it again is no error.
func (d *Desk) Leave(id string) {
	d.book.Lock()
	defer d.book.Unlock()
	if d.visit != nil && d.visit.id == id {
		d.drop()
	}
}

// at returns the visit of a session, and counts as its use.
func (d *Desk) at(session string) (*visit, error) {
	if _, err := d.Records.registry(); err != nil {
		return nil, err
	}
	if d.visit == nil || d.visit.id != session {
		return nil, &tenancy.Refusal{Over: true, Hint: "begin anew", Message: "this visit at the desk is over: it was idle for too long, or somebody took the desk over"}
	}
	d.visit.used = time.Now()
	return d.visit, nil
}

// Wait keeps a session in use while it waits for a card, and returns a channel that is closed when
// it ends.
func (d *Desk) Wait(id string) (over <-chan struct{}, err error) {
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(id)
	if err != nil {
		return nil, err
	}
	return s.over, nil
}

// Show takes a card that was held up: to prove a tenant, or to be given. It returns the known forms
// of the card to be given, and the tenancy of a card that proves; raw numbers go no further than
// the registry's seal.
func (d *Desk) Show(id string, proof bool, c device.Card) (forms []device.Card, of *tenancy.View, err error) {
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(id)
	if err != nil {
		return nil, nil, err
	}
	t, held, err := d.holder(c)
	switch {
	case err != nil:
		return nil, nil, err
	case proof && t == nil:
		return nil, nil, tenancy.Refuse("hold up a card of the tenancy", "no tenancy has this card")
	case proof:
		s.proof = append(s.proof, c)
		v := t.Show(d.book.standing(t, held), d.clock(), 0)
		return nil, &v, nil
	}
	if err := d.free(c); err != nil {
		return nil, nil, err
	}
	if err := s.take(c); err != nil {
		return nil, nil, err
	}
	return s.forms(), nil, nil
}

// Type takes a PIN that was typed at a reader.
func (d *Desk) Type(id string, p device.PIN) error {
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(id)
	if err != nil {
		return err
	}
	if s.typed = append(s.typed, p); len(s.typed) > 3 { // the old one, the new one, and that again
		s.typed = s.typed[1:]
	}
	return nil
}

// holder returns the tenancy that has this card in any of its forms, apart from ended grants, and
// all that the tenancy holds; nil: none.
func (d *Desk) holder(c device.Card) (*tenancy.Tenancy, []wire.Grant, error) {
	ids, err := d.keyring.IdentifyAll(c)
	if err != nil {
		return nil, nil, err
	}
	for id, held := range tenancy.Holdings(d.keyring.Grants()) {
		for _, h := range held {
			if h.State != wire.GrantRevoked && slices.Contains(ids, h.Credential) {
				return d.book.tenancy(id), held, nil
			}
		}
	}
	return nil, nil, nil
}

// free refuses a card that opens for somebody, or would if it were not suspended. An expired grant
// does not count.
func (d *Desk) free(c device.Card) error {
	ids, err := d.keyring.IdentifyAll(c)
	grants := d.keyring.Grants()
	if err != nil || grants == nil {
		return err
	}
	surely := d.clock().Surely()
	for r := range grants.All() {
		if r.State == wire.GrantRevoked || r.Until != 0 && surely >= r.Until || !slices.Contains(ids, r.Credential) {
			continue
		}
		if r.Kind != wire.GrantResident {
			return tenancy.Refuse("use another card", "this card is in use already, for staff or visitors")
		}
		return tenancy.Refuse("use another card, or end that tenancy first", "this card is in use already, in tenancy %s", d.book.tenancy(r.Tenancy).Word())
	}
	return nil
}

// identify returns the credentials of all forms of cards, each once.
func (d *Desk) identify(cards []device.Card) (ids []wire.CredentialID, err error) {
	for _, c := range cards {
		forms, err := d.keyring.IdentifyAll(c)
		if err != nil {
			return nil, err
		}
		for _, id := range forms {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}
