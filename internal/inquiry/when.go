package inquiry

import (
	"math"
	"time"

	"gatehouse/internal/evidence"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// When an entry was made is what its clock said, if that was set by a time server or the registry. Else
// it follows from another entry of the same run whose clock was, by CLOCK_BOOTTIME; or it is between the
// entries before and behind that know their time, and not after the query.

// sure reports whether the wall clock of an entry counts as it stands.
func sure(q wire.ClockQuality) bool { return q >= wire.ClockNTP }

// moment is an entry's place in time.
type moment struct {
	sequence uint64
	boot     uint64
	bootTime uint64 // ns
	wall     int64  // ms
	quality  wire.ClockQuality
}

// span is the time within which an entry was made, ms since 1970, both inclusive.
type span struct{ from, to int64 }

// pinned is how far a time that follows from another entry can be off: two seconds for the pin itself,
// and the drift of a crystal, 200 ppm.
func pinned(away time.Duration) int64 { return 2000 + away.Abs().Milliseconds()/5000 }

// by is the span of an entry by another one of its run.
func (m moment) by(pin moment) span {
	away := time.Duration(m.bootTime - pin.bootTime)
	at, off := pin.wall+away.Milliseconds(), pinned(away)
	return span{at - off, at + off}
}

// timeline finds the spans of entries that come in the order of the log. An entry that does not know its
// time waits until one does.
type timeline struct {
	before  moment // the newest that knows its time
	known   bool   // there is one
	waiting []moment
	pins    map[uint64]moment // of runs that had entries which did not know theirs
	found   func(sequence uint64, s span)
}

func newTimeline(found func(uint64, span)) timeline {
	return timeline{pins: map[uint64]moment{}, found: found}
}

// next takes an entry.
func (t *timeline) next(m moment) {
	if !sure(m.quality) {
		t.waiting = append(t.waiting, m)
		return
	}
	if len(t.waiting) > 0 {
		t.settle(&m, m.wall)
	}
	t.before, t.known = m, true
	t.found(m.sequence, span{m.wall, m.wall})
}

// settle finds the spans of all that wait: after is the next entry that knows its time, or the moment of the
// query, and no later than latest.
func (t *timeline) settle(after *moment, latest int64) {
	for _, m := range t.waiting {
		switch {
		case after != nil && after.boot == m.boot:
			t.pins[m.boot] = *after
			t.found(m.sequence, m.by(*after))
		case t.known && t.before.boot == m.boot:
			t.pins[m.boot] = t.before
			t.found(m.sequence, m.by(t.before))
		case t.known:
			t.found(m.sequence, span{min(t.before.wall, latest), latest})
		default:
			t.found(m.sequence, span{math.MinInt64, latest})
		}
	}
	t.waiting = t.waiting[:0]
}

// settleAt settles what waits at the end of the log by the moment of the query.
func (t *timeline) settleAt(f sealed.Fixed) {
	var now *moment
	if sure(f.Clock) {
		now = &moment{boot: f.Boot, bootTime: f.BootTime, wall: f.Wall, quality: f.Clock}
	}
	t.settle(now, f.Latest*1000)
}

// pin is the evidence file's form of an entry that others take their time from.
func (m moment) pin() evidence.Pin {
	return evidence.Pin{Boot: m.boot, BootTime: m.bootTime, Wall: m.wall, Within: uint64(pinned(0)), By: m.quality.String()}
}
