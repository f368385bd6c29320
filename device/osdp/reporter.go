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

const (
	busFaults   = 10 * time.Second // a fault of the bus is reported at most this often
	cardFaults  = time.Second      // a fault of a card, likewise
	mostWaiting = 32               // events
)

// reporter reports to the door what happens at one reader: each fault as rarely as possible, and
// without ever waiting for the door. Events that the door's queue can't take wait here, and grow
// stale. For one goroutine.
type reporter struct {
	log     zerolog.Logger
	source  string
	ch      chan<- device.Event
	lasting map[fault.Code]bool
	told    map[fault.Code]time.Time
	queue   []posted // oldest first, up to mostWaiting
	lost    bool     // a card or PIN was dropped, which is not reported yet
}

type posted struct {
	event device.Event
	at    time.Time
}

func newReporter(c ReaderConfig, log zerolog.Logger) *reporter {
	return &reporter{
		log: log.With().Str("reader", c.Source).Logger(), source: c.Source, ch: c.Events, queue: make([]posted, 0, mostWaiting),
		lasting: map[fault.Code]bool{}, told: map[fault.Code]time.Time{},
	}
}

func (r *reporter) tell(e device.Event, now time.Time) {
	e.Source = r.source
	r.flush(now)
	if len(r.queue) == 0 && r.try(e) {
		return
	}
	if len(r.queue) == mostWaiting {
		r.drop()
	}
	r.queue = append(r.queue, posted{e, now})
}

// flush sends as many events as the door's queue takes.
func (r *reporter) flush(now time.Time) {
	for len(r.queue) > 0 {
		p := &r.queue[0]
		if personal(p.event) && now.Sub(p.at) > staleAfter {
			p.event = device.Event{Kind: device.FaultSeen, Source: r.source, Fault: fault.Stale}
		}
		if !r.try(p.event) {
			return
		}
		r.remove(0)
	}
	if r.lost && r.try(device.Event{Kind: device.FaultSeen, Source: r.source, Fault: fault.Stale}) {
		r.lost = false
	}
}

func (r *reporter) try(e device.Event) bool {
	select {
	case r.ch <- e:
		return true
	default:
		return false
	}
}

// drop frees a place: the oldest event that only informs goes first, then the oldest.
func (r *reporter) drop() {
	victim := max(0, slices.IndexFunc(r.queue, func(p posted) bool { return p.event.Kind == device.FaultSeen || personal(p.event) }))
	r.lost = r.lost || personal(r.queue[victim].event)
	r.remove(victim)
}

// remove deletes an event; no card stays in memory behind the queue.
func (r *reporter) remove(i int) { r.queue = slices.Delete(r.queue, i, i+1) }

func personal(e device.Event) bool {
	return e.Kind == device.CardRead || e.Kind == device.PINEntered
}

// fault reports a momentary fault, at most once in every while.
func (r *reporter) fault(f fault.Code, every time.Duration, now time.Time) {
	if last, ok := r.told[f]; ok && now.Sub(last) < every {
		return
	}
	r.told[f] = now
	r.log.Warn().Stringer("fault", f).Msg("reader fault")
	r.tell(device.Event{Kind: device.FaultSeen, Fault: f}, now)
}

// holds reports a lasting fault when it begins and when it ends.
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
