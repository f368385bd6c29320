package uplink

import (
	"context"
	"crypto/rand"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

const (
	holdingRoom  = 56 << 10 // bytes of a part
	holdingParts = 256      // that are taken of a sibling
	borrowEvery  = 20 * time.Second
	shareEvery   = borrowEvery / 2 // one sibling gets the list at most so often: also one that was set back a moment after it was new
	lendMost     = 5 * time.Minute
)

// holdings is what this gateway holds of its building's lists, for others, and
// what it gets of its siblings while it is new.
type holdings struct {
	lacksList bool // the registry does, and asks
	lendDue   time.Time
	lendWait  time.Duration
	lent      map[string]time.Time // when a sibling got it last

	borrowBy  time.Time // without a list, no siblings' are waited for after it
	borrowDue time.Time
	question  wire.Nonce // what siblings' answers repeat
	empty     map[string]bool
	lenders   map[string]*lender
}

// lender is a sibling whose parts have begun to come.
type lender struct {
	parts []*wire.Holding
	left  int
}

// askedFor notes whether the registry lacks what this gateway holds.
func (a *actor) askedFor(asks bool, now time.Time) {
	if asks && !a.lacksList {
		a.lendDue, a.lendWait = now, 0
	}
	a.lacksList = asks
}

// lend sends the registry what it asks for, until it asks no more.
func (a *actor) lend(ctx context.Context, now time.Time) time.Time {
	if !a.lacksList || !a.connection.up || a.nonce == (wire.Nonce{}) {
		return time.Time{}
	}
	if now.Before(a.lendDue) {
		return a.lendDue
	}
	a.sendHolding(ctx, false, a.nonce)
	a.lendWait = backoff(a.lendWait, firstWait, lendMost)
	a.lendDue = now.Add(a.lendWait)
	return a.lendDue
}

func (a *actor) sendHolding(ctx context.Context, building bool, nonce wire.Nonce) {
	h, err := a.o.Keyring.Holding()
	if err != nil {
		a.o.Log.Error().Err(err).Msg("what this gateway holds can't be read")
		return
	}
	for _, part := range partsOf(h, nonce) {
		a.outbox.say(ctx, message{building: building, kind: wire.TypeHolding, body: part})
	}
}

// partsOf cuts it into messages.
func partsOf(h keyring.Holding, nonce wire.Nonce) []wire.Holding {
	parts := []wire.Holding{{Nonce: nonce, Manifest: h.Manifest, Second: h.Second}}
	size := len(h.Manifest) + len(h.Second)
	last := func(more int) *wire.Holding {
		if size > 0 && size+more > holdingRoom {
			parts, size = append(parts, wire.Holding{Nonce: nonce}), 0
		}
		size += more
		return &parts[len(parts)-1]
	}
	if len(h.House) > 0 {
		last(len(h.House)).House = h.House
	}
	for _, b := range h.Buckets {
		p := last(len(b) + 5)
		p.Buckets = append(p.Buckets, b)
	}
	for _, id := range h.Over {
		p := last(len(id) + 1)
		if len(p.Tombstones) == wire.MaxTombstones {
			parts, size = append(parts, wire.Holding{Nonce: nonce}), len(id)+1
			p = &parts[len(parts)-1]
		}
		p.Tombstones = append(p.Tombstones, id)
	}
	for i := range parts {
		parts[i].Part, parts[i].Parts = uint16(i), uint16(len(parts))
	}
	return parts
}

// borrows reports whether this gateway has no list and a sibling may have one: a
// list of the registry, which may have been set back, waits for it for a while.
func (a *actor) borrows(now time.Time) bool {
	if a.o.Formats < 2 || !now.Before(a.borrowBy) || a.o.Keyring.Status().InForce > 0 {
		return false
	}
	for _, g := range a.o.Keyring.Registry().House.Gateways {
		if g.ID != a.place.Gateway && !a.empty[g.ID] {
			return true
		}
	}
	return false
}

// borrow asks the siblings for their list until one has answered.
func (a *actor) borrow(ctx context.Context, now time.Time) time.Time {
	if !a.connection.up || !a.borrows(now) {
		return time.Time{}
	}
	if now.Before(a.borrowDue) {
		return a.borrowDue
	}
	a.askSiblings(ctx, now)
	return a.borrowDue
}

// askSiblings says that there is no list here.
func (a *actor) askSiblings(ctx context.Context, now time.Time) {
	if a.question == (wire.Nonce{}) {
		rand.Read(a.question[:]) // never fails: it ends the program instead
	}
	a.outbox.say(ctx, message{building: true, kind: wire.TypeHolding, body: wire.Holding{Nonce: a.question, Parts: 1}})
	a.borrowDue = now.Add(borrowEvery)
}

// sharedList takes a sibling's question for a list, or a part of its answer.
func (a *actor) sharedList(ctx context.Context, from string, payload []byte) error {
	var h wire.Holding
	if err := wire.Decode(payload, &h); err != nil {
		return err
	}
	now := time.Now()
	if h.Parts == 1 && len(h.Manifest) == 0 && len(h.Tombstones) == 0 {
		return a.answerSibling(ctx, from, h.Nonce, now)
	}
	if h.Nonce != a.question || !a.borrows(now) || h.Parts > holdingParts {
		return nil // for another one, or not needed any more
	}
	l := a.lenders[from]
	if l == nil || len(l.parts) != int(h.Parts) {
		l = &lender{make([]*wire.Holding, h.Parts), int(h.Parts)}
		a.lenders[from] = l
	}
	if l.parts[h.Part] == nil {
		l.left--
	}
	if l.parts[h.Part] = &h; l.left > 0 {
		return nil
	}
	delete(a.lenders, from)
	return a.inherit(l)
}

// answerSibling sends a sibling without a list what is here. One that asks has
// nothing itself, and is not waited for.
func (a *actor) answerSibling(ctx context.Context, from string, nonce wire.Nonce, now time.Time) error {
	if a.o.Keyring.Status().InForce == 0 {
		if !a.empty[from] {
			a.empty[from] = true
			a.askSiblings(ctx, now) // it may have missed our question, and waits for us
			a.fetchSoon(now)
		}
		return nil
	}
	if last, ok := a.lent[from]; ok && now.Sub(last) < shareEvery {
		return nil
	}
	a.lent[from] = now
	a.sendHolding(ctx, true, nonce)
	return nil
}

func (a *actor) inherit(l *lender) error {
	var h keyring.Holding
	for i, p := range l.parts {
		if i == 0 {
			h.Manifest, h.Second = p.Manifest, p.Second
		}
		h.Buckets, h.Over = append(h.Buckets, p.Buckets...), append(h.Over, p.Tombstones...)
	}
	before := a.o.Keyring.Status()
	err := a.o.Keyring.Inherit(h)
	a.applied(before)
	a.fetchSoon(time.Now())
	a.greetAgain(time.Now()) // the registry proves the list that a hello names
	return a.withoutDisk(err)
}
