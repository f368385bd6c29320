package keyring

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"

	"gatehouse/internal/access"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

// tombstones are the grants that are over for good: revoked or dropped by a list
// that was in force here, or ended at the building. Their ids are never used
// again, so whoever brings one back, a list of a registry that was set back, a
// sibling's record that was lost and found, or a broker that replays, is known
// for what it is. None is ever forgotten: 100,000 are 1.6 MB.
type tombstones struct {
	ids   []wire.ID // in the order in which they came: files are only appended to
	index map[wire.ID]bool

	sum    wire.Hash // over the first summed
	summed int
}

// add returns whether any was new.
func (t *tombstones) add(ids ...wire.ID) bool {
	before := len(t.ids)
	for _, id := range ids {
		if !t.index[id] {
			if t.index == nil {
				t.index = make(map[wire.ID]bool)
			}
			t.index[id] = true
			t.ids = append(t.ids, id)
		}
	}
	return len(t.ids) > before
}

// with returns the index with some more.
func (t *tombstones) with(ids []wire.ID) map[wire.ID]bool {
	all := make(map[wire.ID]bool, len(t.index)+len(ids))
	maps.Copy(all, t.index)
	for _, id := range ids {
		all[id] = true
	}
	return all
}

// hash is SHA-256 over the ids in ascending order, whatever the order in which
// they came; that of nothing is zeros.
func (t *tombstones) hash() wire.Hash {
	if t.summed != len(t.ids) {
		h := sha256.New()
		for _, id := range slices.SortedFunc(slices.Values(t.ids), compareIDs) {
			h.Write(id[:])
		}
		t.sum, t.summed = wire.Hash(h.Sum(nil)), len(t.ids)
	}
	return t.sum
}

func compareIDs(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }

// Masked is a grant that a list gives back although it is over: it stays shut.
type Masked struct{ Grant, Tenancy wire.ID }

// masked returns the list (nil: none) as it counts: what is over does not open,
// whatever the list says. The grants of which it says that they open are
// returned in order. It is pure.
func masked(l *list, over map[wire.ID]bool) (*list, []Masked) {
	if l == nil || len(over) == 0 {
		return l, nil
	}
	var shut []wire.Grant
	tenancies := make(map[wire.ID]wire.ID)
	for r := range l.grants.All() {
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
	counts.grants = replacedIn(l.grants, view{doors: l.manifest.Doors, sets: l.manifest.DoorSets}, shut)
	var found []Masked
	for _, id := range slices.SortedFunc(maps.Keys(tenancies), compareIDs) {
		found = append(found, Masked{id, tenancies[id]})
	}
	return &counts, found
}

// replacedIn returns the grants with some rows in the places of others; changed
// are in order, and like the tables already.
func replacedIn(g *access.Grants, v view, changed []wire.Grant) *access.Grants {
	buckets := make([]*access.Bucket, 1<<g.Bits())
	for i := range buckets {
		buckets[i] = g.Bucket(i)
	}
	if err := replaceRows(buckets, g.Bits(), changed); err != nil {
		return g // never: the rows are those of g, in its order
	}
	next, err := access.NewGrants(access.Doors{IDs: v.doors, Sets: v.sets}, g.Bits(), buckets)
	if err != nil {
		return g // never: the tables are those of g
	}
	return next
}

// ended returns the grants that a list names and of which it lets nothing open
// or come back, in order, but those that are over already.
func ended(l *list, over map[wire.ID]bool) (ids []wire.ID) {
	dead := make(map[wire.ID]bool)
	for r := range l.grants.All() {
		if was, known := dead[r.ID]; !known || was {
			dead[r.ID] = r.State == wire.GrantRevoked
		}
	}
	for id, is := range dead {
		if is && !over[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// termKept is how long after its end a grant stays in a list at least.
const termKept = 30 * signedtime.Day

// dropped returns the grants that a list names and the next one does not, in
// order, but those whose term is over for so long that this is why: the time that
// is surely past says so, and no clock makes an end for good. It is pure.
func dropped(l, next *list, past int64) (ids []wire.ID) {
	if l == nil {
		return nil
	}
	gone := make(map[wire.ID]bool) // whether it has to be told
	for r := range differing(l, next) {
		long := r.State == wire.GrantActive && r.Until != 0 && int64(r.Until)+termKept <= past
		gone[r.ID] = gone[r.ID] || !long
	}
	for r := range differing(next, l) {
		delete(gone, r.ID)
	}
	if len(gone) == 0 {
		return nil
	}
	for r := range next.grants.All() {
		delete(gone, r.ID)
	}
	for id, tell := range gone {
		if tell {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}
