package lists

import (
	"crypto/rand"
	"time"

	"gatehouse/sync/wire"
)

const (
	holdingParts = 256 // limit of parts taken from one sibling
	BorrowEvery  = 20 * time.Second
)

// Borrowing asks the siblings of a gateway without a list for theirs, and assembles the parts that
// they send. A list of the registry, which may have been rolled back, waits for that for a while.
type Borrowing struct {
	gateway  string // this one
	formats  uint64 // this gateway speaks formats 1 to this one
	keyring  Keyring
	until    time.Time // siblings' lists are not waited for after this
	due      time.Time
	question wire.Nonce      // repeated by the siblings' answers
	empty    map[string]bool // siblings that have no list themselves
	lenders  map[string]*lender
}

// NewBorrowing borrows for a gateway that speaks formats 1 to formats.
func NewBorrowing(k Keyring, gateway string, formats uint64) *Borrowing {
	return &Borrowing{gateway: gateway, formats: formats, keyring: k, empty: map[string]bool{}, lenders: map[string]*lender{}}
}

// lender is a sibling that has begun to send its list.
type lender struct {
	parts []*wire.Holding
	left  int
}

func (b *Borrowing) waits(now time.Time) bool {
	if b.formats < 2 || !now.Before(b.until) || b.keyring.Lists().Active > 0 {
		return false
	}
	for _, g := range b.keyring.House().Gateways {
		if g.ID != b.gateway && !b.empty[g.ID] {
			return true
		}
	}
	return false
}

// Borrow returns the question to the siblings, until one has answered.
func (b *Borrowing) Borrow(now time.Time) (ask []wire.Holding, next time.Time) {
	if !b.waits(now) {
		return nil, time.Time{}
	}
	if !now.Before(b.due) {
		ask = b.ask(now)
	}
	return ask, b.due
}

// ask returns the question: there is no list here.
func (b *Borrowing) ask(now time.Time) []wire.Holding {
	if b.question == (wire.Nonce{}) {
		rand.Read(b.question[:]) // never fails: it ends the program instead
	}
	b.due = now.Add(BorrowEvery)
	return []wire.Holding{{Nonce: b.question, Parts: 1}}
}

// IsQuestion reports whether a sibling says that it has no list.
func IsQuestion(h wire.Holding) bool {
	return h.Parts == 1 && len(h.Manifest) == 0 && len(h.Tombstones) == 0
}

// Hears takes a sibling's question. The sibling has no list itself and is not waited for. At its
// first question it is asked back, since it may have missed ours and waits for us.
func (b *Borrowing) Hears(from string, now time.Time) (ask []wire.Holding) {
	if b.empty[from] {
		return nil
	}
	b.empty[from] = true
	return b.ask(now)
}

// Take takes a part of a sibling's answer and returns the list once it is whole. nil: it is
// incomplete, or answers another question, or is not needed any more.
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
