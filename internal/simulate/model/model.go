// Package model is what people in the building know to be true, kept apart from all
// that the programs think: who lives where, which card is whose, what was said
// at which desk or at the registry, and which machine has heard of it.
package model

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// saying is one fact: what was done to a tenancy, or to one of its cards.
type saying struct {
	what    what
	tenancy *Tenancy
	cards   []int  // numbers of the cards; nil: the tenancy itself
	where   string // the machine at which it was said
}

type what int

const (
	Arrived what = iota // and the card of it
	Bound               // one more card
	Ended
	Suspended
	Resumed
	Reinstated // new grants in the place of ended ones; its cards are those that open again although they had been suspended
)

// stops reports whether a card opens no more by it.
func (s *saying) stops(card int) bool {
	return s.what == Ended || s.what == Suspended && slices.Contains(s.cards, card)
}

// Tenancy is one person in one flat.
type Tenancy struct {
	N      int
	ID     string // as the desk said it
	Flat   string
	Desk   string // gateway where it was made
	PIN    string
	Until  time.Time // true end of the term; zero: none
	Notice time.Time // the landlord's notice ends it then; zero: none
	Doubt  string    // why nothing is demanded of it; empty: it is
	Cards  []*Card
	said   []int // sayings about it, in order
	Robbed bool  // a thief has ended it, and its people go on living there: nothing is demanded until that shows
	Tricks bool  // the landlord alone has done something to it
}

// Card of a tenancy.
type Card struct {
	Number int       // of the world
	Since  time.Time // as the desk says that gave it: a card has another number at each desk
	Until  time.Time // the landlord's replacement stops it then; zero: nothing does
}

// Name is what runs call it.
func (t *Tenancy) Name() string { return fmt.Sprintf("tenant %d of %s", t.N, t.Flat) }

// Over reports whether it is over by true time.
func (t *Tenancy) Over() bool {
	now := time.Now()
	return !t.Until.IsZero() && !now.Before(t.Until) || !t.Notice.IsZero() && !now.Before(t.Notice)
}

// Mind is what one machine has heard of.
type Mind struct {
	Knows   map[int]bool
	Damaged bool // something of it was destroyed
	Keyless bool // a new machine to which no other could send the building's key: it waits for escrow
}

// Clone is a mind that has heard of the same.
func (m *Mind) Clone() *Mind { return &Mind{maps.Clone(m.Knows), m.Damaged, m.Keyless} }

// Model is all of it. It is no more than one goroutine's.
type Model struct {
	Tenancies []*Tenancy
	sayings   []saying
	Minds     map[string]*Mind        // by machine
	Images    map[string]*Mind        // by machine and image
	Lists     map[string]map[int]bool // what a list of the registry says, by its hash
	cards     int
}

// NewModel is that of an empty house, and an issuer that has heard of nothing.
func NewModel() *Model {
	m := &Model{Minds: map[string]*Mind{}, Images: map[string]*Mind{}, Lists: map[string]map[int]bool{}}
	m.Machine("issuer")
	return m
}

// Machine adds a machine that has heard of nothing.
func (m *Model) Machine(name string) { m.Minds[name] = &Mind{Knows: map[int]bool{}} }

// Say adds a fact that a machine has heard of.
func (m *Model) Say(where string, what what, t *Tenancy, cards ...int) {
	m.sayings = append(m.sayings, saying{what, t, cards, where})
	n := len(m.sayings) - 1
	t.said = append(t.said, n)
	m.Minds[where].Knows[n] = true
}

// Tell lets the issuer hear of everything that a gateway can still say. Of a tenancy that is over no list
// has the cards, so nobody but the issuer's own database knows which of them the registry had suspended.
func (m *Model) Tell(from string) {
	known := m.Minds[from].Knows
	for n := range known {
		s := &m.sayings[n]
		over := func(later int) bool { return later > n && known[later] && m.sayings[later].what == Ended }
		if s.what == Suspended && s.where == "issuer" && slices.ContainsFunc(s.tenancy.said, over) {
			continue
		}
		m.Minds["issuer"].Knows[n] = true
	}
}

