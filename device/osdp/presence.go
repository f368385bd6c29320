package osdp

import (
	"time"

	"gatehouse/device/fault"
)

const (
	offlineAfter = 8 * time.Second        // of silence (SIA OSDP)
	busyPause    = 250 * time.Millisecond // pause after BUSY
	firstBackoff = 250 * time.Millisecond // doubles up to the most
	mostBackoff  = 8 * time.Second
	lostAttempts = 4 // in a row without use, after which the reader is offline
	settled      = 2 * time.Second
	atOnce       = 2 // repetitions for a reader that was there: a late answer spoils the first
)

// standing is the state of a reader that the door was told.
type standing uint8

const (
	unknown standing = iota
	offline
	online
)

// presence tracks whether a reader answers, and whether it can be used. For one goroutine.
type presence struct {
	standing standing
	cause    fault.Code // of being offline

	polled      time.Time // when a POLL was last answered
	missed      int       // missed answers in a row
	missedSince time.Time
	zeros       int       // replies with number 0 among those, in a row
	busySince   time.Time // zero: it did not say BUSY
	absent      bool      // silent for so long that it is only probed
	probes      int
	failures    int // failed attempts in a row
}

func (p *presence) answered() { p.missed, p.absent = 0, false }

// ready notes a reply to what was asked.
func (p *presence) ready() {
	p.answered()
	p.zeros, p.busySince = 0, time.Time{}
}

// busy handles BUSY; true: the reader has said nothing else for too long.
func (p *presence) busy(now time.Time) (tooLong bool) {
	p.answered()
	if p.busySince.IsZero() {
		p.busySince = now
	}
	if tooLong = now.Sub(p.busySince) > offlineAfter; tooLong {
		p.busySince = time.Time{}
	}
	return tooLong
}

// miss counts a command without a good reply.
func (p *presence) miss(got answer, now time.Time) {
	if p.missed++; p.missed == 1 {
		p.missedSince = now
	}
	if p.zeros++; got != restart {
		p.zeros = 0
	}
}

// silent reports whether the reader was asked more than once, and was silent for so long that it is
// absent.
func (p *presence) silent(now time.Time) bool {
	return p.missed >= 2 && now.Sub(p.missedSince) >= offlineAfter
}

// doubtful reports whether the reader shares the line's time for those that do not answer.
func (p *presence) doubtful() bool { return p.absent || p.missed > atOnce }

// timeout returns how long the reader may take to reply. An absent reader costs the others, if
// there are any, as little as possible; every fourth probe waits for as long as the standard
// allows.
func (p *presence) timeout(others bool) time.Duration {
	if !p.absent || !others {
		return replyTime
	}
	if p.probes++; p.probes%4 == 0 {
		return replyTime
	}
	return probeTime
}

// backoff counts a failed attempt and returns when to try again: at once the first time, then ever
// later. lost: the reader was of no use for a while.
func (p *presence) backoff(now time.Time) (due time.Time, lost bool) {
	p.failures++
	due = now
	if p.failures > 1 {
		due = now.Add(min(firstBackoff<<min(p.failures-2, 8), mostBackoff))
	}
	return due, p.failures >= lostAttempts || p.standing == online && now.Sub(p.polled) > offlineAfter
}
