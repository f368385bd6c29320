// Package adopt keeps unknown cards for a landlord who takes over a house, until somebody says
// whose they are. Being kept opens nothing.
//
// While the old controller still decides at the doors, the people who hold up cards are residents
// coming home: only the number of days on which a card was seen is kept, up to three, and nothing
// of when or where (refusals N2 and N4).
package adopt

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/amount"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/keyring/files"
	"gatehouse/sync/wire"
)

// Name is the file of the list.
const Name = "adopt.json"

// Limits of the list.
const (
	maxCards = 500 // further cards are not kept
	maxHeard = 2000
	maxDays  = 60
	// MostSeen is the most days that are counted of a card while the old controller decides.
	// Nothing more is kept of it after that: a number that goes on growing would show who is away.
	MostSeen = 3
	// keptAfter is how long cards wait for the switch over once learning is over, s.
	keptAfter = 14 * 24 * 60 * 60
)

// Card is an unknown card, as it stands in the file.
type Card struct {
	Credentials []wire.CredentialID `json:"credentials"` // as it was read, then its derived forms
	Bits        int                 `json:"bits"`
	Lengths     []int               `json:"lengths"`       // of each form, in bits
	Holds       []int               `json:"holds"`         // bits of the card's number in each form; 0: unknown
	Kin         []wire.CredentialID `json:"kin,omitempty"` // Kin of the forms
	Door        string              `json:"door"`          // where it was seen last
	Source      string              `json:"source"`        // at which reader
	First       int64               `json:"first"`         // unix s
	Last        int64               `json:"last"`          // likewise
	Count       uint64              `json:"count"`

	// Days and Today replace the five fields above for a card that was heard while the old
	// controller decides: the number of days before the list's day on which it was seen, up to
	// MostSeen, and whether it was seen on that day, too.
	Days  int  `json:"days,omitempty"`
	Today bool `json:"today,omitempty"`
}

// Options of a List. The calls into the keyring wait for no disk.
type Options struct {
	Dir      *files.Dir
	Now      func() time.Time   // the wall clock, in the zone whose midnight begins a day
	Shapes   []cardnumber.Shape // of the readers here; none: the usual ones
	Identify func([]device.Card) ([]wire.CredentialID, error)
	Knows    func(wire.CredentialID) bool // reports whether the active grants name the card
}

// List is the list of unknown cards. It is safe for concurrent use: a door that notices a card
// waits for no disk, and nothing here waits for the keyring.
type List struct {
	o Options

	disk  sync.Mutex // one save at a time; taken before mu
	mu    sync.Mutex // guards the rest, and is held for no disk
	rows  rows
	dirty bool
}

// Read reads the list from the directory.
func Read(o Options) *List {
	l := &List{o: o}
	o.Dir.Read(Name, &l.rows)
	return l
}

// rows are the list as it stands in its file.
type rows struct {
	Until int64  `json:"until"` // unix s; 0: off
	Cards []Card `json:"cards"`

	Listening bool   `json:"listening,omitempty"` // the old controller decides
	Day       string `json:"day,omitempty"`       // the day of Card.Today
}

// over reports whether the cards are due to be dropped at a time.
func (r rows) over(now int64) bool {
	if r.Listening {
		return now >= r.Until+keptAfter
	}
	return now >= r.Until
}

// turn begins a day: the day before counts from now on, for all cards at once.
func (r *rows) turn(day string) bool {
	if r.Day == day {
		return false
	}
	r.Day = day
	cards := slices.Clone(r.Cards) // readers may hold the old slice
	for i := range cards {
		if c := &cards[i]; c.Today {
			c.Days, c.Today = min(c.Days+1, MostSeen), false
		}
	}
	r.Cards = cards
	return true
}

// Set keeps unknown cards for so many days from now (at most 60); 0 stops
// it and erases them. Days are counted by Options.Now.
func (l *List) Set(days int) error {
	if days < 0 || days > maxDays {
		return fmt.Errorf("adopt for %s: want 0 to %d", amount.Of(days, "day"), maxDays)
	}
	l.mu.Lock()
	if days == 0 {
		l.rows, l.dirty = rows{}, false
	} else {
		l.rows.Until = l.now() + int64(days)*24*60*60
	}
	l.mu.Unlock()
	return l.write()
}

// Settle keeps the list for cards that are heard until a time, and for two weeks more; the zero
// time is that of a house that decides itself. Cards that were kept for the other purpose are
// dropped.
func (l *List) Settle(until time.Time) error {
	l.mu.Lock()
	switch {
	case until.IsZero() && l.rows.Listening:
		l.rows = rows{}
	case until.IsZero(), l.rows.Listening && l.rows.Until == until.Unix():
		l.mu.Unlock()
		return nil
	case l.rows.Listening:
		l.rows.Until = until.Unix()
	default:
		l.rows = rows{Until: until.Unix(), Listening: true, Day: l.today()}
	}
	l.mu.Unlock()
	return l.write()
}

