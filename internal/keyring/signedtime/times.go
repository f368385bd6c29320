// Package signedtime keeps what time was signed to a gateway: the highest by each key,
// and what witnesses alone have said, with how long none was heard. It waits for no disk.
package signedtime

import (
	"sync/atomic"
	"time"

	"gatehouse/sync/wire"
)

// Times are the times that were signed to a gateway. They are safe for concurrent use.
type Times struct {
	elapsed   func() time.Duration // the machine's own clock
	floors    floors
	witnessed witnessed
	undos     atomic.Uint64
}

// Marks are what is kept of them on disk.
type Marks struct {
	Floor  int64       // the highest of Floors, unix s
	Floors []FloorMark // the highest of each key's epoch
	Undos  uint64      // how often two issuers took one of these back
	WitnessedMarks
}

// New begins without any. elapsed is the machine's own clock, which nobody can set.
func New(elapsed func() time.Duration) *Times { return &Times{elapsed: elapsed} }

// Load takes what is on disk.
func (t *Times) Load(m Marks) {
	t.floors.load(m.Floors, m.Floor)
	t.witnessed.load(m.WitnessedMarks)
	t.undos.Store(m.Undos)
}

// Marks returns what is to be kept.
func (t *Times) Marks() Marks {
	return Marks{t.Floor(), t.floors.marks(), t.undos.Load(), t.witnessed.marks()}
}

// Own is the machine's own clock, in s.
func (t *Times) Own() int64 { return int64(t.elapsed() / time.Second) }

// Floor returns the highest signed time ever believed, unix s; 0 for none.
func (t *Times) Floor() int64 { return t.floors.top.Load() }

// Raise takes a time that a witness has signed, unix s, with the epoch of its key.
func (t *Times) Raise(unix int64, epoch uint64) {
	t.floors.raise(wire.RoleEpoch{Role: wire.RoleWitness, Epoch: epoch}, unix)
	t.witnessed.hear(unix, t.Own())
}

// HearList takes the time of a list, unix s, with the epoch of its issuer: all of it from
// the landlord, and from a registry no more than a day beyond what a witness has said.
func (t *Times) HearList(issued int64, epoch uint64, registry bool) {
	if registry {
		issued = t.witnessed.hearList(issued)
	}
	t.floors.raise(wire.RoleEpoch{Role: wire.RoleIssuer, Epoch: epoch}, issued)
}

// TakeBack drops the times that some keys have signed, and reports whether there were any.
func (t *Times) TakeBack(of func(wire.RoleEpoch) bool) bool {
	if !t.floors.drop(of) {
		return false
	}
	t.witnessed.lower(t.floors.highest(wire.RoleWitness))
	return true
}

// HighestSigned returns the highest time that was signed to this gateway, with the
// role and epoch of the key and the number of undos that were taken.
func (t *Times) HighestSigned() wire.Floor {
	by, at := t.floors.newest()
	return wire.Floor{Role: by.Role, Epoch: by.Epoch, Unix: uint32(max(0, min(at, 1<<32-1))), Undos: t.undos.Load()}
}

// Without returns what is to be kept when two issuers have taken back what one key has
// signed, which Undo does.
func (t *Times) Without(by wire.RoleEpoch) Marks {
	m := t.Marks()
	m.Undos++
	m.Floors, m.Floor = t.floors.without(by), 0
	for _, mark := range m.Floors {
		m.Floor = max(m.Floor, mark.At)
	}
	return m
}

// Undo takes back what one key has signed.
func (t *Times) Undo(by wire.RoleEpoch) {
	t.undos.Add(1)
	t.floors.drop(func(o wire.RoleEpoch) bool { return o == by })
	if by.Role == wire.RoleWitness {
		t.witnessed.lower(t.floors.highest(wire.RoleWitness))
	}
}

// Witnessed returns the highest time that a witness has signed, unix s; where none was
// heard yet, that of the first list.
func (t *Times) Witnessed() int64 { return t.witnessed.marks().At }

// Days are those of which the next list may bring the changes, at least 1.
func (t *Times) Days() int { return t.witnessed.days(t.Own()) }

// Refuse notes that a list waits.
func (t *Times) Refuse() { t.witnessed.refuse(t.Own()) }

// CaughtUp notes that a list is active: what was missed until now is here.
func (t *Times) CaughtUp() { t.witnessed.caughtUp(t.Own()) }
