// Package desk keeps the tenancies of a gateway in an enrolled house: check-in,
// check-out, lost cards. What happens at the desk is active at once, with the
// registry away too: a signed record goes to the keyring, its entry to the
// journal, and both wait until the registry has them.
//
// It refuses to keep a name, a document's number or a card's number: these are
// sealed to the registry's records key before anything is written. It refuses a
// landlord alone what would lock a tenant out: ending a tenancy at once, or
// stopping the last card without another in its place. Arrears of rent and
// permits are no causes. The rules are those of package tenancy.
//
// The directory holds tenancies.json, rewritten whole: flat, label, term, notice,
// a salted hash of the PIN, and which credentials are one card.
package desk

import (
	"context"
	"crypto/ed25519"
	"errors"
	"hash/maphash"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/guess"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// Parts are the dependencies of a Desk; all are needed.
type Parts struct {
	Dir     string // of the grants; tenancies.json is made in it
	Keyring *keyring.Keyring
	Journal Journal
	Key     ed25519.PrivateKey // of the gateway; nil: nothing can be signed, so every change is refused
	Clock   func() tenancy.Time
	Classed func() bool // the registry reads at a check-in whether logs name the tenancy for a shorter time
	Codes   Codes
	Log     zerolog.Logger
}

// Codes are the one-time and guest codes of this gateway, and the doors where they open.
type Codes struct {
	*doorcode.Store          // nil: no codes are given
	Doors           []string // with a reader at whose keys codes are typed; none: no one-time codes are given
	Scanners        []string // with a scanner, which takes guest codes
}

func (c Codes) given() bool { return c.Store != nil && len(c.Doors) > 0 }

// Desk is where tenants are checked in and out. It is safe for concurrent use. Make it with New;
// Run does its upkeep.
type Desk struct {
	Doors   *Doors   // read by the doors
	Records *Records // for the registry and the sibling gateways
	// Residents are served without a visit.
	Residents *Residents
	Guests    *Guests

	keyring *keyring.Keyring
	clock   func() tenancy.Time
	book    *book
	visit   *visit // nil: nobody is at the desk
	pins    pins
	stops   stops
	teller  teller
	codes   Codes
}

// New reads the directory. A damaged file is set aside and counts as empty, because the keyring
// decides what opens. It starts nothing.
func New(p Parts) (*Desk, error) {
	if p.Dir == "" || p.Keyring == nil || p.Journal == nil || p.Clock == nil || p.Classed == nil {
		return nil, errors.New("open desk: a directory, keyring, journal and clock are needed")
	}
	doors := newDoors(p.Journal)
	b := newBook(p.Dir, p.Keyring, doors, p.Log)
	r := newRecords(b, p.Journal, p.Key, p.Classed)
	d := &Desk{Doors: doors, Records: r, keyring: p.Keyring, clock: p.Clock, book: b,
		pins: pins{book: b, journal: p.Journal, pauses: map[wire.ID]time.Time{}}, stops: stops{records: r, clock: p.Clock},
		codes: p.Codes, teller: teller{book: b, journal: p.Journal, last: map[toldAt]time.Time{}}}
	d.Guests = &Guests{codes: p.Codes, grants: p.Keyring.Grants, lost: doors.Lost, clock: p.Clock, journal: p.Journal}
	d.Residents = &Residents{Desk: d, tries: guess.New[string](atFlat, atHouse, 1).ForEach(), seed: maphash.MakeSeed(), readings: map[wire.ID][]time.Time{}}
	fresh := b.load(p.Journal)
	r.catchUp()
	b.publish()
	if fresh {
		_ = b.save() // logged; if it is missing later, somebody has deleted it
	}
	return d, nil
}

// upkeepEvery is the period of Run's checks of sessions, entries and old tenancies.
const upkeepEvery = time.Minute

// saveEvery is after how many of these checks the days that cards still open are saved. A restart
// in between only makes a notice longer.
const saveEvery = 60

// Run does the upkeep until ctx ends, then returns nil: it enters records whose entry a crash has
// cost, saves who was told of a notice, stops cards that the landlord wanted stopped and nobody has
// used, ends idle sessions, drops tenancies that are long over, and writes its file again where
// that failed.
func (d *Desk) Run(ctx context.Context) error {
	var saves sync.WaitGroup
	saves.Go(func() { d.book.retry.Run(ctx, d.book.saveAgain) })
	defer saves.Wait()
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	d.upkeep(ctx)
	last := time.Now()
	for n := 1; ; {
		select {
		case <-ctx.Done():
			d.leave(0)
			_ = d.Records.Settle() // logged there
			return nil
		case s := <-d.Doors.told:
			d.teller.tell(s)
		case <-d.Records.heard:
			d.stops.count(ctx, 0)
		case <-tick.C:
			now := time.Now()
			d.stops.count(ctx, now.Sub(last))
			d.leave(idleMost)
			d.upkeep(ctx)
			if last, n = now, n+1; n%saveEvery == 0 {
				d.stops.save()
			}
		}
	}
}

func (d *Desk) upkeep(ctx context.Context) {
	d.Records.mendLines()
	d.Records.enterMissing(ctx)
	d.book.Lock()
	defer d.book.Unlock()
	d.book.tidy(d.clock())
	if d.codes.Store != nil {
		d.codes.Keep(d.book.isOver, d.clock().Surely())
	}
	d.teller.forget()
}

// leave ends a session that has been idle for that long.
func (d *Desk) leave(idle time.Duration) {
	d.book.Lock()
	defer d.book.Unlock()
	if d.visit != nil && time.Since(d.visit.used) >= idle {
		d.drop()
	}
}

// Tenancies returns all that this gateway knows: those of its desk and its
// siblings', and those that only the list names, by id.
func (d *Desk) Tenancies() []tenancy.View {
	d.book.Lock()
	defer d.book.Unlock()
	return d.book.show(d.clock())
}

// Find returns the tenancy of an id (or the start of it), a flat or a label.
func (d *Desk) Find(text string) (tenancy.View, error) {
	d.book.Lock()
	defer d.book.Unlock()
	t, err := d.book.lookup(text, d.book.held(), d.clock())
	if err != nil {
		return tenancy.View{}, err
	}
	return d.done(t, nil).Tenancy, nil
}

// Done is the result of an action, with remarks for whoever asked for it.
type Done struct {
	Tenancy tenancy.View
	Remarks []string
	// Codes are new one-time codes of the tenancy, and CodeDoors the doors where they open. They
	// are shown only once.
	Codes     []string
	CodeDoors []string
	Guest     *GuestCode // that was given
}

func (d *Desk) done(t *tenancy.Tenancy, remarks []string) Done {
	return Done{Tenancy: t.Show(d.book.stands(t), d.clock(), d.book.unstored()[t.ID]), Remarks: remarks}
}

// CodeDoors returns the doors here with a reader that takes one-time codes.
func (d *Desk) CodeDoors() []string { return d.codes.Doors }

// Unwritten returns why the last labels and PINs of the desk are on no disk; nil: they are on it.
func (d *Desk) Unwritten() error {
	d.book.Lock()
	defer d.book.Unlock()
	return d.book.unwritten
}

// VoidCodes counts the tenancies whose one-time codes open nothing any more, since the log has
// begun anew, at doors that take some.
func (d *Desk) VoidCodes() int {
	if !d.codes.given() {
		return 0
	}
	return d.codes.Void()
}

// giveCodes makes new one-time codes for a tenancy.
func (d *Desk) giveCodes(done *Done) error {
	if !d.codes.given() {
		return tenancy.Refuse(`a reader with keys takes them by pin = "only" in its [[door.reader]]`, "no reader of this gateway takes one-time codes")
	}
	codes, err := d.codes.Make(done.Tenancy.ID)
	if err != nil {
		return err
	}
	done.Codes, done.CodeDoors = codes, d.codes.Doors
	return nil
}
