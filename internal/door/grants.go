package door

import (
	"errors"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// mostGrants is how many grants of a door wait for their records: more than readers can send within
// the budget. The channel of the outcomes has room for as many, so that the recorder never waits.
const mostGrants = 16

var (
	errLate = errors.New("the record was not durable in time")
	errBusy = errors.New("too many grants wait for their records")
)

// grant is a decision that lets somebody in once its record is durable, or its time is over.
type grant struct {
	head  wire.Header
	who   wire.Who
	until time.Time // when the door waits no longer

	strict bool               // the door does not open without a durable record
	done   chan<- wire.Reason // nil: nobody waits for the answer
	holder *holder            // the memory of who; nil: not the door's

	ref wire.Ref // of the record
	err error    // nil: it is durable
}

// opens reports whether the door opens. A strict grant does not without a durable record, and
// becomes a denial.
func (g *grant) opens() bool {
	if g.strict && g.err != nil {
		g.head = wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Reason: wire.ReasonSlowDisk, Source: g.head.Source, Direction: g.head.Direction}
	}
	return g.head.Outcome != wire.OutcomeDenied
}

// grants are those that wait for their records. For one goroutine, but written.
type grants struct {
	to      Recorder
	written chan journaled.Written
	waiting []grant
	holders []*holder // those that nobody uses
}

// holder returns memory for a who part: that of a swipe before, or new.
func (l *grants) holder() *holder {
	last := len(l.holders) - 1
	if last < 0 {
		return &holder{}
	}
	h := l.holders[last]
	l.holders = l.holders[:last]
	return h
}

// free takes memory back; nil is none. Its person is forgotten.
func (l *grants) free(h *holder) {
	if h != nil {
		*h = holder{}
		l.holders = append(l.holders, h)
	}
}

// over sends the outcome of a grant to whoever waits for it, and takes its memory back.
func (l *grants) over(g *grant) {
	if g.done != nil {
		g.done <- g.head.Reason
	}
	l.free(g.holder)
}

// record begins the record of a grant. False: there is nothing to wait for.
func (l *grants) record(g *grant) bool {
	if len(l.waiting) == mostGrants {
		g.ref, g.err = l.to.Queue(g.head, g.who), errBusy
		return false
	}
	if g.ref, g.err = l.to.Record(g.head, g.who, l.written); g.err != nil {
		return false
	}
	l.waiting = append(l.waiting, *g)
	return true
}

// end ends the wait of a grant whose record has an outcome.
func (l *grants) end(w journaled.Written) (grant, bool) {
	for i := range l.waiting {
		if l.waiting[i].ref == w.Ref {
			return l.remove(i, w.Err), true
		}
	}
	return grant{}, false
}

// late ends the wait of a grant whose time is over, unless its outcome stands in the channel.
func (l *grants) late(now time.Time) (grant, bool) {
	for i := range l.waiting {
		if g := &l.waiting[i]; !now.Before(g.until) && (l.to.Late(g.ref) || len(l.written) == 0) {
			return l.remove(i, errLate), true
		}
	}
	return grant{}, false
}

func (l *grants) remove(i int, err error) grant {
	g := l.waiting[i]
	g.err = err
	n := copy(l.waiting[i:], l.waiting[i+1:])
	clear(l.waiting[i+n:])
	l.waiting = l.waiting[:i+n]
	return g
}
