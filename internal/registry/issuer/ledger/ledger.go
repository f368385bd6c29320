// Package ledger is all that an issuer has taken in and signed, of all its buildings: in memory and
// in its database, changed in transactions. The next list of a building is made before a
// transaction about it commits.
//
// It verifies nothing that comes from outside, and sends nothing: its callers say what is to be
// taken in, and ask what the front lacks. It refuses to release a list that removes many tenancies
// without a second issuer's signature.
package ledger

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/store"
)

// Ledger is safe for concurrent use.
type Ledger struct {
	Keys  authority.Keys
	Clock Clock
	path  string
	log   zerolog.Logger
	db    *store.DB

	mu    sync.Mutex // guards state, and the order of transactions
	state state
}

// notYet stands for the unknown time of a restore while no clock can tell: nothing counts as later
// then.
const notYet = 1<<32 - 1

// Open opens or makes the database at a path, and the clock of its directory. Where another
// process has it open the error is durable.ErrLocked, and nothing in the directory is touched.
func Open(path string, keys authority.Keys, clock agreed.Source, log zerolog.Logger) (*Ledger, error) {
	l := &Ledger{Keys: keys, path: path, log: log, state: state{buildings: make(map[string]*building.Building),
		sent: make(map[string]bool), unsent: make(map[string]bool), behind: make(map[string]bool)}}
	var err error
	if l.db, err = store.Open(path, log); err != nil {
		return nil, err
	}
	if l.Clock.Clock, err = agreed.Open(filepath.Join(filepath.Dir(path), agreed.File), clock); err == nil {
		err = l.load()
	}
	if err != nil {
		_ = l.db.Close()
		return nil, err
	}
	return l, nil
}

// load reads the data that belongs to no building.
func (l *Ledger) load() error {
	if err := l.state.load(l.db); err != nil {
		return err
	}
	found := l.db.Found
	return l.update(func(c *Change) {
		c.keepTrusts(l.Keys.Trusts()...)
		if found.New || found.Restored {
			l.state.behind[""] = true
			c.begin()
		}
		if said := found.String(); said != "" {
			c.Remark("", "%s: %s. What it lacks comes from the front and from gateways; docs/restore.md says what is lost", filepath.Base(l.path), said)
		}
	})
}

// begin stores when this database was restored or made: what was signed before may be unknown here
// for that reason. A clock in doubt stands at an earlier time, by which all that was signed since
// would look like a thief's: then it waits.
func (c *Change) begin() {
	now, sure := c.Clock.Agreed()
	if !sure {
		now = notYet
	}
	c.state.since = now
	store.SetState(c.Tx, stateSince, int64(now))
}

// Begin stores that time if no clock could tell it at the start.
func (l *Ledger) Begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, sure := l.Clock.Agreed(); l.state.since != notYet || !sure {
		return nil
	}
	return l.update((*Change).begin)
}

// Close ends the use of the database.
func (l *Ledger) Close() error { return l.db.Close() }

// Dir is the directory of the database.
func (l *Ledger) Dir() string { return filepath.Dir(l.path) }

// Copy makes a whole copy of the database, which is deleted when it is closed.
func (l *Ledger) Copy(ctx context.Context) (*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.db.Copy(ctx)
}

// View calls f while nobody changes anything.
func (l *Ledger) View(f func(View) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f(View{l.db.DB, &l.state})
}

// Read returns what f does while nobody changes anything.
func Read[T any](l *Ledger, f func(View) (T, error)) (out T, err error) {
	err = l.View(func(v View) (err error) {
		out, err = f(v)
		return err
	})
	return out, err
}

// Each calls f with one building, or with all ("") in order of their ids.
func (l *Ledger) Each(id string, f func(View, *building.Building) error) error {
	return l.View(func(v View) error {
		ids, err := store.Buildings(v)
		if err != nil {
			return err
		}
		if id != "" && !slices.Contains(ids, id) {
			return noBuilding(id)
		}
		if id != "" {
			ids = []string{id}
		}
		for _, one := range ids {
			b, err := v.Building(one)
			if err == nil {
				err = f(v, b)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Update runs f in one transaction, makes the lists that follow from it, and
// commits. With any error nothing of it is kept.
func (l *Ledger) Update(f func(*Change)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.update(f)
}

func (l *Ledger) update(f func(*Change)) error {
	c := &Change{Keys: &l.Keys, Clock: l.Clock, Log: &l.log, state: &l.state, touched: make(map[string]bool)}
	err := l.db.Update(func(tx *store.Tx) {
		c.Tx = tx
		for id := range l.state.sent { // with whatever is stored next: without it the front gets the same again after a restart
			store.SetSent(tx, id)
		}
		f(c)
		for id, anew := range c.touched {
			if anew && !c.Failed() {
				relist(c, l.state.buildings[id])
			}
		}
	})
	if err == nil {
		clear(l.state.sent)
		l.state.full = l.state.full && len(c.touched) == 0 // an empty transaction says nothing of the disk
		return nil
	}
	for id := range c.touched {
		delete(l.state.buildings, id) // read again from what is stored
	}
	if dbfile.Full(err) {
		l.state.full = true
		return api.Hinted("make room there; what gateways have sent is taken in then by itself, and the operator's commands can be given again",
			"the disk of %s is full: %v", l.Dir(), err)
	}
	return err
}

// After returns the number of the last delivery that was taken in.
func (l *Ledger) After() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.after
}

// TakeIn takes deliveries in by f, all or none; those that were taken in before are left out.
func (l *Ledger) TakeIn(all []api.Delivery, f func(*Change, api.Delivery)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	after := l.state.after
	err := l.update(func(c *Change) {
		for _, d := range all {
			if d.Number > after {
				f(c, d)
				after = d.Number
			}
		}
		store.SetState(c.Tx, stateAfter, int64(after))
	})
	if err != nil {
		return fmt.Errorf("take records in: %w", err)
	}
	l.state.after = after
	return nil
}

// Behind returns the buildings of which the front may know more than this database; "": all.
func (l *Ledger) Behind() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.state.behind))
}

// SetBehind sets whether the front may know more of a building.
func (l *Ledger) SetBehind(id string, behind bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if behind {
		l.state.behind[id] = true
	} else {
		delete(l.state.behind, id)
	}
}
