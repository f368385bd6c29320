package desk

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// idleMost ends a session that nobody uses: the card numbers that it gathered
// leave memory, and the next one may come to the desk.
const idleMost = 10 * time.Minute

// session is one visit at the desk. Cards that were held up wait in it, in
// memory alone.
type session struct {
	id          string
	since, used time.Time
	over        chan struct{}
	fresh       []device.Card // a card to be given, in the forms of its swipes
	proof       []device.Card // cards that prove who it is
	typed       []device.PIN  // at a reader's keys, oldest first
}

// Session is an open one.
type Session struct {
	ID       string
	Registry *keys.Registry  // what the house is enrolled with
	Over     <-chan struct{} // closed when it is ended, by whomever
}

// Begin opens a session. There is one at a time; takeOver ends another's.
func (d *Desk) Begin(takeOver bool) (Session, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reg, err := d.registry()
	if err != nil {
		return Session{}, err
	}
	now := time.Now()
	if s := d.session; s != nil && !takeOver && now.Sub(s.used) < idleMost {
		return Session{}, &Refusal{Busy: true, Hint: "wait for them, or end theirs with --take-over",
			Message: fmt.Sprintf("somebody has been at the desk for %s, and was active %s ago", amount.Span(now.Sub(s.since)), amount.Span(now.Sub(s.used)))}
	}
	d.drop()
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	d.session = &session{id: hex.EncodeToString(id[:]), since: now, used: now, over: make(chan struct{})}
	return Session{ID: d.session.id, Registry: reg, Over: d.session.over}, nil
}

// Leave ends a session; one that has ended is no error.
func (d *Desk) Leave(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session != nil && d.session.id == id {
		d.drop()
	}
}

// Wait says that a session goes on to wait for a card, and returns what tells
// that it has ended.
func (d *Desk) Wait(id string) (over <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
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
func (d *Desk) Show(id string, proof bool, c device.Card) (forms []device.Card, of *Tenancy, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.at(id)
	if err != nil {
		return nil, nil, err
	}
	t, held, err := d.holder(c)
	switch {
	case err != nil:
		return nil, nil, err
	case proof && t == nil:
		return nil, nil, refuse("hold up a card of the tenancy", "no tenancy has this card")
	case proof:
		s.proof = append(s.proof, c)
		v := t.show(d.standing(t, held), d.p.Clock().surely(), 0).by(d.p.Clock())
		return nil, &v, nil
	}
	if err := d.free(c); err != nil {
		return nil, nil, err
	}
	if !slices.Contains(s.fresh, c) {
		if slices.ContainsFunc(s.fresh, func(o device.Card) bool { return o.Len() == c.Len() }) {
			return nil, nil, refuse("begin anew, and hold the same card up at each reader", "this is another card than the one before")
		}
		s.fresh = append(s.fresh, c)
	}
	for _, f := range s.fresh {
		forms = append(forms, cardnumber.Derive(f)...)
	}
	return forms, nil, nil
}

// Type takes a PIN that was typed at a reader's keys.
func (d *Desk) Type(id string, p device.PIN) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.at(id)
	if err != nil {
		return err
	}
	if s.typed = append(s.typed, p); len(s.typed) > 3 { // the old one, the new one, and that again
		s.typed = s.typed[1:]
	}
	return nil
}

// at returns the session of that id and counts it as used.
func (d *Desk) at(id string) (*session, error) {
	if _, err := d.registry(); err != nil {
		return nil, err
	}
	s := d.session
	if s == nil || id == "" || s.id != id {
		return nil, refuse("begin anew", "this visit at the desk is over: it was idle for too long, or somebody took the desk over")
	}
	s.used = time.Now()
	return s, nil
}

// drop ends the session there is.
func (d *Desk) drop() {
	if d.session != nil {
		close(d.session.over)
		d.session = nil
	}
}

func (d *Desk) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop()
}

func (d *Desk) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session != nil && time.Since(d.session.used) >= idleMost {
		d.drop()
	}
}

// holder returns the tenancy whose card this is in any of its forms, ended keys
// left out, with all that the tenancy holds; nil for none.
func (d *Desk) holder(c device.Card) (*tenancy, []holding, error) {
	ids, err := d.p.Keyring.IdentifyAll(c)
	if err != nil {
		return nil, nil, err
	}
	for tenancy, held := range holdings(d.p.Keyring.Grants()) {
		for _, h := range held {
			if h.state != wire.GrantRevoked && slices.Contains(ids, h.credential) {
				return d.tenancy(tenancy), held, nil
			}
		}
	}
	return nil, nil, nil
}

// tenancy returns that of the book, or a blank one for what only the list names.
func (d *Desk) tenancy(id wire.ID) *tenancy {
	if t := d.book.find(id); t != nil {
		return t
	}
	return d.blank(id)
}

// free refuses a card that opens for somebody, or would if it were not
// suspended. A key that is over by its date holds no card.
func (d *Desk) free(c device.Card) error {
	ids, err := d.p.Keyring.IdentifyAll(c)
	grants := d.p.Keyring.Grants()
	if err != nil || grants == nil {
		return err
	}
	surely := d.p.Clock().surely()
	for r := range grants.All() {
		if r.State == wire.GrantRevoked || r.Until != 0 && surely >= r.Until || !slices.Contains(ids, r.Credential) {
			continue
		}
		if r.Kind != wire.GrantResident {
			return refuse("use another card", "this card is in use already, for staff or visitors")
		}
		return refuse("use another card, or end that tenancy first", "this card is in use already, in tenancy %s", d.tenancy(r.Tenancy).word())
	}
	return nil
}

// identify names the forms of cards, each once.
func (d *Desk) identify(cards []device.Card) (ids []wire.CredentialID, err error) {
	for _, c := range cards {
		forms, err := d.p.Keyring.IdentifyAll(c)
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
