package serialcard

import (
	"time"

	"gatehouse/device"
)

// presence turns the frames of a reader, which come every 50 ms while a card
// is there, into presentations: one for each time that a card is held up.
// Times are the caller's, so that a test can drive it through a day.
type presence struct {
	confirm time.Duration // a new card must come twice within this; 0: once is enough
	hold    time.Duration // a card is gone when it was not seen for this long

	candidate sighting // seen once, waiting for the second time
	held      [heldMax]sighting
}

// heldMax is how many cards are told apart within one hold. Two fobs on one
// ring take turns; more than four never answer a reader without
// anti-collision.
const heldMax = 4

// sighting is a card and when it was last seen; no card means a free place.
type sighting struct {
	card device.Card
	at   time.Time
}

// see takes a good frame. It reports true when that begins a presentation, and
// FaultGhost when the card that waited for its second time never got it.
func (p *presence) see(card device.Card, now time.Time) (bool, device.Fault) {
	fault := p.expire(now)
	for i := range p.held {
		h := &p.held[i]
		if h.card == card && now.Sub(h.at) < p.hold {
			h.at = now
			return false, fault
		}
	}
	if p.confirm > 0 && p.candidate.card != card {
		if p.waiting() {
			fault = device.FaultGhost
		}
		p.candidate = sighting{card, now}
		return false, fault
	}
	p.candidate = sighting{}
	p.keep(card, now)
	return true, fault
}

// expire drops a candidate whose time is over.
func (p *presence) expire(now time.Time) device.Fault {
	if !p.waiting() || now.Sub(p.candidate.at) <= p.confirm {
		return device.FaultNone
	}
	p.candidate = sighting{}
	return device.FaultGhost
}

// fade forgets cards that are gone: a raw number is kept no longer than it takes
// to tell one presentation from the next.
func (p *presence) fade(now time.Time) {
	for i := range p.held {
		if now.Sub(p.held[i].at) >= p.hold {
			p.held[i] = sighting{}
		}
	}
}

// remembers reports whether fade has something to do, now or later.
func (p *presence) remembers() bool { return p.held != [heldMax]sighting{} }

// waiting reports whether expire has something to do.
func (p *presence) waiting() bool { return p.candidate.card.Len() != 0 }

// forget drops the candidate, after the port was opened anew. Cards that are
// held stay so: pulling the cable is no second presentation.
func (p *presence) forget() { p.candidate = sighting{} }

// keep puts the card in the place of the one not seen for the longest time,
// or in its own.
func (p *presence) keep(card device.Card, now time.Time) {
	oldest := &p.held[0]
	for i := range p.held {
		h := &p.held[i]
		if h.card == card {
			oldest = h
			break
		}
		if h.at.Before(oldest.at) {
			oldest = h
		}
	}
	*oldest = sighting{card, now}
}
