package device

import (
	"time"

	"gatehouse/device/fault"
)

// Presence turns what a reader sends again and again while a card or code is
// held up into presentations: one for each time that it is. Times are the
// caller's, so that a test can drive it through a day. For one goroutine.
type Presence struct {
	Hold    time.Duration // it is gone when it was not seen for this long
	Confirm time.Duration // a new one must come twice within this; 0: once is enough

	candidate sighting // seen once, waiting for the second time
	held      [heldMax]sighting
}

// heldMax is how many are told apart within one hold. Two fobs on one ring take
// turns; more than four never answer a reader without anti-collision.
const heldMax = 4

// sighting is what was seen, and when last; no Kind means a free place.
type sighting struct {
	what Event
	at   time.Time
}

// See takes what was seen: a CardRead, a CodeRead, a FaultSeen of a card. It reports true when that begins a
// presentation, and fault.Ghost when the one that waited for its second time
// never got it.
func (p *Presence) See(what Event, now time.Time) (bool, fault.Code) {
	found := p.Expire(now)
	for i := range p.held {
		h := &p.held[i]
		if h.what == what && now.Sub(h.at) < p.Hold {
			h.at = now
			return false, found
		}
	}
	if p.Confirm > 0 && p.candidate.what != what {
		if p.Waiting() {
			found = fault.Ghost
		}
		p.candidate = sighting{what, now}
		return false, found
	}
	p.candidate = sighting{}
	p.keep(what, now)
	return true, found
}

// Expire drops one that waited too long for its second time.
func (p *Presence) Expire(now time.Time) fault.Code {
	if !p.Waiting() || now.Sub(p.candidate.at) <= p.Confirm {
		return fault.None
	}
	p.candidate = sighting{}
	return fault.Ghost
}

// Fade forgets what is gone: a raw number is kept no longer than it takes to
// tell one presentation from the next.
func (p *Presence) Fade(now time.Time) {
	for i := range p.held {
		if now.Sub(p.held[i].at) >= p.Hold {
			p.held[i] = sighting{}
		}
	}
}

// Remembers reports whether Fade has something to do, now or later.
func (p *Presence) Remembers() bool { return p.held != [heldMax]sighting{} }

// Waiting reports whether Expire has something to do.
func (p *Presence) Waiting() bool { return p.candidate.what.Kind != 0 }

// Forget drops the one that waits, after the port was opened anew. What is held
// stays so: pulling the cable is no second presentation.
func (p *Presence) Forget() { p.candidate = sighting{} }

// keep puts what was seen in the place of the one not seen for the longest
// time, or in its own.
func (p *Presence) keep(what Event, now time.Time) {
	oldest := &p.held[0]
	for i := range p.held {
		h := &p.held[i]
		if h.what == what {
			oldest = h
			break
		}
		if h.at.Before(oldest.at) {
			oldest = h
		}
	}
	*oldest = sighting{what, now}
}
