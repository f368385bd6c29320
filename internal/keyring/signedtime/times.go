// Package signedtime keeps the times that were signed to a gateway: the highest by each key, the
// witnesses' own, and for how long no witness was heard. It waits for no disk.
package signedtime

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"gatehouse/sync/wire"
)

// Day is a day, in s.
const Day = 24 * 60 * 60

// Times are the times that were signed to a gateway, unix s. They are safe for
// concurrent use.
type Times struct {
	elapsed func() time.Duration // the machine's own clock

	mu sync.Mutex // guards the rest, and is held for no disk
	// by has the highest time by each key's role and epoch: when the root takes an epoch back, its
	// time goes too.
	by    map[wire.RoleEpoch]int64
	undos uint64
	// witnessed is the highest time of a witness, apart from the times in lists, which an issuer's
	// key alone could move; and for how long no witness was heard, by the machine's own clock,
	// which no signature can move: a thief of both keys gains no days of removals.
	witnessed WitnessedMarks
}

// Marks is the content of Times that is saved.
type Marks struct {
	Floor  int64       // the highest of Floors
	Floors []FloorMark // the highest of each key's epoch
	Undos  uint64      // how often two issuers took a time back
	WitnessedMarks
}

// FloorMark is the highest of one key's epoch.
type FloorMark struct {
	Role  wire.Role `json:"role,omitempty"` // empty: not known
	Epoch uint64    `json:"epoch,omitempty"`
	At    int64     `json:"at"`
}

// WitnessedMarks is what witnesses have signed.
type WitnessedMarks struct {
	At     int64   `json:"witnessed,omitempty"` // highest; where no witness was heard yet, of the first list; 0: none
	Absent absence `json:"absent,omitzero"`
}

// New begins without times. elapsed is the machine's own clock, which nobody can set.
func New(elapsed func() time.Duration) *Times {
	return &Times{elapsed: elapsed, by: make(map[wire.RoleEpoch]int64)}
}

// Load takes saved marks; older ones have only the highest time.
func (t *Times) Load(m Marks) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(m.Floors) == 0 && m.Floor != 0 {
		m.Floors = []FloorMark{{At: m.Floor}}
	}
	for _, f := range m.Floors {
		t.raise(wire.RoleEpoch{Role: f.Role, Epoch: f.Epoch}, f.At)
	}
	t.undos, t.witnessed = m.Undos, m.WitnessedMarks
}

// Marks returns what is to be saved.
func (t *Times) Marks() Marks {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := Marks{Undos: t.undos, WitnessedMarks: t.witnessed}
	for by, at := range t.by {
		m.Floors = append(m.Floors, FloorMark{by.Role, by.Epoch, at})
		m.Floor = max(m.Floor, at)
	}
	slices.SortFunc(m.Floors, func(a, b FloorMark) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Epoch, b.Epoch))
	})
	return m
}

// Own returns the machine's own clock, s.
func (t *Times) Own() int64 { return int64(t.elapsed() / time.Second) }

// Floor returns the highest signed time ever believed; 0 for none.
func (t *Times) Floor() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.highest("")
}

// highest returns the highest time of a role; empty: of all.
func (t *Times) highest(role wire.Role) (unix int64) {
	for by, at := range t.by {
		if role == "" || by.Role == role {
			unix = max(unix, at)
		}
	}
	return unix
}

// RaiseFloor takes a time that a witness has signed, with the epoch of its key.
func (t *Times) RaiseFloor(unix int64, epoch uint64) {
	t.mu.Lock()
	t.raise(wire.RoleEpoch{Role: wire.RoleWitness, Epoch: epoch}, unix)
	t.witnessed.At = max(t.witnessed.At, unix)
	t.mu.Unlock()
	t.absent((*absence).hear)
}

// absent applies a change to the absence, with the time of the own clock.
func (t *Times) absent(change func(a *absence, own int64)) {
	own := t.Own()
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.witnessed.Absent, own)
}

func (t *Times) raise(by wire.RoleEpoch, unix int64) { t.by[by] = max(t.by[by], unix) }

