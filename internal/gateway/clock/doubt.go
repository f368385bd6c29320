package clock

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
)

// Consequences of an untrusted clock, and what visitors need.
const (
	residentsStay = "nobody who lives here ends by it"
	byHand        = "If the time shown is right, gatehouse clock confirm makes it count for visitors and for the desk"
)

// Doubt returns why the time is not trusted, what follows and what to do, with times in a zone; empty
// when it is trusted.
func (c *Clock) Doubt(zone *time.Location) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.readLocked()
	if r.Trusted {
		return ""
	}
	says := c.known.Says(r.Boot)
	var all []string
	counting, latest := 0, int64(0)
	known := max(r.Interval.Sure, c.floor())
	for _, s := range says {
		word := fmt.Sprintf("%s %s", s.Source, minute(s.Unix, zone))
		if !s.Counts {
			word += " (does not count: it is before what is known, or against several others)"
		} else {
			counting, latest = counting+1, max(latest, s.Unix)
		}
		all = append(all, word)
	}
	switch {
	case len(says) == 0 && c.quality < wire.ClockRTC:
		return "the clock is not set: " + residentsStay + ", visitors with an end are not let in. Connect a time server or a battery clock. " + byHand
	case counting == 0, counting == 1 && time.Duration(known-latest)*time.Second > near:
		known := fmt.Sprintf("it is %s or later", minute(known, zone))
		return fmt.Sprintf("nothing tells a time that can be right (%s): %s, visitors with an end are not let in. Set the clock, or mend the time server. %s",
			strings.Join(append(all, known), "; "), residentsStay, byHand)
	case counting == 1:
		return fmt.Sprintf("only one source tells the time, and it is far from the last time known (%s; %s): residents end by it %s, visitors whose time began meanwhile wait. %s",
			minute(known, zone), strings.Join(all, ", "), c.inADay(), byHand)
	}
	return fmt.Sprintf("the clocks differ: %s. Residents go by the earliest, visitors are let in where all agree. Mend the one that is wrong. %s",
		strings.Join(all, ", "), byHand)
}

// inADay says from when a later time counts for residents.
func (c *Clock) inADay() string {
	_, left := c.known.Waits()
	return fmt.Sprintf("when it has said so for a day (%s more)", amount.Span(max(left, time.Minute)))
}

func minute(unix int64, zone *time.Location) string {
	if unix < trueclock.Earliest {
		return "not known"
	}
	return calendar.Minute(time.Unix(unix, 0), zone)
}
