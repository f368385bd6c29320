// Package when finds out when entries of a log were made. That is what an entry's clock said, if that was set by a time
// server or the registry. Else it follows from another entry of the same run whose clock was, by CLOCK_BOOTTIME; or it is
// between the entries before and behind that know their time, and not after the question.
//
// It refuses to guess: what nothing bounds has no earliest time.
package when

import (
	"math"
	"time"

	"gatehouse/sync/wire"
)

// LastSecond is the latest time that RFC 3339 can write in every time zone, unix s: the year 9999 but its last day.
const LastSecond = 253_402_214_399

// Sure reports whether the wall clock of an entry counts as it stands.
func Sure(q wire.ClockQuality) bool { return q >= wire.ClockNTP }

// Moment is an entry's place in time.
type Moment struct {
	Number   uint64 // by which Found knows the entry
	Boot     uint64 // number of the run
	BootTime uint64 // CLOCK_BOOTTIME, ns
	Wall     int64  // ms since 1970
	Clock    wire.ClockQuality
}

// Span is the time within which an entry was made, ms since 1970, both inclusive. From is the smallest number where nobody
// knows.
type Span struct{ From, To int64 }

// Pinned is how far, in ms, a time that follows from another entry can be off: two seconds for the pin itself,
// and the drift of a crystal, 200 ppm.
func Pinned(away time.Duration) int64 { return 2000 + away.Abs().Milliseconds()/5000 }

// by is the span of an entry by another one of its run.
func (m Moment) by(pin Moment) Span {
	away := time.Duration(m.BootTime - pin.BootTime)
	at, off := pin.Wall+away.Milliseconds(), Pinned(away)
	return Span{at - off, at + off}
}

// Line finds the spans of entries that come in the order of the log. An entry that does not know its time waits until one
// does. For one goroutine; make it with NewLine.
type Line struct {
	// Pins are the entries that others of their run, by its number, took their time from.
	Pins map[uint64]Moment

	before  Moment // the newest that knows its time
	known   bool   // there is one
	waiting []Moment
	found   func(number uint64, s Span)
}

// NewLine calls found with the span of each entry, once.
func NewLine(found func(number uint64, s Span)) Line {
	return Line{Pins: map[uint64]Moment{}, found: found}
}

// Next takes an entry.
func (t *Line) Next(m Moment) {
	if !Sure(m.Clock) {
		t.waiting = append(t.waiting, m)
		return
	}
	if len(t.waiting) > 0 {
		t.Settle(&m, m.Wall)
	}
	t.before, t.known = m, true
	t.found(m.Number, Span{m.Wall, m.Wall})
}

// Settle finds the spans of all that wait: after is the next entry that knows its time, or the moment of the
// query, and no later than latest.
func (t *Line) Settle(after *Moment, latest int64) {
	for _, m := range t.waiting {
		switch {
		case after != nil && after.Boot == m.Boot:
			t.Pins[m.Boot] = *after
			t.found(m.Number, m.by(*after))
		case t.known && t.before.Boot == m.Boot:
			t.Pins[m.Boot] = t.before
			t.found(m.Number, m.by(t.before))
		case t.known:
			t.found(m.Number, Span{min(t.before.Wall, latest), latest})
		default:
			t.found(m.Number, Span{math.MinInt64, latest})
		}
	}
	t.waiting = t.waiting[:0]
}
