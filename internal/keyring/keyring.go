// Package keyring holds what a gateway knows of a building's cards: its keys,
// and the signed grant list. It verifies a list, then persists it, then
// publishes an immutable snapshot.
//
// It refuses a list that no pinned issuer signed for this building, one older
// than any it has applied, and everything that is not in its one encoding. It
// never refuses to start because of what a disk gave back: what is damaged is
// put aside and reported, and the doors go on with what is left. It signs
// nothing; grantlist.Editor does, in the tool of whoever holds the issuer's key.
//
// In an enrolled house the tenancy records of its gateways stand beside the list
// until it has settled them: what opens is always both together. A check-in that
// no list has named yet opens, an end that no list knows yet does not, and no
// order of messages, repeat or loss changes what comes out in the end (package merge).
//
// What is over stays so, whatever a list gives back, and a list that does not
// prove that it descends from the active one only takes.
//
// The directory holds grants-a.db and grants-b.db, each the whole signed list and
// the grants that are over, with grants-a.ahead and grants-b.ahead, what is not in them yet
// (package copies); removals.json, what lists take that are not in
// these; marks.json, the highest version and time ever applied; labels.json, the
// landlord's own words; adopt.json, unknown cards that wait for a name; records/,
// one file for each record that no list has settled; kept/, one for each of its
// own that the registry has and may lose. All but the lists are small and rewritten whole,
// because what is deleted inside a database file stays readable in it.
package keyring

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/adopt"
	"gatehouse/internal/keyring/copies"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/recordfiles"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// Keyring is the cards, keys and lists of a gateway. It is safe for concurrent use, and so are its
// parts.
type Keyring struct {
	Keys      *keys.Store
	Time      *signedtime.Times // signed times; Run writes them, at most once an hour
	Authority *Authority
	Records   *Records
	Kept      *recordfiles.Kept
	Adopt     *adopt.List
	Labels    *Labels
	Copies    *copies.Pair

	opts    Options
	lock    *durable.Lock
	active  *active  // its mu guards refusal too
	refusal *Refusal // the last refused list; nil: none since the last that was taken
	damage  []string
}

// Open reads the directory. It fails only on misuse: no directory or no building
// named, or another process at work in it. It starts nothing.
func Open(o Options) (*Keyring, error) {
	if o.Dir == "" || !wire.ValidName(o.Building, false) {
		return nil, errors.New("open keyring: a directory and the building's id are needed")
	}
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		o.Log.Error().Err(err).Msg("directory of the grants")
	}
	k := build(o)
	if err := k.takeLock(); err != nil {
		return nil, fmt.Errorf("open keyring %s: %w", o.Dir, err)
	}
	authority := ""
	if r := o.Keys.Registry; r != nil {
		authority = hex.EncodeToString(r.Root)
	}
	next := k.active.read(authority)
	k.Labels, k.Adopt = readLabels(k.active.dir), adopt.Read(adopt.Options{Dir: k.active.dir, Now: o.Now, Shapes: o.Shapes, Identify: k.Keys.IdentifyAll, Knows: k.active.knows})
	k.active.adopt = k.Adopt
	k.Authority.takeBack()
	k.Authority.mask()
	k.Records.read()
	k.Copies = copies.Open(k.active.dir)
	k.active.copies = k.Copies
	k.load(next)
	return k, nil
}

func build(o Options) *Keyring {
	k := &Keyring{opts: o, Keys: keys.NewStore(o.Keys, o.Building)}
	k.Time = signedtime.New(func() time.Duration { return k.opts.Elapsed() })
	k.active = &active{dir: &files.Dir{Path: o.Dir, Log: o.Log}, keys: k.Keys, time: k.Time, listed: make(chan struct{}, 1)}
	k.active.listed <- struct{}{} // that of the files
	k.Kept = recordfiles.NewKept(k.active.dir, k.Time.Own, k.Keys)
	k.Records = &Records{k.active, recordfiles.NewPending(k.active.dir, k.Keys), k.Kept}
	k.Authority = &Authority{active: k.active, records: k.Records}
	return k
}

// takeLock keeps a second process out. A directory that can't be written does not keep the keyring
// from opening.
func (k *Keyring) takeLock() error {
	lock, err := durable.TakeLock(k.active.dir.Join("lock"))
	if errors.Is(err, durable.ErrLocked) {
		return errors.New("another process is at work there")
	}
	if err != nil {
		k.opts.Log.Warn().Err(err).Msg("directory of the grants can't be locked")
	}
	k.lock = lock
	return nil
}

// runEvery is the period at which Run writes changes: an unknown card costs no write of its own.
const runEvery = time.Minute

// Run keeps the adopt list on disk, erases it when its time is over, and retries failed writes of
// the list's files, each minute, and of the labels sooner. It returns when ctx ends.
func (k *Keyring) Run(ctx context.Context) error {
	var labels sync.WaitGroup
	labels.Go(func() { k.Labels.retry.Run(ctx, k.Labels.writeAgain) })
	defer labels.Wait()
	tick := time.NewTicker(runEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			k.Adopt.Tend()
			k.tend()
			k.Kept.ForgetOld()
		case <-k.active.listed:
			k.active.begin()
		}
	}
}

func (k *Keyring) tend() {
	a := k.active
	a.mu.Lock()
	defer a.mu.Unlock()
	a.saveFloor(floorEvery)
	if a.age() {
		a.refresh()
	}
	k.Records.tend()
	if a.state.List != nil {
		_ = a.store(a.state.List) // logged there, tried again in a minute
	}
	a.inCopies((*copies.Pair).Begin)
	k.Records.sweep()
}

// Close writes what Run has not yet written. Reads go on working; Apply may not be called any more.
func (k *Keyring) Close() error {
	k.Adopt.Tend()
	if err := k.Labels.writeAgain(); err != nil {
		k.opts.Log.Error().Err(err).Msg("labels can't be written; the last ones end with this run")
	}
	a := k.active
	a.mu.Lock()
	defer a.mu.Unlock()
	a.saveFloor(1)
	k.Records.tend()
	k.Records.files.Settle()
	if l := a.state.List; l != nil && l != a.stored {
		_ = a.store(l) // logged in the copies
	}
	a.inCopies((*copies.Pair).Fold)
	a.writeMarks()
	if k.lock != nil {
		k.lock.Free()
		k.lock = nil
	}
	return nil
}

// Grants returns the active snapshot, by one atomic load. It is empty in a house that never had a
// list, and nil (every card: not ready) where a list was lost, or where there are no keys to verify
// one.
func (k *Keyring) Grants() *access.Grants { return k.active.grants.Load() }

// Identify, Anonymous and OpenPass are those of Keys, for the doors.
func (k *Keyring) Identify(c device.Card) (wire.CredentialID, error) { return k.Keys.Identify(c) }

// Anonymous is that of Keys.
func (k *Keyring) Anonymous(c device.Card) wire.CredentialID { return k.Keys.Anonymous(c) }

// OpenPass is that of Keys.
func (k *Keyring) OpenPass(text string) (qrpass.Pass, error) { return k.Keys.OpenPass(text) }

// IdentifyAll returns the ids of the card and of the forms in which readers of this and of other
// gateways see it (cardnumber.DeriveFor), its own first.
func (k *Keyring) IdentifyAll(c device.Card) ([]wire.CredentialID, error) {
	return k.Keys.IdentifyAll(cardnumber.Cards(cardnumber.DeriveFor(c, slices.Concat(cardnumber.DerivedShapes(), k.opts.Shapes))))
}
