package keyring

import (
	"fmt"

	"gatehouse/sync/wire"
)

// Records returns what the list in force says, in its order, and the door ids
// of one record. Both stay as they are when a new list comes.
func (k *Keyring) Records() (records []wire.Grant, doors func(wire.Grant) []string) {
	k.mu.Lock()
	l := k.list
	k.mu.Unlock()
	if l == nil {
		return nil, func(wire.Grant) []string { return nil }
	}
	for i := range l.manifest.Buckets {
		records = append(records, grantsOf(l.grants.Bucket(i).Records())...)
	}
	return records, func(g wire.Grant) []string { return doorsOf(l.manifest.Doors, l.manifest.DoorSets, g) }
}

// ParseCredential reads a CredentialID as its String writes it.
func ParseCredential(text string) (id wire.CredentialID, err error) {
	var h hexCredential
	if err := h.UnmarshalText([]byte(text)); err != nil {
		return id, fmt.Errorf("credential id: %w", err)
	}
	return wire.CredentialID(h), nil
}
