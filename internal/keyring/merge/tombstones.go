package merge

import (
	"crypto/sha256"
	"maps"
	"slices"

	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// Tombstones are the grants that are over for good: revoked or dropped by a list that was active
// here, or ended at the building. Their ids are never used again, so a list that brings one back is
// a replay. None is ever forgotten: 100,000 are 1.6 MB.
type Tombstones struct {
	IDs   []wire.ID // in the order of their arrival: files are only appended to
	Known map[wire.ID]bool

	sum    wire.Hash // over the first summed ids
	summed int
}

// Add adds ids, and reports whether any was new.
func (t *Tombstones) Add(ids ...wire.ID) bool {
	before := len(t.IDs)
	for _, id := range ids {
		if !t.Known[id] {
			if t.Known == nil {
				t.Known = make(map[wire.ID]bool)
			}
			t.Known[id] = true
			t.IDs = append(t.IDs, id)
		}
	}
	return len(t.IDs) > before
}

// with returns the index with some more ids.
func (t *Tombstones) with(ids []wire.ID) map[wire.ID]bool {
	all := make(map[wire.ID]bool, len(t.Known)+len(ids))
	maps.Copy(all, t.Known)
	for _, id := range ids {
		all[id] = true
	}
	return all
}

// Hash returns SHA-256 over the ids in ascending order, whatever the order of their arrival; zeros:
// there are none.
func (t *Tombstones) Hash() wire.Hash {
	if t.summed != len(t.IDs) {
		h := sha256.New()
		for _, id := range slices.SortedFunc(slices.Values(t.IDs), signedlist.CompareIDs) {
			h.Write(id[:])
		}
		t.sum, t.summed = wire.Hash(h.Sum(nil)), len(t.IDs)
	}
	return t.sum
}

// Masked is a grant that a list gives back although it is over: it stays shut.
type Masked struct{ Grant, Tenancy wire.ID }

// masked returns the list (nil: none) as it counts: what is over does not open, whatever the list
// says. The grants that it would open are returned in order.
func masked(l *signedlist.List, over map[wire.ID]bool) (*signedlist.List, []Masked) {
	if l == nil || len(over) == 0 {
		return l, nil
	}
	var shut []wire.Grant
	tenancies := make(map[wire.ID]wire.ID)
	for r := range l.Grants.All() {
		if r.State != wire.GrantRevoked && over[r.ID] {
			closed := *r
			closed.State = wire.GrantRevoked
			shut = append(shut, closed)
			tenancies[r.ID] = r.Tenancy
		}
	}
	if len(shut) == 0 {
		return l, nil
	}
	counts := *l
	v, err := viewOf(l).with(shut)
	if err != nil {
		return l, nil // never fails: rows and tables are those of l
	}
	counts.Grants = v.Grants
	var found []Masked
	for _, id := range slices.SortedFunc(maps.Keys(tenancies), signedlist.CompareIDs) {
		found = append(found, Masked{id, tenancies[id]})
	}
	return &counts, found
}