// HearList takes the time of a list and the epoch of its issuer: fully from the landlord, and from
// a registry at most a day beyond a witness's time. The first of all is believed where no witness
// was heard before.
func (t *Times) HearList(issued int64, epoch uint64, registry bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if registry {
		t.witnessed.At = cmp.Or(t.witnessed.At, issued)
		issued = min(issued, t.witnessed.At+Day)
	}
	t.raise(wire.RoleEpoch{Role: wire.RoleIssuer, Epoch: epoch}, issued)
}

// TakeBack drops the times that some keys have signed, and reports whether there were any.
func (t *Times) TakeBack(of func(wire.RoleEpoch) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.by)
	maps.DeleteFunc(t.by, func(by wire.RoleEpoch, _ int64) bool { return of(by) })
	if len(t.by) == before {
		return false
	}
	t.witnessed.At = min(t.witnessed.At, t.highest(wire.RoleWitness))
	return true
}

// HighestSigned returns the highest time that was signed to this gateway, with the role and epoch
// of the key and the number of undos that were taken.
func (t *Times) HighestSigned() wire.Floor {
	m := t.Marks()
	f := wire.Floor{Unix: uint32(max(0, min(m.Floor, 1<<32-1))), Undos: m.Undos}
	if i := slices.IndexFunc(m.Floors, func(o FloorMark) bool { return o.At == m.Floor }); i >= 0 && m.Floor > 0 {
		f.Role, f.Epoch = m.Floors[i].Role, m.Floors[i].Epoch
	}
	return f
}

// Undo takes back the times of one key by the word of two issuers, if the new marks can be saved.
func (t *Times) Undo(by wire.RoleEpoch, save func(Marks) error) error {
	after := New(t.elapsed)
	after.Load(t.Marks())
	after.undo(by)
	if err := save(after.Marks()); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo(by)
	return nil
}

func (t *Times) undo(by wire.RoleEpoch) {
	t.undos++
	delete(t.by, by)
	if by.Role == wire.RoleWitness {
		t.witnessed.At = min(t.witnessed.At, t.highest(wire.RoleWitness))
	}
}

// Witnessed returns the highest time that a witness has signed, or where none was heard yet that of
// the first list.
func (t *Times) Witnessed() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.witnessed.At
}

// Days returns of how many days the next list may bring the changes, at least 1.
func (t *Times) Days() int {
	own := t.Own()
	t.mu.Lock()
	defer t.mu.Unlock()
	return 1 + int(max(own-t.witnessed.Absent.since(own), 0)/Day)
}

// Refuse notes that a list waits.
func (t *Times) Refuse() {
	t.absent(func(a *absence, own int64) { a.Refused = max(a.since(own), 1) })
}

// CaughtUp notes that a list is active: what was missed until now is here.
func (t *Times) CaughtUp() {
	t.absent(func(a *absence, own int64) { *a = absence{Heard: max(a.Heard, own)} })
}

// absence is the time in which lists may have been missed, in s of the machine's own clock: while
// the gateway was away, and since it refused one. A list may take the share of each day since.
type absence struct {
	Heard   int64 `json:"heard,omitempty"`   // when a witness was heard last
	Left    int64 `json:"left,omitempty"`    // begin of the last absence of more than a day
	Back    int64 `json:"back,omitempty"`    // end of that absence
	Refused int64 `json:"refused,omitempty"` // since when a list waits
}

// hear notes that a witness was heard now.
func (a *absence) hear(own int64) {
	if a.Heard > 0 && own-a.Heard > Day {
		a.Left, a.Back = a.since(a.Heard), own
	}
	a.Heard = max(a.Heard, own)
}

// since returns from when on lists may have been missed. An absence counts for a day after it: by
// then the lists of that time are here, or one was refused.
func (a *absence) since(own int64) int64 {
	switch {
	case a.Refused != 0:
		return a.Refused
	case a.Back != 0 && own < a.Back+Day:
		return a.Left
	case a.Heard != 0:
		return a.Heard
	}
	return own
}
