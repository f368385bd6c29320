// Package issuer is the part of a registry that signs: grant lists, House
// documents and gateways' certificates. It reads tenancy records that gateways
// signed, keeps what they add up to, and hands the lists to the front.
//
// It is a client of the front and listens to nobody but the operator, on a unix
// socket, so that the busy process has no way in. What the front says is not
// believed: a record counts by its gateway's signature alone. The package
// refuses to publish a list that removes many tenancies without a second
// issuer, to drop a record that it can't apply (it is kept and shown), and to
// know a name: persons stay sealed to a key that is not here.
//
// The folder holds keys as Init makes them, and issuer.db, which has every
// change that was taken in. What a building's grants are is worked out from
// these changes alone, whatever the order in which they came.
package issuer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"gatehouse/internal/registry/issuer/authority"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/internal/network"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/sync/wire"
)

// Files of the issuer's folder, beside the keys that package authority puts there.
const (
	FileDatabase = "issuer.db"
	FileSocket   = "issuer.sock"
)

// Front is what the issuer needs of the front; *api.Client is one.
type Front interface {
	Work(ctx context.Context, after uint64, wait time.Duration) (api.Work, error)
	Answer(ctx context.Context, a api.Answer) error
	PutList(ctx context.Context, l api.List) (api.Pushed, error)
	PutHouse(ctx context.Context, d api.Document) (api.Pushed, error)
	PutTrust(ctx context.Context, envelope []byte) (api.Pushed, error)
	Trusts(ctx context.Context) ([][]byte, error)
	Heads(ctx context.Context, building string) ([]api.Head, error)
	Stored(ctx context.Context, building string) (api.Stored, error)
	Taken(ctx context.Context, h api.Holding) error
	Gateways(ctx context.Context, building string) ([]api.Gateway, error)
	Status(ctx context.Context) (api.Status, error)
}

// Options of an Issuer. Now is the wall clock, the machine's if nil, Tend a minute if 0.
type Options struct {
	Dir   string // that Init made
	Front Front
	Log   zerolog.Logger
	Now   func() time.Time
	Clock agreed.Source // what it is held against; zero: the machine's clocks, or with Now nothing
	Tend  time.Duration // how often proofs of lists are asked for, at least
	// Ask is how long the front may hold a question for work; 0: 25 s.
	Ask     time.Duration
	Network network.Network // where the operator's socket is
}

// Issuer is safe for concurrent use.
type Issuer struct {
	opts  Options
	keys  authority.Keys
	lock  *durable.Lock // of the database
	db    *sql.DB
	clock *agreed.Clock

	sending sync.Mutex // one list at a time goes to the front; taken before mu

	mu        sync.Mutex // guards all below, and the order of transactions
	buildings map[string]*building
	linked    bool                 // the front answered last time
	after     uint64               // number of the last delivery that was taken in
	sent      map[string]bool      // buildings whose newest was handed over, and the store does not say so yet
	passes    map[wire.ID][]uint32 // when each tenancy got one, unix s, the last quarter of an hour
	since     uint32               // unix s: when this database was put back or made; 0: before this was kept
	signer    int64                // whose signatures stand in the database, as signerInUse says
	behind    map[string]bool      // buildings of which the front may know more than this database; "": all
	full      bool                 // the disk took nothing more when something was written last
	unsent    map[string]bool      // buildings with a list or House document that the front has not got
}

// Open reads keys and database. It starts nothing. It fails where a key is
// missing or does not belong to the others, and where another issuer has the
// folder: then nothing in it is touched.
func Open(o Options) (*Issuer, error) {
	if o.Tend <= 0 {
		o.Tend = tendEvery
	}
	if o.Ask <= 0 {
		o.Ask = workWait
	}
	if o.Front == nil {
		return nil, errors.New("open issuer: no front")
	}
	i := &Issuer{opts: o, buildings: make(map[string]*building), sent: make(map[string]bool), unsent: make(map[string]bool), behind: make(map[string]bool), passes: make(map[wire.ID][]uint32)}
	var err error
	if i.keys, err = authority.Load(o.Dir); err != nil {
		return nil, fmt.Errorf("open issuer: %w", err)
	}
	if i.lock, err = takeLock(o.Dir); err != nil {
		return nil, err
	}
	if err := i.open(); err != nil {
		i.lock.Free()
		return nil, fmt.Errorf("open issuer: %w", err)
	}
	return i, nil
}

// takeLock is before all that writes into the folder: a second issuer would sign two
// lists of one version, and spoil the database for both.
func takeLock(dir string) (*durable.Lock, error) {
	lock, err := dbfile.Lock(filepath.Join(dir, FileDatabase))
	if errors.Is(err, durable.ErrLocked) {
		return nil, api.Hinted("stop that one first; registryd --issuer "+filepath.Join(dir, FileSocket)+" issuer shows how it is", "open issuer: another issuer runs there, in %s", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open issuer: %w", err)
	}
	return lock, nil
}

// open opens clock and database, and works out what is in it.
func (i *Issuer) open() (err error) {
	o := i.opts
	if i.clock, err = agreed.Open(filepath.Join(o.Dir, agreed.File), o.Clock.Or(o.Now)); err != nil {
		return err
	}
	var found dbfile.Found
	if i.db, found, err = openStore(o.Dir); err != nil {
		return err
	}
	err = i.loadState()
	if found.New || found.Restored {
		i.behind[""] = true
		if err == nil {
			err = i.begin()
		}
	}
	if said := found.String(); err == nil && said != "" {
		err = i.remark("", FileDatabase+": "+said+". What it lacks comes from the front and from gateways; docs/restore.md says what is lost")
	}
	if err != nil {
		i.db.Close()
		return err
	}
	return nil
}

// Close ends the use of the database. Run and Serve must have returned.
func (i *Issuer) Close() error {
	defer i.lock.Free()
	// From now on a copy of this run is another database.
	stamp := dbfile.Stamp(context.Background(), i.db, filepath.Join(i.opts.Dir, FileDatabase))
	if err := errors.Join(stamp, i.db.Close()); err != nil {
		return fmt.Errorf("close issuer: %w", err)
	}
	return nil
}

// now is the agreed time in unix seconds: in doubt it stands still.
func (i *Issuer) now() uint32 {
	at, _ := i.clock.Now()
	return uint32(max(1, min(at.Unix(), 1<<32-1)))
}

// agreed is that time, and whether nothing speaks against it.
func (i *Issuer) agreed() (now uint32, sure bool) {
	_, doubt := i.clock.Now()
	return i.now(), doubt == agreed.None
}

// at is that time as others take it.
func (i *Issuer) at() time.Time { return time.Unix(int64(i.now()), 0).UTC() }

// ahead is the latest time that a gateway's clock is believed to show.
func (i *Issuer) ahead() uint32 { return uint32(min(uint64(i.now())+maxAhead, 1<<32-1)) }

// building returns what is known of a building; nil where there is none. The
// caller holds mu.
func (i *Issuer) building(q querier, id string) (*building, error) {
	if b := i.buildings[id]; b != nil {
		return b, nil
	}
	b, err := i.loadBuilding(q, id)
	if err != nil {
		return nil, fmt.Errorf("load building %s: %w", id, err)
	}
	if b != nil {
		i.buildings[id] = b
	}
	return b, nil
}

// keyset is the gateway's key as its records are verified by: that of the House
// document made here, never one that somebody else named.
func (b *building) keyset(gateway string) []wire.Key {
	g := b.house.Gateway(gateway)
	if g == nil {
		return nil
	}
	return []wire.Key{g.Key()}
}
