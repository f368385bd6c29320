package intake

import "gatehouse/sync/wire"

// lowClass says which entries go first when the queue is full: denials,
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
	low, high []*Item
	gap       *Item // counts the present run of drops; it stands in high
}

func (q *queue) len() int { return len(q.low) + len(q.high) }

// push adds it and returns the entry that had to go for it: the oldest of the
// low class, else the oldest of the other, or it itself. The low class may
// fill three quarters, so that a flood of denials leaves capacity for the rest.
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

// take moves up to n entries to an empty batch, oldest first. A gap entry that is taken
// counts no further.
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
