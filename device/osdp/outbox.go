package osdp

import (
	"slices"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// staleAfter is the age at which a card or PIN opens nothing any more: whoever
// held it up may have gone, and somebody else may stand there.
const staleAfter = 2 * time.Second

// outbox hands events to a door without ever waiting for it. What the door has
// no room for waits here, and grows stale. For one goroutine.
type outbox struct {
	source string
	ch     chan<- device.Event
	queue  []posted // oldest first, up to mostWaiting
	lost   bool     // a card or PIN was dropped and nobody told
}

const mostWaiting = 32

type posted struct {
	event device.Event
	at    time.Time
}

func (o *outbox) push(e device.Event, now time.Time) {
	e.Source = o.source
	o.flush(now)
	if len(o.queue) == 0 && o.try(e) {
		return
	}
	if len(o.queue) == mostWaiting {
		o.drop()
	}
	o.queue = append(o.queue, posted{e, now})
}

// flush sends what there is room for.
func (o *outbox) flush(now time.Time) {
	for len(o.queue) > 0 {
		p := &o.queue[0]
		if personal(p.event) && now.Sub(p.at) > staleAfter {
			p.event = device.Event{Kind: device.FaultSeen, Source: o.source, Fault: fault.Stale}
		}
		if !o.try(p.event) {
			return
		}
		o.remove(0)
	}
	if o.lost && o.try(device.Event{Kind: device.FaultSeen, Source: o.source, Fault: fault.Stale}) {
		o.lost = false
	}
}

func (o *outbox) try(e device.Event) bool {
	select {
	case o.ch <- e:
		return true
	default:
		return false
	}
}

// drop makes room: of what only informs the oldest goes first, then the oldest.
func (o *outbox) drop() {
	victim := max(0, slices.IndexFunc(o.queue, func(p posted) bool { return p.event.Kind == device.FaultSeen || personal(p.event) }))
	o.lost = o.lost || personal(o.queue[victim].event)
	o.remove(victim)
}

// remove takes one out: no card stays in memory behind the queue.
func (o *outbox) remove(i int) { o.queue = slices.Delete(o.queue, i, i+1) }

func personal(e device.Event) bool {
	return e.Kind == device.CardRead || e.Kind == device.PINEntered
}

const (
	busFaults  = 10 * time.Second // a fault of the bus is told at most each
	cardFaults = time.Second      // and one of a card
)

// reporter tells the door what happens at one reader: each fault as rarely as it
// has to. For one goroutine.
type reporter struct {
	log     zerolog.Logger
	out     outbox
	lasting map[fault.Code]bool
	told    map[fault.Code]time.Time
}

func newReporter(c ReaderConfig, log zerolog.Logger) *reporter {
	return &reporter{
		log: log.With().Str("reader", c.Source).Logger(), out: outbox{source: c.Source, ch: c.Events, queue: make([]posted, 0, mostWaiting)},
		lasting: map[fault.Code]bool{}, told: map[fault.Code]time.Time{},
	}
}

func (r *reporter) tell(e device.Event, now time.Time) { r.out.push(e, now) }

// fault tells of something that happened, at most once in every while.
func (r *reporter) fault(f fault.Code, every time.Duration, now time.Time) {
	if last, ok := r.told[f]; ok && now.Sub(last) < every {
		return
	}
	r.told[f] = now
	r.log.Warn().Stringer("fault", f).Msg("reader fault")
	r.tell(device.Event{Kind: device.FaultSeen, Fault: f}, now)
}

// holds tells of a fault that lasts when it begins and when it ends.
func (r *reporter) holds(f fault.Code, on bool, now time.Time) {
	if r.lasting[f] == on {
		return
	}
	kind := device.FaultCleared
	if on {
		r.log.Warn().Stringer("fault", f).Msg("reader fault")
		kind = device.FaultSeen
		r.lasting[f] = true
	} else {
		delete(r.lasting, f)
	}
	r.tell(device.Event{Kind: kind, Fault: f, Active: on}, now)
}
