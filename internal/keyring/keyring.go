// Package keyring holds what a gateway knows of a building's cards: its keys,
// and the signed grant list. It verifies a list, then persists it, then
// publishes an immutable snapshot; and it turns a card into the CredentialID
// under which alone the card is kept or sent.
//
// It refuses a list that no pinned issuer signed for this building, one older
// than any it has applied, and everything that is not in its one encoding. It
// never refuses to start because of what a disk gave back: what is damaged is
// set aside and reported, and the doors go on with what is left. It signs
// nothing; grantlist.Editor does, in the tool of whoever holds the issuer's key.
//
// In an enrolled house the tenancy records of its gateways stand beside the list
// until it has settled them: what opens is always both together. A check-in that
// no list has named yet opens, an end that no list knows yet does not, and no
// order of messages, repeat or loss changes what comes out in the end.
//
// What is over stays so, whatever a list gives back, and a list that does not
// prove that it descends from the one in force only takes.
//
// The folder holds grants-a.db and grants-b.db, each the whole signed list and
// the grants that are over; removals.json, what lists take that are not in these
// two; marks.json, the highest version and time ever applied; labels.json, the
// landlord's own words; adopt.json, unknown cards that wait for a name; records/,
// one file for each record that no list has settled; kept/, one for each of its
// own that the registry has and may lose. All but the lists are small and rewritten whole, because what is
// deleted inside a database file stays readable in it.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// Options of a Keyring. Now is the wall clock, time.Now if nil; it is used only
// for the adopt list, never for a decision. Sure is the time that has certainly
// come, unix s; if nil, nothing is known to be over. Elapsed is the machine's own
// clock, which nobody can set and which goes on over restarts: by it count the
// days of removals and of notices; if nil, it is the time since Open.
type Options struct {
	Dir      string             // made if it is not there
	Building string             // the address that lists must bear
	Keys     keys.Keys          // may be empty: then no card is known and no list is taken
	Formats  uint64             // of lists that are read, from 1 to this one; 0: all
	Shapes   []cardnumber.Shape // of the readers here; none: the usual ones
	Log      zerolog.Logger
	Now      func() time.Time
	Sure     func() int64
	Elapsed  func() time.Duration
}

// Keyring is safe for concurrent use.
type Keyring struct {
	opts     Options
	daily    keys.Daily
	grants   atomic.Pointer[access.Grants]
	floors   signedtime.Floors
	time     signedtime.Witnessed
	building atomic.Pointer[keys.BuildingKey] // nil: none yet
	registry atomic.Pointer[keys.Registry]    // nil: a house by itself

	adopt adopt
	kept  kept
	aside aside

	mu       sync.Mutex // guards all below, and the files
	lock     *durable.Lock
	list     *list   // in force; nil: none
	stored   *list   // the newest that a file holds; nil: none
	counts   counted // list as it counts
	lost     bool    // there was a list once, or may have been
	view     view    // what is in grants
	records  []*held // made at the building, in order
	left     []*held // those that the list has not settled
	heard    []*held // young notices of which only the list tells, as records; they are in no other list of records
	over     tombstones
	limits   restraint // by lists that are not in force
	pending  restraint // by the list in force, until it is stored, and what was laid over the one before
	storing  *list     // that list; nil: none
	next     wire.Hash // of that list of the last run; zeros: none
	removing bool      // removalsFile is there
	refusal  *Refusal  // the last list that was not taken; nil: none since the last that was
	copies   [2]*copyFile
	anchors  [][]byte // of the journal, as the copies have them
	damage   []string
	doubt    *houseDoubt
	shut     []string // siblings that the house document names although their key was removed
	wrote    func()   // of tests: after each write that a power cut can't halve
	marks    marks
	labels   labels
}

// Open reads the folder. It fails only on misuse: no folder or no building
// named, or another process at work in the folder. It starts nothing.
func Open(o Options) (*Keyring, error) {
	if o.Dir == "" || !wire.ValidName(o.Building, false) {
		return nil, errors.New("open keyring: a folder and the building's id are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Formats == 0 {
		o.Formats = wire.LogFormat
	}
	if o.Sure == nil {
		o.Sure = func() int64 { return 0 }
	}
	if o.Elapsed == nil {
		began := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(began) }
	}
	k := &Keyring{opts: o}
	k.aside = aside{log: o.Log}
	k.kept = kept{dir: filepath.Join(o.Dir, "kept"), log: o.Log, own: k.own, registry: k.Registry, putAside: k.aside.put}
	k.adopt = adopt{opts: &k.opts, identify: k.Identify, knows: k.knows,
		save: func(rows adoptRows) error { return k.save(adoptFile, rows) }}
	k.building.Store(o.Keys.Building)
	k.registry.Store(o.Keys.Registry)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		o.Log.Error().Err(err).Msg("folder of the grants")
	}
	if err := k.takeLock(); err != nil {
		return nil, fmt.Errorf("open keyring %s: %w", o.Dir, err)
	}
	k.readLocal()
	k.maskHouse()
	k.readRecords()
	for i, name := range copyNames {
		k.copies[i] = &copyFile{path: filepath.Join(o.Dir, name)}
	}
	k.readAnchors()
	k.load()
	return k, nil
}

// takeLock keeps a second process out. A folder that can't be written is no
// reason to stay closed.
func (k *Keyring) takeLock() error {
	lock, err := durable.TakeLock(filepath.Join(k.opts.Dir, "lock"))
	if errors.Is(err, durable.ErrLocked) {
		return errors.New("another process is at work there")
	}
	if err != nil {
		k.opts.Log.Warn().Err(err).Msg("folder of the grants can't be locked")
	}
	k.lock = lock
	return nil
}

