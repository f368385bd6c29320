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
	"gatehouse/internal/desk/tenancy"
)

// idleMost ends a visit that nobody uses: the card numbers that it gathered
// leave memory, and the next one may come to the desk.
const idleMost = 10 * time.Minute

// visits are the visits at the desk, one at a time. The book's lock guards them.
type visits struct{ now *visit }

// visit is one visit at the desk. Cards that were held up wait in it, in
// memory alone.
type visit struct {
	id          string
	since, used time.Time
	over        chan struct{}
	fresh       []device.Card // a card to be given, in the forms of its swipes
	proof       []device.Card // cards that prove who it is
	typed       []device.PIN  // at a reader's keys, oldest first
}

// begin opens a visit; takeOver ends another's.
func (v *visits) begin(takeOver bool) (*visit, error) {
	now := time.Now()
	if s := v.now; s != nil && !takeOver && now.Sub(s.used) < idleMost {
		return nil, &tenancy.Refusal{Busy: true, Hint: "wait for them, or end theirs with --take-over",
			Message: fmt.Sprintf("somebody has been at the desk for %s, and was active %s ago", amount.Span(now.Sub(s.since)), amount.Span(now.Sub(s.used)))}
	}
	v.drop()
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	v.now = &visit{id: hex.EncodeToString(id[:]), since: now, used: now, over: make(chan struct{})}
	return v.now, nil
}

// at returns the visit of that id and counts it as used.
func (v *visits) at(id string) (*visit, error) {
	s := v.now
	if s == nil || id == "" || s.id != id {
		return nil, tenancy.Refuse("begin anew", "this visit at the desk is over: it was idle for too long, or somebody took the desk over")
	}
	s.used = time.Now()
	return s, nil
}

// drop ends the visit there is.
func (v *visits) drop() {
	if v.now != nil {
		close(v.now.over)
		v.now = nil
	}
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
