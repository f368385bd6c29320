package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// Numbers in the store that belong to no building.
const (
	stateAfter  = "after"  // of the last delivery that was taken in
	stateSigner = "signer" // whose signatures stand in the database
	stateSince  = "since"  // unix s: when the database was put back or made
)

// state is guarded by the ledger's lock, with the store.
type state struct {
	buildings map[string]*building.Building
	after     uint64          // number of the last delivery that was taken in
	since     uint32          // unix s: when this database was restored or made; 0: before this was stored
	signer    int64           // whose signatures are in the database, as Ledger.inUse says
	full      bool            // the last write failed because the disk is full
	sent      map[string]bool // buildings whose newest list was sent, which the store does not say yet
	unsent    map[string]bool // buildings with a list or House document that the front lacks
	behind    map[string]bool // buildings of which the front may know more than this database; "": all
}

// building returns what is known of a building; nil where there is none.
func (s *state) building(q store.Querier, id string) (*building.Building, error) {
	if b := s.buildings[id]; b != nil {
		return b, nil
	}
	b, err := store.Load(q, id)
	if err == nil && b != nil {
		s.buildings[id] = b
	}
	return b, err
}

// load reads the data that belongs to no building.
func (s *state) load(q store.Querier) error {
	numbers := make(map[string]int64)
	for _, key := range []string{stateAfter, stateSigner, stateSince} {
		n, err := store.State(q, key)
		if err != nil {
			return err
		}
		numbers[key] = n
	}
	s.after, s.signer, s.since = uint64(numbers[stateAfter]), numbers[stateSigner], uint32(numbers[stateSince])
	return s.loadUnsent(q)
}

// loadUnsent reads of which buildings the front lacks something.
func (s *state) loadUnsent(q store.Querier) error {
	all, err := store.Unsent(q)
	for _, id := range all {
		s.unsent[id] = true
	}
	return err
}

// View is a read transaction of the ledger. It is valid only within the function that Ledger.View
// calls.
type View struct {
	*sql.DB
	state *state
}

// Building returns what is known of a building; nil where there is none.
func (v View) Building(id string) (*building.Building, error) { return v.state.building(v, id) }

// Known calls f with every building that was in use since the start.
func (v View) Known(f func(*building.Building)) {
	for _, b := range v.state.buildings {
		f(b)
	}
}

// Unsent reports whether the front lacks something of a building.
func (v View) Unsent(id string) bool { return v.state.unsent[id] }

// Since returns when this database was restored or made, unix s; 0: before this was stored.
func (v View) Since() uint32 { return v.state.since }

// Full reports whether the last write failed because the disk is full.
func (v View) Full() bool { return v.state.full }

// Lacks reports whether a building, its House document of that version, or its list of that hash
// (empty: none) is unknown.
func (v View) Lacks(id string, house uint64, list []byte) (bool, error) {
	b, err := v.Building(id)
	if err != nil || b == nil {
		return true, err
	}
	if house > b.House.Version || len(list) == 0 {
		return house > b.House.Version, nil
	}
	if wire.Hash(list) == b.Lists.Newest.Hash {
		return false, nil
	}
	there, err := store.InLog(v, b.ID, wire.Hash(list))
	return !there, err
}

// Outgoing is what the front lacks of a building. It is immutable.
type Outgoing struct {
	House, Old []byte // House document, and the same in the first format; nil: none
	Briefs     []byte // envelope of package briefs
	List       lists.Signed
	Known      map[wire.Hash]bool // buckets that the front has
	LogFrom    uint64             // manifests of the log that it has
	Ended      uint64             // grants of the building that were ended
}

// Unsent returns the buildings of which the front lacks something.
func (l *Ledger) Unsent() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.state.unsent))
}

// Outgoing returns what the front lacks of a building; false: nothing.
func (l *Ledger) Outgoing(id string) (o Outgoing, lacks bool, err error) {
	err = l.View(func(v View) error {
		b, err := v.Building(id)
		if err != nil || b == nil || !v.Unsent(id) {
			return err
		}
		lacks = true
		o = Outgoing{b.HouseEnvelope, b.HouseOld, nil, b.Lists.Newest, b.Sent.Buckets, b.Sent.Log, b.Tenancies.Ended()}
		o.Briefs, err = briefs.Of(b.Tenancies.Brief(l.Clock.Unix())).Sign(id, l.Keys.Epoch, l.Keys.Issuer)
		return err
	})
	return o, lacks, err
}

// LogFrom returns the part of a building's log from a place on.
func (l *Ledger) LogFrom(id string, from uint64) ([]api.Logged, error) {
	return Read(l, func(v View) ([]api.Logged, error) { return store.LogFrom(v, id, from) })
}

// SetSent notes that the front has got an Outgoing.
func (l *Ledger) SetSent(id string, o Outgoing) error {
	return l.View(func(v View) error {
		b, err := v.Building(id)
		if err != nil || b == nil {
			return err
		}
		b.Sent.Buckets, b.Sent.Log = make(map[wire.Hash]bool, len(o.List.Buckets)), o.List.Manifest.Earlier
		for hash := range o.List.Buckets {
			b.Sent.Buckets[hash] = true
		}
		if b.Lists.Newest.Hash != o.List.Hash || !slices.Equal(b.HouseEnvelope, o.House) {
			return nil // a newer one was made meanwhile, and waits
		}
		delete(l.state.unsent, id)
		l.state.sent[id] = true
		return nil
	})
}

// SendAgain makes everything be sent again.
func (l *Ledger) SendAgain() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sendAgain("")
}

// sendAgain implements SendAgain; a remark tells the operator why.
func (l *Ledger) sendAgain(remark string) error {
	err := l.update(func(c *Change) {
		if remark != "" {
			c.Remark("", "%s", remark)
		}
		store.SetUnsent(c.Tx)
	})
	for _, b := range l.state.buildings {
		b.Sent = building.Sent{}
	}
	return errors.Join(err, l.state.loadUnsent(l.db))
}

// Restart handles a front that knows fewer deliveries than were taken in from it: it was restored
// to an earlier day, or is new. It gets everything again, and a remark says so.
func (l *Ledger) Restart(last uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last >= l.state.after {
		return nil
	}
	remark := fmt.Sprintf("%s: it knows %s, and %d were taken in from it: it was put back to an earlier day, or is new. It gets all lists again, "+
		"and gateways bring what they still keep; docs/restore.md says what is lost", api.FileDatabase, amount.Of(last, "tenancy record"), l.state.after)
	l.state.after = last
	return l.sendAgain(remark)
}
