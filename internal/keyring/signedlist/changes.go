package signedlist

import (
	"bytes"
	"iter"
	"slices"

	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

// CompareIDs orders ids by their bytes.
func CompareIDs(a, b wire.ID) int { return bytes.Compare(a[:], b[:]) }

// Ended returns the grants of which the list lets nothing open or come back, in order, without
// those that are over already.
func (l *List) Ended(over map[wire.ID]bool) []wire.ID {
	dead := make(map[wire.ID]bool)
	for r := range l.Grants.All() {
		if was, known := dead[r.ID]; !known || was {
			dead[r.ID] = r.State == wire.GrantRevoked && !over[r.ID]
		}
	}
	return those(dead)
}

// termKept is how long a grant stays in a list after its end at least, s.
const termKept = 30 * signedtime.Day

// Dropped returns the grants that the list (nil: none) names and the next one does not, in order,
// without those that were dropped because their term ended long ago: the time that is surely past
// (unix s) says so, and no clock makes an end for good.
func (l *List) Dropped(next *List, past int64) []wire.ID {
	if l == nil {
		return nil
	}
	gone := make(map[wire.ID]bool) // whether it has to be reported
	for r := range l.differing(next) {
		long := r.State == wire.GrantActive && r.Until != 0 && int64(r.Until)+termKept <= past
		gone[r.ID] = gone[r.ID] || !long
	}
	for r := range next.differing(l) {
		delete(gone, r.ID)
	}
	if len(gone) == 0 {
		return nil
	}
	for r := range next.Grants.All() {
		delete(gone, r.ID)
	}
	return those(gone)
}

// those returns the grants with the value true, in order.
func those(grants map[wire.ID]bool) (ids []wire.ID) {
	for id, is := range grants {
		if is {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, CompareIDs)
	return ids
}

// differing yields the records of l in buckets that differ from other's.
func (l *List) differing(other *List) iter.Seq[*wire.Grant] {
	same := l.Manifest.Bits == other.Manifest.Bits
	return func(yield func(*wire.Grant) bool) {
		for i, hash := range l.Manifest.Buckets {
			if same && other.Manifest.Buckets[i] == hash {
				continue
			}
			records := l.Grants.Bucket(i).Records()
			for j := range records {
				if !yield(&records[j]) {
					return
				}
			}
		}
	}
}

// Notices yields the notices in the list (nil: none), in its order; a list of the first format has
// none.
func (l *List) Notices() iter.Seq[*wire.Register] {
	return func(yield func(*wire.Register) bool) {
		for i := 0; l != nil && i < len(l.Manifest.Registers); i++ {
			if w := &l.Manifest.Registers[i]; w.Op == wire.OpNotice && w.Proof != wire.ProofRegistry && !yield(w) {
				return
			}
		}
	}
}

// NoticeEnd returns when a notice ends its grant by the list, unix s; 0: the list does not say.
func (l *List) NoticeEnd(c *wire.Change) uint32 {
	for w := range l.Notices() {
		if w.Grant == c.Grant && w.At >= c.At {
			return w.Until
		}
	}
	return 0
}