// runEvery is how often Run writes what changed: an unknown card costs no
// write of its own.
const runEvery = time.Minute

// Run keeps the adopt list on disk, erases it when its time is over, and tries
// again to write a copy of the list that could not be written. It returns when
// ctx ends. With nothing to do it writes nothing. Everything else works without it.
func (k *Keyring) Run(ctx context.Context) error {
	tick := time.NewTicker(runEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			k.mu.Lock()
			k.adopt.tend()
			k.saveFloor(floorEvery)
			if k.age() {
				k.refresh()
			}
			k.writeRecords()
			if k.list != nil {
				_ = k.store(k.list) // logged there, tried again in a minute
			}
			k.sweep()
			k.kept.forgetOld()
			k.mu.Unlock()
		}
	}
}

// Close writes what Run has not yet written. Grants, Identify and Floor go on
// answering; Apply may not be called any more.
func (k *Keyring) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.adopt.tend()
	k.saveFloor(1)
	if k.lock != nil {
		k.lock.Free()
		k.lock = nil
	}
	return nil
}

// Grants returns the snapshot in force, by one atomic load. It is empty in a
// house that never had a list, and nil (every card: not ready) where one was
// lost, or where there are no keys to judge by.
func (k *Keyring) Grants() *access.Grants { return k.grants.Load() }

// Floor returns the highest signed time ever believed, unix s; 0 for none.
func (k *Keyring) Floor() int64 { return k.floors.Top() }

// Labels returns the landlord's own labels by grant.
func (k *Keyring) Labels() map[wire.ID]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.labels)
}

// Status is how the keyring is.
type Status struct {
	HasKey    bool // of the building
	KeyNumber byte
	Issuers   int       // keys whose lists are taken
	Epoch     uint64    // of the issuer's role that signed the list
	Version   uint64    // of the list that is in force and on disk; 0: none
	Hash      wire.Hash // of its manifest
	// InForce and its epoch are those of the list in force, on disk or not.
	InForceEpoch, InForce uint64
	Issued                time.Time // of the list in force; zero: no list
	Grants                int       // records: one for each credential of each grant
	Copies                [2]CopyStatus
	SetAside              []string       // names of damaged files that were put aside since Open
	Damage                []string       // files that were missing or behind at Open, and how
	Over                  int            // grants that are over for good
	OverHash              wire.Hash      // over their ids, ascending; zeros: none
	Masked                []Masked       // of these, such that the list in force gives back
	Unproved              *Unproved      // nil: no list that proves nothing has taken anything
	Refusal               *Refusal       // nil: no list was refused since the last that was taken
	Shut                  []string       // gateways that the house document gives back although their key was removed: not heard
	Doubt                 uint64         // version of a house document that waits, since it does not follow the one in force; 0: none
	Lost                  bool           // a list was applied once and is gone
	Last                  uint64         // highest version ever applied, of its epoch
	Records               int            // changes made at the building that no list has settled yet
	Unwritten             int            // of these, in force and on no disk
	Overdue               map[string]int // of these, siblings' that no list has settled for more than a day, by gateway
}

// Unproved says what lists that don't descend from the one in force have done.
type Unproved struct {
	Epoch, Version uint64    // of the last one
	Hash           wire.Hash // of its manifest
	Waiting        []wire.ID // grants that they would give or give back, the first 64
	More           int       // of these, not in Waiting
}

// CopyStatus is how one of the two files of the list is.
type CopyStatus struct {
	Name    string
	Good    bool   // holds the list in force
	Version uint64 // of the list in it; 0: unknown or none
	Error   string // of the last use
}

// Status returns how the keyring is now.
func (k *Keyring) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	building := k.building.Load()
	s := Status{HasKey: building != nil, Issuers: len(k.issuers()),
		SetAside: k.aside.all(), Lost: k.list == nil && k.marks.Version > 0, Last: k.marks.Version}
	if s.HasKey {
		s.KeyNumber = building.Number()
	}
	for _, h := range k.left {
		s.Records++
		if h.unwritten {
			s.Unwritten++
		}
	}
	s.Overdue = k.overdue()
	var hash wire.Hash
	if k.list != nil {
		m := k.list.manifest
		hash = k.list.hash
		s.InForceEpoch, s.InForce, s.Issued, s.Grants = k.list.signer.Epoch, m.Version, time.Unix(int64(m.Issued), 0), k.list.grants.Len()
	}
	if k.stored != nil {
		s.Epoch, s.Version, s.Hash = k.stored.signer.Epoch, k.stored.manifest.Version, k.stored.hash
	}
	k.listStatus(&s)
	for i, c := range k.copies {
		s.Copies[i] = CopyStatus{Name: filepath.Base(c.path), Version: c.version,
			Good: k.list != nil && c.known && c.hash == hash}
		if c.err != nil {
			s.Copies[i].Error = c.err.Error()
		}
	}
	return s
}

// listStatus fills in what lists have not been able to do. Callers hold mu.
func (k *Keyring) listStatus(s *Status) {
	k.listed()
	s.Damage, s.Masked, s.Refusal = append([]string(nil), k.damage...), append([]Masked(nil), k.counts.masked...), k.refusal
	s.Shut = append([]string(nil), k.shut...)
	if k.doubt != nil {
		s.Doubt = k.doubt.waiting
	}
	s.Over, s.OverHash = len(k.over.ids), k.over.hash()
	if n := len(k.limits.Lists); n > 0 {
		last := k.limits.Lists[n-1]
		s.Unproved = &Unproved{last.Epoch, last.Version, last.Hash, append([]wire.ID{}, k.limits.Gives...), k.limits.More}
	}
}