// Reinstate is the registry's word that a tenancy has new grants. A suspension that its database does not
// know any more, since it was put back, ends by that.
func (m *Model) Reinstate(t *Tenancy) {
	var again []int
	for _, c := range t.Cards {
		known, forgotten := false, false
		for _, n := range t.said {
			switch s := &m.sayings[n]; {
			case s.what == Suspended && s.stops(c.Number):
				lost := s.where == "issuer" && !m.Minds["issuer"].Knows[n]
				known, forgotten = known || !lost, forgotten || lost
			case s.what == Resumed && slices.Contains(s.cards, c.Number):
				known, forgotten = false, false
			}
		}
		if forgotten && !known {
			again = append(again, c.Number)
		}
	}
	m.Say("issuer", Reinstated, t, again...)
}

// Hear lets one machine hear of everything that another, or a list, knows.
func (m *Model) Hear(who string, of map[int]bool) {
	for n := range of {
		m.Minds[who].Knows[n] = true
	}
}

// NewCard returns a new card.
func (m *Model) NewCard() *Card {
	m.cards++
	return &Card{Number: m.cards}
}

// Stopped reports whether a machine has heard that a card of a tenancy opens no
// more, and nothing later that names it.
func (m *Model) Stopped(machine string, t *Tenancy, card int) bool {
	return m.stop(t, card, m.Minds[machine].Knows)
}

// Lives reports whether a tenancy lives, as far as anybody ever heard.
func (m *Model) Lives(t *Tenancy) bool { return !m.EndedByAnyone(t) && !t.Over() }

// EndedByAnyone reports whether anybody ever heard that a tenancy is ended.
func (m *Model) EndedByAnyone(t *Tenancy) bool {
	over := false
	for _, n := range t.said {
		switch m.sayings[n].what {
		case Ended:
			over = true
		case Reinstated:
			over = false
		}
	}
	return over
}

// StoppedByAnyone is the same as stopped for what anybody ever heard.
func (m *Model) StoppedByAnyone(t *Tenancy, card int) bool {
	if m.EndedByAnyone(t) {
		return true
	}
	for _, n := range t.said {
		if s := &m.sayings[n]; s.what != Ended && s.stops(card) {
			return true
		}
	}
	return false
}

// HasAgain reports whether a machine has heard of the last act that brought a
// tenancy back, if there was one.
func (m *Model) HasAgain(machine string, t *Tenancy) bool {
	for _, n := range slices.Backward(t.said) {
		if m.sayings[n].what == Reinstated {
			return m.Minds[machine].Knows[n]
		}
	}
	return true
}

func (m *Model) stop(t *Tenancy, card int, known map[int]bool) bool {
	out, over := false, false
	for _, n := range t.said {
		switch s := &m.sayings[n]; {
		case s.what == Resumed && slices.Contains(s.cards, card):
			out = false // wherever it was said: it names the card
		case s.what == Reinstated:
			over, out = false, out && !slices.Contains(s.cards, card) // wherever that was
		case !known[n]:
		case s.what == Ended:
			over = true
		case s.stops(card):
			out = true
		}
	}
	return out || over
}

// Has reports whether a machine has heard that a card is a tenancy's.
func (m *Model) Has(machine string, t *Tenancy, card int) bool {
	for _, n := range t.said {
		s := &m.sayings[n]
		if m.Minds[machine].Knows[n] && (s.what == Arrived || s.what == Bound) && slices.Contains(s.cards, card) {
			return true
		}
	}
	return false
}

// CardsAt are the cards of a tenancy that a machine has heard of.
func (m *Model) CardsAt(machine string, t *Tenancy) (all []int) {
	for _, c := range t.Cards {
		if m.Has(machine, t, c.Number) {
			all = append(all, c.Number)
		}
	}
	return all
}

// Holders are the tenancies that a card was given to.
func (m *Model) Holders(card int) (all []*Tenancy) {
	for _, t := range m.Tenancies {
		for _, c := range t.Cards {
			if c.Number == card {
				all = append(all, t)
			}
		}
	}
	return all
}

// Forget ends the demands on facts that no machine knows any more.
func (m *Model) Forget() {
	for n, s := range m.sayings {
		known := false
		for _, mind := range m.Minds {
			known = known || mind.Knows[n]
		}
		if !known && s.tenancy.Doubt == "" {
			s.tenancy.Doubt = "nobody who heard of it is left"
		}
	}
}
