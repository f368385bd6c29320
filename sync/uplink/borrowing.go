package uplink

import (
	"crypto/rand"
	"time"

	"gatehouse/sync/wire"
)

const (
	holdingParts = 256 // that are taken of a sibling
	borrowEvery  = 20 * time.Second
)

// borrowing asks the siblings of a gateway without a list for theirs, and puts
// together what they send. A list of the registry, which may have been set back,
// waits for it for a while.
type borrowing struct {
	gateway string // this one
	formats uint64 // that it speaks
	keyring interface {
		House() wire.House
		Lists() Lists
	}
	until    time.Time // siblings' lists are not waited for after it
	due      time.Time
	question wire.Nonce      // what siblings' answers repeat
	empty    map[string]bool // siblings that have none themselves
	lenders  map[string]*lender
}

// lender is a sibling whose parts have begun to come.
type lender struct {
	parts []*wire.Holding
	left  int
}

// waits reports whether this gateway has no list and a sibling may have one.
func (b *borrowing) waits(now time.Time) bool {
	if b.formats < 2 || !now.Before(b.until) || b.keyring.Lists().InForce > 0 {
		return false
	}
	for _, g := range b.keyring.House().Gateways {
		if g.ID != b.gateway && !b.empty[g.ID] {
			return true
		}
	}
	return false
}

// borrow asks the siblings for their list until one has answered.
func (b *borrowing) borrow(now time.Time) (ask []message, next time.Time) {
	if !b.waits(now) {
		return nil, time.Time{}
	}
	if !now.Before(b.due) {
		ask = b.ask(now)
	}
	return ask, b.due
}

// ask says that there is no list here.
func (b *borrowing) ask(now time.Time) []message {
	if b.question == (wire.Nonce{}) {
		rand.Read(b.question[:]) // never fails: it ends the program instead
	}
	b.due = now.Add(borrowEvery)
	return []message{{building: true, kind: wire.TypeHolding, body: wire.Holding{Nonce: b.question, Parts: 1}}}
}

// isQuestion says whether a sibling says that it has no list.
func isQuestion(h wire.Holding) bool {
	return h.Parts == 1 && len(h.Manifest) == 0 && len(h.Tombstones) == 0
}

// hears that a sibling asks while there is no list here either: it has nothing
// itself, and is not waited for. The first time it is asked, since it may have missed
// our question, and waits for us.
func (b *borrowing) hears(from string, now time.Time) (ask []message) {
	if b.empty[from] {
		return nil
	}
	b.empty[from] = true
	return b.ask(now)
}

// take takes a part of a sibling's answer, and returns the list once it is whole; nil:
// it is not, or it is for another one, or not needed any more.
func (b *borrowing) take(from string, h *wire.Holding, now time.Time) *Holding {
	if h.Nonce != b.question || !b.waits(now) || h.Parts > holdingParts {
		return nil
	}
	l := b.lenders[from]
	if l == nil || len(l.parts) != int(h.Parts) {
		l = &lender{make([]*wire.Holding, h.Parts), int(h.Parts)}
		b.lenders[from] = l
	}
	if l.parts[h.Part] == nil {
		l.left--
	}
	if l.parts[h.Part] = h; l.left > 0 {
		return nil
	}
	delete(b.lenders, from)
	return l.whole()
}

func (l *lender) whole() *Holding {
	var h Holding
	for i, p := range l.parts {
		if i == 0 {
			h.Manifest, h.Second = p.Manifest, p.Second
		}
		h.Buckets, h.Over = append(h.Buckets, p.Buckets...), append(h.Over, p.Tombstones...)
	}
	return &h
}
