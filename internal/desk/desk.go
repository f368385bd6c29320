// Package desk keeps the tenancies of a gateway in an enrolled house: check-in,
// check-out, lost cards. What happens at the desk is in force at once, with the
// registry away too: a signed record goes to the keyring, its entry to the
// journal, and both wait until the registry has them.
//
// It refuses to keep a name, a document's number or a card's number: these are
// sealed to the registry's records key before anything is written. It refuses a
// landlord alone what would lock a tenant out: ending a tenancy at once, or
// stopping the last card without another in its place. Arrears of rent and
// permits are no causes.
//
// The folder holds tenancies.json, rewritten whole: flat, label, term, notice,
// a salted hash of the PIN, and which credentials are one card.
package desk

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Journal takes the entries; *journal.Journal is one.
type Journal interface {
	Append(context.Context, wire.Header, wire.Who) (wire.Ref, error)
	Queue(wire.Header, wire.Who) wire.Ref
}

// Time is what is known of it.
type Time struct {
	Now     int64 // unix s: the likeliest
	Sure    int64 // unix s: has certainly come
	Latest  int64 // unix s: it is not later; math.MaxInt64 where nobody can tell
	Trusted bool
	Quality wire.ClockQuality
}

// Parts are what a Desk works with; all are needed.
type Parts struct {
	Dir     string // of the grants; tenancies.json is made in it
	Keyring *keyring.Keyring
	Journal Journal
	Key     ed25519.PrivateKey // of the gateway; nil: nothing can be signed, so every change is refused
	Clock   func() Time
	Log     zerolog.Logger
}

// Desk is safe for concurrent use. Make it with New; Run does its upkeep.
type Desk struct {
	p        Parts
	told     chan sighting
	notices  atomic.Pointer[map[wire.ID]bool]                   // tenancies on notice, for the doors
	pins     atomic.Pointer[map[wire.ID]*pin]                   // copies, likewise
	stops    atomic.Pointer[map[wire.CredentialID]*atomic.Bool] // cards that are to stop on the landlord's word; true: a door took it
	unproven atomic.Pointer[map[wire.CredentialID]bool]         // cards that came on the landlord's word
	soon     chan struct{}                                      // something was heard that asks for an answer
	doors    doorPINs

	mu        lock // guards all below, and the file
	book      book
	session   *session
	pauses    map[wire.ID]time.Time // no PIN is taken before
	lastTold  map[toldAt]time.Time
	decided   map[wire.ID]decision // by tenancy; of those that are not in it undecided
	undecided decision
	barred    map[wire.CredentialID]bool // cards that the registry has suspended besides a desk
	queued    map[wire.ID]bool           // records whose entry this run has queued, durable or not
}

// New reads the folder. A damaged file is set aside and counts as empty: what
// is in force is the keyring's business. It starts nothing.
func New(p Parts) (*Desk, error) {
	if p.Dir == "" || p.Keyring == nil || p.Journal == nil || p.Clock == nil {
		return nil, errors.New("open desk: a folder, keyring, journal and clock are needed")
	}
	d := &Desk{p: p, mu: make(lock, 1), told: make(chan sighting, toldQueued), soon: make(chan struct{}, 1), pauses: map[wire.ID]time.Time{},
		lastTold: map[toldAt]time.Time{}, queued: map[wire.ID]bool{}, doors: doorPINs{wrong: map[typist]wrongPINs{}}}
	d.book.Format = bookFormat
	fresh := d.load()
	d.catchUp()
	d.publish()
	if fresh {
		_ = d.save() // told; where it is missing later, somebody has deleted it
	}
	return d, nil
}

// upkeepEvery is how often Run looks after sessions, entries and old tenancies.
const upkeepEvery = time.Minute

// saveEvery is after how many of these the days that cards still open are
// written. What a restart loses of them makes a notice longer.
const saveEvery = 60

// Run enters records whose entry a crash has cost, writes down who was told of
// a notice, stops cards that the landlord wanted stopped and nobody has used, ends
// sessions that nobody uses and forgets tenancies that are long over. It returns nil when ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	d.upkeep(ctx)
	last := time.Now()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			d.end()
			return nil
		case s := <-d.told:
			d.tell(s)
		case <-d.soon:
			d.countStops(ctx, 0)
		case <-tick.C:
			now := time.Now()
			d.countStops(ctx, now.Sub(last))
			d.expire()
			d.upkeep(ctx)
			if last, n = now, n+1; n%saveEvery == 0 {
				d.saveStops()
			}
		}
	}
}

func (d *Desk) upkeep(ctx context.Context) {
	d.mendLines()
	d.enterMissing(ctx)
	d.tidy()
}

// Refusal is an answer that the person at the desk can act on. It never holds
// a name or a number.
type Refusal struct {
	Message string
	Hint    string // what to do; may be empty
	Busy    bool   // somebody else is at the desk
}

func (r *Refusal) Error() string { return r.Message }

func refuse(hint, format string, args ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// registry returns what the house is enrolled with, or why no tenancy can be
// changed here.
func (d *Desk) registry() (*keys.Registry, error) {
	reg := d.p.Keyring.Keys.Registry()
	switch {
	case reg == nil:
		return nil, refuse("give keys with gatehouse grant add, or enrol the house with gatehouse enrol", "this house has no registry, so it keeps no tenancies")
	case reg.Trust.Version == 0 || reg.House.Version == 0:
		return nil, refuse("see gatehouse status; gatehouse enrol brings them again", "what the registry signed for this house can't be read")
	case !d.p.Keyring.Status().HasKey:
		return nil, refuse("wait until a sibling gateway is online, which sends it; gatehouse status says what to do where there is none", "the building's key has not come yet, so no card can be named")
	case d.p.Key == nil:
		return nil, refuse("see gatehouse status", "the gateway's own key can't be read, so nothing can be signed")
	}
	return reg, nil
}

// now is the time that it is not earlier than: records and ends are judged by it.
func (t Time) now() uint32 { return seconds(max(t.Now, t.Sure)) }

// surely is the latest time that has certainly come; an end is over only by it.
func (t Time) surely() uint32 { return seconds(t.Sure) }

// past is up to when no new term may end. A trusted clock judges by itself: what is
// sure can be years behind it. Another one judges only what is surely over.
func (t Time) past() uint32 {
	if t.Trusted {
		return t.now()
	}
	return t.surely()
}

// seconds fits a time into a record: 1970 plus a second to the year 2106.
func seconds(s int64) uint32 { return uint32(min(max(s, 1), 1<<32-1)) }

// lock is a mutex that waits as a channel does. The desk holds it while an entry
// waits for a slow disk, and virtual time passes only where nobody waits for a mutex.
type lock chan struct{}

func (l lock) Lock()   { l <- struct{}{} }
func (l lock) Unlock() { <-l }
