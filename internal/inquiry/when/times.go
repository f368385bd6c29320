package when

import (
	"time"

	"gatehouse/sync/wire/journaled"
)

// Times are the times of some entries of a whole log, as a mandate's answer has them. For one goroutine.
type Times struct {
	wanted []Span
	line   Line
}

// NewTimes knows of no entry yet.
func NewTimes() *Times {
	t := &Times{}
	t.line = NewLine(func(n uint64, s Span) {
		if n != 0 {
			t.wanted[n-1] = s
		}
	})
	return t
}

// Next takes the next entry of the log. One that is wanted gets the next number for Of, from 0.
func (t *Times) Next(g journaled.Glimpse, wanted bool) {
	m := Moment{Boot: g.Boot, BootTime: g.BootTime, Wall: g.Wall, Clock: g.Clock}
	if wanted {
		t.wanted = append(t.wanted, Span{})
		m.Number = uint64(len(t.wanted))
	}
	t.line.Next(m)
}

// End says what is known of the present: now where its clock is good, and in any case that it is not after latest, unix s.
func (t *Times) End(now Moment, latest int64) {
	after := &now
	if !Sure(now.Clock) {
		after = nil
	}
	t.line.Settle(after, min(latest, LastSecond)*1000)
}

// Of is the time of a wanted entry. It counts after End.
func (t *Times) Of(n int) Span { return t.wanted[n] }

// Sure reports whether the entry's clock was good.
func (s Span) Sure() bool { return s.From == s.To }

// Bounds are its times in a zone; earliest is nil where nobody knows.
func (s Span) Bounds(zone *time.Location) (earliest, latest *time.Time) {
	if s.From > 0 {
		earliest = new(time.UnixMilli(s.From).In(zone))
	}
	return earliest, new(time.UnixMilli(s.To).In(zone))
}
