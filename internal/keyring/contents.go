package keyring

import (
	"gatehouse/sync/wire"
)

// Records returns what opens, in the order of lists: the list in force, with the
// changes made at the building that it has not settled; and the door ids of one
// record. Both stay as they are when something changes.
func (k *Keyring) Records() (records []wire.Grant, doors func(wire.Grant) []string) {
	k.mu.Lock()
	v := k.view
	k.mu.Unlock()
	if v.grants == nil {
		return nil, func(wire.Grant) []string { return nil }
	}
	for i := range 1 << v.grants.Bits() {
		records = append(records, v.grants.Bucket(i).Records()...)
	}
	return records, func(g wire.Grant) []string { return v.tables().Of(g.DoorSet) }
}
