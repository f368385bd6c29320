package simulate

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The model is what people in the building know to be true, kept apart from all
// that the programs think: who lives where, which card is whose, what was said
// at which desk or at the registry, and which machine has heard of it.

// saying is one fact: what was done to a tenancy, or to one of its cards.
type saying struct {
	what    what
	tenancy *tenancy
	cards   []int // numbers of the cards; nil: the tenancy itself
}

type what int

const (
	arrived what = iota // and the card of it
	bound               // one more card
	ended
	suspended
	resumed
	reinstated // new grants in the place of ended ones
)

// stops reports whether a card opens no more by it.
func (s *saying) stops(card int) bool {
	return s.what == ended || s.what == suspended && slices.Contains(s.cards, card)
}

// tenancy is one person in one flat.
type tenancy struct {
	n      int
	id     string // as the desk said it
	flat   string
	desk   string // gateway where it was made
	pin    string
	until  time.Time // true end of the term; zero: none
	notice time.Time // the landlord's notice ends it then; zero: none
	doubt  string    // why nothing is demanded of it; empty: it is
	cards  []*card
	said   []int // sayings about it, in order
	robbed bool  // a thief has ended it, and its people go on living there: nothing is demanded until that shows
	tricks bool  // the landlord alone has done something to it
}

// card of a tenancy.
type card struct {
	number int       // of the world
	since  time.Time // as the desk says that gave it: a card has another number at each desk
	until  time.Time // the landlord's replacement stops it then; zero: nothing does
}

func (t *tenancy) name() string { return fmt.Sprintf("tenant %d of %s", t.n, t.flat) }

// over reports whether it is over by true time.
func (t *tenancy) over() bool {
	now := time.Now()
	return !t.until.IsZero() && !now.Before(t.until) || !t.notice.IsZero() && !now.Before(t.notice)
}

// mind is what one machine has heard of.
type mind struct {
	knows   map[int]bool
	damaged bool // something of it was destroyed
}

func (m *mind) clone() *mind { return &mind{maps.Clone(m.knows), m.damaged} }

// noted is an entry that was seen.
type noted struct {
	kind, why string
	seen      time.Duration
}

type model struct {
	tenancies []*tenancy
	sayings   []saying
	minds     map[string]*mind        // by machine
	images    map[string]*mind        // by machine and image
	lists     map[string]map[int]bool // what a list of the registry says, by its hash
	cards     int
	entries   map[string]map[spot]noted // by gateway: entries that were seen there
	losses    []loss
}

func newModel() *model {
	m := &model{minds: map[string]*mind{}, images: map[string]*mind{}, lists: map[string]map[int]bool{},
		entries: map[string]map[spot]noted{}}
	m.machine("issuer")
	return m
}

func (m *model) machine(name string) {
	m.minds[name] = &mind{knows: map[int]bool{}}
	m.entries[name] = map[spot]noted{}
}

// say adds a fact that a machine has heard of.
func (m *model) say(where string, what what, t *tenancy, cards ...int) {
	m.sayings = append(m.sayings, saying{what, t, cards})
	n := len(m.sayings) - 1
	t.said = append(t.said, n)
	m.minds[where].knows[n] = true
}

// hear lets one machine hear of everything that another, or a list, knows.
func (m *model) hear(who string, of map[int]bool) {
	for n := range of {
		m.minds[who].knows[n] = true
	}
}

// card returns a new card.
func (m *model) card() *card {
	m.cards++
	return &card{number: m.cards}
}

// stopped reports whether a machine has heard that a card of a tenancy opens no
// more, and nothing later that names it.
func (m *model) stopped(machine string, t *tenancy, card int) bool {
	return m.stop(t, card, m.minds[machine].knows)
}

// lives reports whether a tenancy lives, as far as anybody ever heard.
func (m *model) lives(t *tenancy) bool { return !m.endedByAnyone(t) && !t.over() }

func (m *model) endedByAnyone(t *tenancy) bool {
	over := false
	for _, n := range t.said {
		switch m.sayings[n].what {
		case ended:
			over = true
		case reinstated:
			over = false
		}
	}
	return over
}

// stoppedByAnyone is the same as stopped for what anybody ever heard.
func (m *model) stoppedByAnyone(t *tenancy, card int) bool {
	if m.endedByAnyone(t) {
		return true
	}
	for _, n := range t.said {
		if s := &m.sayings[n]; s.what != ended && s.stops(card) {
			return true
		}
	}
	return false
}

// hasAgain reports whether a machine has heard of the last act that brought a
// tenancy back, if there was one.
func (m *model) hasAgain(machine string, t *tenancy) bool {
	for _, n := range slices.Backward(t.said) {
		if m.sayings[n].what == reinstated {
			return m.minds[machine].knows[n]
		}
	}
	return true
}

func (m *model) stop(t *tenancy, card int, known map[int]bool) bool {
	out, over := false, false
	for _, n := range t.said {
		switch s := &m.sayings[n]; {
		case s.what == resumed && slices.Contains(s.cards, card):
			out = false // wherever it was said: it names the card
		case s.what == reinstated:
			over = false // wherever that was
		case !known[n]:
		case s.what == ended:
			over = true
		case s.stops(card):
			out = true
		}
	}
	return out || over
}

// has reports whether a machine has heard that a card is a tenancy's.
func (m *model) has(machine string, t *tenancy, card int) bool {
	for _, n := range t.said {
		s := &m.sayings[n]
		if m.minds[machine].knows[n] && (s.what == arrived || s.what == bound) && slices.Contains(s.cards, card) {
			return true
		}
	}
	return false
}

// cardsAt are the cards of a tenancy that a machine has heard of.
func (m *model) cardsAt(machine string, t *tenancy) (all []int) {
	for _, c := range t.cards {
		if m.has(machine, t, c.number) {
			all = append(all, c.number)
		}
	}
	return all
}

// holders are the tenancies that a card was given to.
func (m *model) holders(card int) (all []*tenancy) {
	for _, t := range m.tenancies {
		for _, c := range t.cards {
			if c.number == card {
				all = append(all, t)
			}
		}
	}
	return all
}

// forget ends the demands on facts that no machine knows any more.
func (m *model) forget() {
	for n, s := range m.sayings {
		known := false
		for _, mind := range m.minds {
			known = known || mind.knows[n]
		}
		if !known && s.tenancy.doubt == "" {
			s.tenancy.doubt = "nobody who heard of it is left"
		}
	}
}
