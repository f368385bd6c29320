package journal

import (
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/sync/wire"
)

// item is an entry on its way to the disk.
type item struct {
	header wire.Header
	ref    wire.Ref
	salt   [16]byte
	who    []byte
	stored []byte // set by seal; a gap entry is sealed when the writer takes it, since it counts until then
	leaf   tlog.Hash
	low    bool
	done   chan error // nil where nobody waits
}

// seal makes the bytes that never change again.
func (it *item) seal() error {
	header, err := it.header.Encode()
	if err != nil {
		return err
	}
	s := wire.NewStored(header, it.salt, it.who)
	it.stored, it.leaf = s.Encode(), tlog.RecordHash(s.Leaf())
	return nil
}

// finish tells whoever waits, once.
func (it *item) finish(err error) {
	if it.done != nil {
		it.done <- err
		it.done = nil
	}
}

// lowClass says which entries go first when there is no room: denials,
// repeats, floods and faults, of which anybody at the door can make any number.
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
	low, high []*item
	gap       *item // counts the present run of drops; it stands in high
}

func (q *queue) len() int { return len(q.low) + len(q.high) }

// push adds it and returns the entry that had to go for it: the oldest of the
// low class, else the oldest of the other, or it itself. The low class may
// fill three quarters, so that a flood of denials leaves room for the rest.
func (q *queue) push(it *item) (victim *item) {
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

// take removes up to n entries, oldest first. A gap entry that is taken counts
// no further.
func (q *queue) take(n int) []*item {
	var batch []*item
	for len(batch) < n && q.len() > 0 {
		from := &q.high
		if len(q.high) == 0 || len(q.low) > 0 && q.low[0].ref.Counter < q.high[0].ref.Counter {
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

func pop(list *[]*item) *item {
	it := (*list)[0]
	(*list)[0] = nil
	*list = (*list)[1:]
	return it
}
