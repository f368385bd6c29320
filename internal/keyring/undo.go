package keyring

import (
	"fmt"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// HighestSigned returns the highest time that was signed to this gateway, with the
// role and epoch of the key and the number of undos that were taken.
func (k *Keyring) HighestSigned() wire.Floor {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.highestSigned()
}

func (k *Keyring) highestSigned() wire.Floor {
	by, at := k.floors.Newest()
	return wire.Floor{Role: by.Role, Epoch: by.Epoch, Unix: uint32(max(0, min(at, 1<<32-1))), Undos: k.marks.Undos}
}

// Undo takes back the one time that two issuers name, once, and returns it. It is on
// disk when it counts. What is refused is ErrRefused, with ErrOtherFloor or an error
// of wire.Open.
func (k *Keyring) Undo(envelope []byte) (wire.Floor, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.registry.Load()
	if r == nil {
		return wire.Floor{}, fmt.Errorf("undo of a time: %w: a house by itself has no two issuers", ErrRefused)
	}
	f, err := keys.OpenUndo(envelope, r.Place, r.Trust)
	if err != nil {
		return f, fmt.Errorf("undo of a time: %w: %w", ErrRefused, err)
	}
	if f != k.highestSigned() {
		return f, fmt.Errorf("undo of a time: %w: %w", ErrRefused, keys.ErrOtherFloor)
	}
	by := wire.RoleEpoch{Role: f.Role, Epoch: f.Epoch}
	m := k.marks
	m.Undos++
	m.Floors = k.floors.Without(by)
	m.Floor = 0
	for _, mark := range m.Floors {
		m.Floor = max(m.Floor, mark.At)
	}
	if err := k.save(marksFile, m); err != nil {
		return f, fmt.Errorf("undo of a time: %w", err) // it comes again
	}
	k.marks = m
	k.floors.Drop(func(o wire.RoleEpoch) bool { return o == by })
	if f.Role == wire.RoleWitness {
		k.time.Lower(k.floors.Highest(wire.RoleWitness))
	}
	m.WitnessedMarks = k.time.Marks()
	k.saveMarks(m)
	return f, nil
}
