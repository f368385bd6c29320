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

// idleMost ends a visit that nobody uses: the card numbers that it gathered
// leave memory, and the next one may come to the desk.
const idleMost = 10 * time.Minute

// visit is one visit at the desk. Cards that were held up wait in it, in memory alone. The
// book's lock guards it.
type visit struct {
	id          string
	since, used time.Time
	over        chan struct{}
	fresh       []device.Card // a card to be given, in the forms of its swipes
	proof       []device.Card // cards that prove who it is
	typed       []device.PIN  // at a reader's keys, oldest first
}

// take keeps a card to be given. Its swipes are the forms of one card, each of another
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

// forms are those in which the card to be given is known by now.
func (s *visit) forms() (all []device.Card) {
	for _, f := range s.fresh {
		all = append(all, cardnumber.Derive(f)...)
	}
	return all
}

// empty forgets what was held up and typed.
func (s *visit) empty() { s.fresh, s.proof, s.typed = nil, nil, nil }

// Session is an open visit at the desk.
type Session struct {
	ID       string
	Registry *keys.Registry  // what the house is enrolled with
	Over     <-chan struct{} // closed when it is ended, by whomever
}

// Begin opens a session. There is one at a time; takeOver ends another's.
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

// drop ends the visit there is.
func (d *Desk) drop() {
	if d.visit != nil {
		close(d.visit.over)
		d.visit = nil
	}
}

// Leave ends a session; one that has ended is no error.
func (d *Desk) Leave(id string) {
	d.book.Lock()
	defer d.book.Unlock()
	if d.visit != nil && d.visit.id == id {
		d.drop()
	}
}

// at returns the visit of a session and counts it as used.
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

// Wait says that a session goes on to wait for a card, and returns what tells
// that it has ended.
func (d *Desk) Wait(id string) (over <-chan struct{}, err error) {
	d.book.Lock()
	defer d.book.Unlock()
	s, err := d.at(id)
	if err != nil {
		return nil, err
	}
	return s.over, nil
}

// Show takes a card that was held up: to prove a tenant, or to be given. It
// returns the forms in which the card to be given is known by now, and the
// tenancy of a card that proves; the numbers go no further than the registry's
// seal.
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

// Type takes a PIN that was typed at a reader's keys.
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

// holder returns the tenancy whose card this is in any of its forms, ended keys
// left out, with all that the tenancy holds; nil for none.
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

// free refuses a card that opens for somebody, or would if it were not
// suspended. A key that is over by its date holds no card.
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

// identify names the forms of cards, each once.
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
