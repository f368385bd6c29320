package osdp

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
)

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
		log: log.With().Str("reader", c.Source).Logger(), out: outbox{source: c.Source, ch: c.Events},
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