// Hear counts that a card was seen today, while the old controller decides. It waits for no disk.
func (l *List) Hear(card device.Card) {
	seen, err := l.formsOf(card)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.rows.Listening || l.now() >= l.rows.Until || l.o.Knows(seen.Credentials[0]) {
		return
	}
	l.dirty = l.rows.turn(l.today()) || l.dirty
	i := slices.IndexFunc(l.rows.Cards, func(r Card) bool { return r.Credentials[0] == seen.Credentials[0] })
	switch {
	case i < 0 && len(l.rows.Cards) >= maxHeard:
		return
	case i < 0:
		seen.Today = true
		l.rows.Cards = append(l.rows.Cards, seen)
	case l.rows.Cards[i].Today || l.rows.Cards[i].Days >= MostSeen:
		return
	default:
		l.rows.Cards[i].Today = true
	}
	l.dirty = true
}

// Heard returns until when cards are learned (zero: they are not), and the cards with a day that is
// over, ordered by name: repeated calls show once a day which cards were seen, and never when.
func (l *List) Heard() (until time.Time, cards []Card) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.rows.Listening || l.rows.over(l.now()) {
		return time.Time{}, nil
	}
	l.dirty = l.rows.turn(l.today()) || l.dirty
	for _, c := range l.rows.Cards {
		if c.Days > 0 {
			c.Today = false
			cards = append(cards, c)
		}
	}
	slices.SortFunc(cards, func(a, b Card) int { return bytes.Compare(a.Credentials[0][:], b.Credentials[0][:]) })
	return time.Unix(l.rows.Until, 0), cards
}

// Notice keeps an unknown card in memory if adopt mode is on; Tend writes it. It waits for no disk,
// so a door may call it. The caller says that the door did not know the card.
func (l *List) Notice(card device.Card, door, source string) {
	seen, err := l.formsOf(card)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.rows.Listening || now >= l.rows.Until || l.o.Knows(seen.Credentials[0]) {
		return
	}
	i := slices.IndexFunc(l.rows.Cards, func(r Card) bool { return r.Credentials[0] == seen.Credentials[0] })
	if i < 0 && len(l.rows.Cards) >= maxCards {
		return
	}
	if i < 0 {
		seen.First = now
		i, l.rows.Cards = len(l.rows.Cards), append(l.rows.Cards, seen)
	}
	kept := &l.rows.Cards[i]
	kept.Door, kept.Source, kept.Last, kept.Count = door, source, now, kept.Count+1
	l.dirty = true
}

// formsOf returns a card in the forms that readers here send. It is unknown whose it is, so it
// claims no other forms.
func (l *List) formsOf(card device.Card) (Card, error) {
	shapes := l.o.Shapes
	if len(shapes) == 0 {
		shapes = cardnumber.DerivedShapes()
	}
	forms := cardnumber.DeriveFor(card, shapes)
	ids, err := l.o.Identify(cardnumber.Cards(forms))
	if err != nil {
		return Card{}, err
	}
	r := Card{Bits: card.Len(), Credentials: ids}
	for _, f := range forms {
		r.Lengths, r.Holds = append(r.Lengths, f.Card.Len()), append(r.Holds, f.Bits)
	}
	n, _ := cardnumber.Of(card)
	r.Kin, err = l.o.Identify(n.Kin(forms))
	return r, err
}

// All returns until when unknown cards are kept (zero: they are not), and the kept cards, the one
// seen last first.
func (l *List) All() (until time.Time, cards []Card) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rows.Listening || l.now() >= l.rows.Until {
		return time.Time{}, nil
	}
	cards = slices.Clone(l.rows.Cards) // of each, what is shared never changes
	slices.SortStableFunc(cards, func(a, b Card) int { return -cmp.Compare(a.Last, b.Last) })
	return time.Unix(l.rows.Until, 0), cards
}

// ForgetBound erases the cards that the active grants now name, in the form in which they were
// read.
func (l *List) ForgetBound() {
	l.mu.Lock()
	before := len(l.rows.Cards)
	l.rows.Cards = slices.DeleteFunc(l.rows.Cards, func(r Card) bool {
		return len(r.Credentials) == 0 || l.o.Knows(r.Credentials[0])
	})
	changed := len(l.rows.Cards) != before
	l.dirty = l.dirty || changed
	l.mu.Unlock()
	if changed {
		l.Tend()
	}
}

// Tend erases the list when its time is over and writes what changed.
func (l *List) Tend() {
	l.mu.Lock()
	switch {
	case l.rows.Until != 0 && l.rows.over(l.now()):
		l.rows, l.dirty = rows{Listening: l.rows.Listening}, l.rows.Until != 0 || l.dirty
	case l.rows.Listening:
		l.dirty = l.rows.turn(l.today()) || l.dirty
	}
	dirty := l.dirty
	l.mu.Unlock()
	if !dirty {
		return
	}
	if err := l.write(); err != nil {
		l.o.Dir.Log.Error().Err(err).Msg("adopt list can't be written")
	}
}

// write writes a copy, so that no door waits for the disk.
func (l *List) write() error {
	l.disk.Lock()
	defer l.disk.Unlock()
	l.mu.Lock()
	now := l.rows
	now.Cards = slices.Clone(now.Cards)
	l.dirty = false
	l.mu.Unlock()
	err := l.o.Dir.Save(Name, now)
	if err != nil {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
	}
	return err
}

func (l *List) now() int64 { return l.o.Now().Unix() }

func (l *List) today() string { return l.o.Now().Format(time.DateOnly) }
