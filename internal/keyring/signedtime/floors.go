package signedtime

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"gatehouse/sync/wire"
)

// floors are the highest times that were signed, unix s, each with the key's role
// and epoch: when the root takes back what an epoch has said, its time goes too.
type floors struct {
	mu  sync.Mutex
	by  map[wire.RoleEpoch]int64
	top atomic.Int64 // the highest of all
}

// FloorMark is one of them on disk.
type FloorMark struct {
	Role  wire.Role `json:"role,omitempty"` // empty: not known
	Epoch uint64    `json:"epoch,omitempty"`
	At    int64     `json:"at"`
}

// load takes what is on disk: the highest alone, where it was written before they
// were kept apart.
func (f *floors) load(marks []FloorMark, highest int64) {
	if len(marks) == 0 && highest != 0 {
		marks = []FloorMark{{At: highest}}
	}
	for _, m := range marks {
		f.raise(wire.RoleEpoch{Role: m.Role, Epoch: m.Epoch}, m.At)
	}
}

// raise takes a time that a key of that role and epoch has signed.
func (f *floors) raise(by wire.RoleEpoch, unix int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = make(map[wire.RoleEpoch]int64)
	}
	f.by[by] = max(f.by[by], unix)
	f.top.Store(max(f.top.Load(), unix))
}

// drop forgets those of some keys and reports whether there were any.
func (f *floors) drop(of func(wire.RoleEpoch) bool) (dropped bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	top := int64(0)
	for by, at := range f.by {
		if of(by) {
			delete(f.by, by)
			dropped = true
		} else {
			top = max(top, at)
		}
	}
	f.top.Store(top)
	return dropped
}

// highest is that of a role.
func (f *floors) highest(role wire.Role) (unix int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for by, at := range f.by {
		if by.Role == role {
			unix = max(unix, at)
		}
	}
	return unix
}

// newest is the highest of all, with the key that signed it.
func (f *floors) newest() (of wire.RoleEpoch, unix int64) {
	for _, m := range f.marks() {
		if m.At > unix {
			of, unix = wire.RoleEpoch{Role: m.Role, Epoch: m.Epoch}, m.At
		}
	}
	return of, unix
}

// marks are all of them, as they are kept on disk.
func (f *floors) marks() []FloorMark {
	return f.marksBut(func(wire.RoleEpoch) bool { return false })
}

// without are the marks but that of one key.
func (f *floors) without(by wire.RoleEpoch) []FloorMark {
	return f.marksBut(func(o wire.RoleEpoch) bool { return o == by })
}

func (f *floors) marksBut(not func(wire.RoleEpoch) bool) (all []FloorMark) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for by, at := range f.by {
		if !not(by) {
			all = append(all, FloorMark{by.Role, by.Epoch, at})
		}
	}
	slices.SortFunc(all, func(a, b FloorMark) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Epoch, b.Epoch))
	})
	return all
}
