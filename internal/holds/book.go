// Package holds keeps spans of a gateway's log from erasing for a week, each on an officer's order: it judges
// the order, and knows what is held.
//
// It refuses to say what is held to anybody but who erases, and to tell case or officer at all: the file has
// neither. Who has the disk finds in it what is held, among spans that nobody ordered and that look the same
// (truth E4). The log is written by package inquiry, before a hold takes effect.
package holds

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/mandate"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// For is how long an order holds.
const For = 7 * 24 * time.Hour

// PerOfficer is how many holds of one officer a gateway has at a time.
const PerOfficer = 10

// Decoys come with one cover in so many, which are some 24 a day (package cover); one decoy in lasting lasts
// longer than an order, as a hold that a mandate prolongs.
const (
	decoyOneIn = 16
	lastingOne = 4
	hour       = 3600 // s
)

// Moment is what is known of the time.
type Moment struct {
	Wall     time.Time     // the likeliest
	Boot     time.Duration // CLOCK_BOOTTIME
	Interval trueclock.Interval
}

// Options of a book. All but Chance are required.
type Options struct {
	Path  string
	Now   func() Moment        // safe for concurrent use; it must not call the book
	Doors []string             // of the gateway, at least one
	Kept  func() time.Duration // how long who parts are kept now; safe for concurrent use

	Chance func(below time.Duration) time.Duration // by which decoys are made; nil: rand.N
}

// Book has the holds of a gateway. Safe for concurrent use; make it with OpenBook.
type Book struct {
	o     Options
	mu    sync.Mutex
	slots slots
	boot  time.Duration // CLOCK_BOOTTIME of the last look
}

// OpenBook reads the book; none is an empty one. With an error, which means that the file is damaged, all is held for as long
// as an order holds: what it held can't be known.
func OpenBook(o Options) (*Book, error) {
	if o.Chance == nil {
		o.Chance = rand.N
	}
	m := o.Now()
	b := &Book{o: o, boot: m.Boot}
	all, err := read(o.Path)
	if err != nil {
		all = slots{newSlot("", 0, 1<<32-1, For, m.Interval)}
	}
	b.slots = all
	return b, err
}

// Held reports whether an entry is kept from erasing. One whose clock was not known to be good may be of any time.
func (b *Book) Held(h wire.Header) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.pass()
	for i := range b.slots {
		if s := &b.slots[i]; s.holds(h) && !s.over(m) {
			return true
		}
	}
	return false
}

// pass lets the time pass since the last look. What ran while the daemon did not is not counted: that makes a
// hold longer, and never shorter.
func (b *Book) pass() Moment {
	m := b.o.Now()
	for i := range b.slots {
		b.slots[i].Ran += max(m.Boot-b.boot, 0)
	}
	b.boot = m.Boot
	return m
}

// Left returns how long an order still holds, at least; 0: it does not, or never did.
func (b *Book) Left(reference wire.ID) (left time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.pass()
	for i := range b.slots {
		if s := &b.slots[i]; s.Order == tag(s.Nonce, reference[:]) {
			left = max(left, s.left(m))
		}
	}
	return left
}

// full says how many holds an officer has, and whether there is no place for another.
func (b *Book) full(officer wire.KeyID) (held int, full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.pass()
	for i := range b.slots {
		if s := &b.slots[i]; !s.over(m) && s.Officer == tag(s.Nonce, officer[:]) {
			held++
		}
	}
	return held, b.place(m) < 0
}

// place returns one of the places that nothing holds; -1: none.
func (b *Book) place(m Moment) int {
	for _, i := range rand.Perm(len(b.slots)) {
		if b.slots[i].over(m) {
			return i
		}
	}
	return -1
}

// Take holds what an order says, in whole hours. An error means that it is not held.
func (b *Book) Take(t Taken) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, o := b.pass(), t.Order
	officer := wire.IDOf(t.Officer.Public[:])
	s := newSlot(o.Door, o.From-o.From%hour, upToHour(o.Until), For, m.Interval)
	s.Order, s.Officer = tag(s.Nonce, o.Reference[:]), tag(s.Nonce, officer[:])
	return b.put(s, m)
}

func upToHour(at uint32) uint32 { return uint32(min((int64(at)+hour-1)/hour*hour, 1<<32-1)) }

// Prolong makes what an officer of the mandate has ordered, and the mandate covers, last until that expires,
// if it would end before. Where there is no place it does not.
func (b *Book) Prolong(m mandates.Mandate, doors []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.pass()
	life := min(time.Duration(int64(m.Expires)-now.Interval.Lo)*time.Second, mandate.LongestValid)
	for _, s := range b.slots {
		officer, ok := s.orderedBy(m)
		if !ok || s.over(now) || !s.within(m.Request, doors) || b.lasts(s, officer, life, now) {
			continue
		}
		longer := newSlot(s.door(), s.From, s.Until, life, now.Interval)
		longer.Officer = tag(longer.Nonce, officer[:])
		if err := b.put(longer, now); err != nil {
			return err
		}
	}
	return nil
}

// lasts reports whether what a slot holds for an officer is held for so long, by it or another.
func (b *Book) lasts(held slot, officer wire.KeyID, life time.Duration, now Moment) bool {
	return slices.ContainsFunc(b.slots[:], func(s slot) bool {
		return s.Door == held.Door && s.From == held.From && s.Until == held.Until && s.Officer == tag(s.Nonce, officer[:]) && s.left(now) >= life-time.Hour
	})
}

// Cover writes the file as if something had been ordered, since its times would tell; and one time in some, puts a
// span into it that nobody ordered.
func (b *Book) Cover() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.pass()
	if b.chance(decoyOneIn) == 0 {
		if err := b.put(b.decoy(now), now); !errors.Is(err, errFull) {
			return err
		}
	}
	return b.write(b.slots)
}

// decoy is a span that nobody ordered: of one of the doors, at some time since, and so young that nothing of it will
// be over before it ends, where who parts are kept for so long. What a resident wants forgotten waits for it, too, so
// none lasts for more than two weeks.
func (b *Book) decoy(now Moment) slot {
	spare := max(b.o.Kept()-For-24*time.Hour, 24*time.Hour) // a file is closed after its last entry, and its age counts from then
	age, life := b.o.Chance(spare), For
	if b.chance(lastingOne) == 0 {
		life += b.o.Chance(max(min(spare-age, For), time.Hour))
	}
	until := uint32(now.Wall.Add(-age).Unix()/hour) * hour
	from := until - uint32(1+b.chance(25))*hour
	return newSlot(b.o.Doors[b.chance(len(b.o.Doors))], from, until, life, now.Interval)
}

// chance draws a number below n.
func (b *Book) chance(n int) int { return int(b.o.Chance(time.Duration(n))) }

// Save writes how long holds have lasted, for the next run.
func (b *Book) Save() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass()
	return b.write(b.slots)
}

// errFull means that every place holds something.
var errFull = errors.New("no place for another hold")

// put writes a slot into a place that nothing holds, drawn so that the order of slots tells no age.
func (b *Book) put(s slot, now Moment) error {
	i := b.place(now)
	if i < 0 {
		return errFull
	}
	next := b.slots
	next[i] = s
	if err := b.write(next); err != nil {
		return err
	}
	b.slots = next
	return nil
}

func (b *Book) write(all slots) error {
	if err := durable.WriteFile(b.o.Path, all.encode(), 0o600); err != nil {
		return fmt.Errorf("keep holds: %w", err)
	}
	return nil
}
