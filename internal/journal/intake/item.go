package intake

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Item is an entry on its way to the disk.
type Item struct {
	Header wire.Header
	Ref    wire.Ref  // its boot number and counter; zero for an entry that was dropped
	Stored []byte    // its bytes in the file; a gap entry has none before Take, because it counts until then
	Leaf   tlog.Hash // of the tree

	salt [16]byte
	who  []byte
	low  bool
	done chan<- journaled.Written // nil: nobody waits
}

func newItem(h wire.Header, who wire.Who) (*Item, error) {
	it := &Item{Header: h, low: lowClass(h)}
	var err error
	if it.who, err = who.Encode(); err != nil {
		return it, fmt.Errorf("append to journal: %w", err)
	}
	if it.who != nil {
		rand.Read(it.salt[:]) // never fails: it ends the program instead
	}
	return it, nil
}

// seal encodes the entry; its bytes never change again.
func (it *Item) seal() error {
	header, err := it.Header.Encode()
	if err != nil {
		return err
	}
	s := journaled.New(header, it.salt, it.who)
	it.Stored, it.Leaf = s.Encode(), tlog.RecordHash(s.Leaf())
	return nil
}

// mustSeal seals an entry of the journal about itself.
func (it *Item) mustSeal() {
	if err := it.seal(); err != nil {
		panic(err) // every field is ours
	}
}

// finish reports the outcome to the waiting caller, once.
func (it *Item) finish(err error) {
	if it.done != nil {
		it.done <- journaled.Written{Ref: it.Ref, Err: err}
		it.done = nil
	}
}

func finish(list []*Item, err error) {
	for _, it := range list {
		it.finish(err)
	}
}

// lowClass reports whether an entry is dropped first when the queue is full: denials, repeats,
// floods and faults, of which anybody at the door can make any number.
func lowClass(h wire.Header) bool {
	switch h.Kind {
	case wire.KindRepeated, wire.KindFlood, wire.KindFault:
		return true
	}
	return h.Outcome == wire.OutcomeDenied
}

// queue holds entries in two classes, each in the order of their counters.
type queue struct {
	limit     int
	low, high []*Item
	gap       *Item // counts the present run of drops; it stands in high
}

func (q *queue) len() int { return len(q.low) + len(q.high) }

// push adds an entry and returns the one that was dropped for it: the oldest of the low class, else
// the oldest of the other, or the new one. The low class may fill three quarters, so that a flood
// of denials leaves capacity for the rest.
func (q *queue) push(it *Item) (victim *Item) {
	full := q.len() >= q.limit
	switch {
	case it.low && len(q.low) > 0 && len(q.low) >= q.limit-q.limit/4, full && len(q.low) > 0:
		victim = pop(&q.low)
	case full && it.low:
		return it
	case full:
		victim = pop(&q.high)
	}
	if it.low {
		q.low = append(q.low, it)
	} else {
		q.high = append(q.high, it)
	}
	return victim
}

// take moves up to n entries to an empty batch, oldest first. A gap entry that is taken stops
// counting.
func (q *queue) take(batch []*Item, n int) []*Item {
	for len(batch) < n && q.len() > 0 {
		from := &q.high
		if len(q.high) == 0 || len(q.low) > 0 && q.low[0].Ref.Counter < q.high[0].Ref.Counter {
			from = &q.low
		}
		it := pop(from)
		if it == q.gap {
			q.gap = nil
		}
		batch = append(batch, it)
	}
	return batch
}

func pop(list *[]*Item) *Item {
	it := (*list)[0]
	(*list)[0] = nil
	*list = (*list)[1:]
	return it
}
