package lists

import (
	"crypto/rand"
	"time"

	"gatehouse/sync/wire"
)

const (
	holdingParts = 256 // that are taken of a sibling
	BorrowEvery  = 20 * time.Second
)

// Borrowing asks the siblings of a gateway without a list for theirs, and puts
// together what they send. A list of the registry, which may have been set back,
// waits for it for a while.
type Borrowing struct {
	gateway  string // this one
	formats  uint64 // that it speaks
	keyring  Keyring
	until    time.Time // siblings' lists are not waited for after it
	due      time.Time
	question wire.Nonce      // what siblings' answers repeat
	empty    map[string]bool // siblings that have none themselves
	lenders  map[string]*lender
}

// NewBorrowing borrows for a gateway that speaks formats 1 to this one.
func NewBorrowing(k Keyring, gateway string, formats uint64) *Borrowing {
	return &Borrowing{gateway: gateway, formats: formats, keyring: k, empty: map[string]bool{}, lenders: map[string]*lender{}}
}

// lender is a sibling whose parts have begun to come.
type lender struct {
	parts []*wire.Holding
	left  int
}

// waits reports whether this gateway has no list and a sibling may have one.
func (b *Borrowing) waits(now time.Time) bool {
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

// Borrow asks the siblings for their list until one has answered.
func (b *Borrowing) Borrow(now time.Time) (ask []wire.Holding, next time.Time) {
	if !b.waits(now) {
		return nil, time.Time{}
	}
	if !now.Before(b.due) {
		ask = b.ask(now)
	}
	return ask, b.due
}

// ask says that there is no list here.
func (b *Borrowing) ask(now time.Time) []wire.Holding {
	if b.question == (wire.Nonce{}) {
		rand.Read(b.question[:]) // never fails: it ends the program instead
	}
	b.due = now.Add(BorrowEvery)
	return []wire.Holding{{Nonce: b.question, Parts: 1}}
}

// IsQuestion says whether a sibling says that it has no list.
func IsQuestion(h wire.Holding) bool {
	return h.Parts == 1 && len(h.Manifest) == 0 && len(h.Tombstones) == 0
}

// Hears that a sibling asks while there is no list here either: it has nothing
// itself, and is not waited for. The first time it is asked, since it may have missed
// our question, and waits for us.
func (b *Borrowing) Hears(from string, now time.Time) (ask []wire.Holding) {
	if b.empty[from] {
		return nil
	}
	b.empty[from] = true
	return b.ask(now)
}

// Take takes a part of a sibling's answer, and returns the list once it is whole; nil:
// it is not, or it is for another one, or not needed any more.
func (b *Borrowing) Take(from string, h *wire.Holding, now time.Time) *Holding {
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
