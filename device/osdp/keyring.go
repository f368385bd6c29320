package osdp

import (
	"time"

	"gatehouse/device/osdp/protocol"
)

// Keys are the keys of one reader. Next was sent to the reader, or is about to be, and not yet
// proved: until then either may be the one that it has.
type Keys struct{ Current, Next *protocol.Key }

// KeyStore keeps the keys of one reader. Save returns when they are durable. Both
// are called from the goroutine of the bus, which waits for them.
type KeyStore interface {
	Load() (Keys, error)
	Save(Keys) error
}

// role is the role of a key.
type role uint8

const (
	roleNone    role = iota
	roleNext         // sent, not proved: tried first, the reader may have it
	roleCurrent      // proved
	roleDefault      // the one that everybody knows: only while the window is open
)

// keyring holds the keys of one reader and which of them is tried. For one goroutine.
type keyring struct {
	store  KeyStore
	keys   Keys
	loaded bool
	dirty  bool      // unsaved changes
	saved  time.Time // time of the last attempt to save

	trying   role
	rounds   int  // how often in a row all keys failed
	standard bool // the reader showed that it has the default key
	sends    int  // of KEYSET with the present key
}

// load reads the keys once. Weak keys are not used.
func (k *keyring) load() error {
	if k.loaded {
		return nil
	}
	keys, err := k.store.Load()
	if err != nil {
		return err
	}
	for _, key := range []*protocol.Key{keys.Current, keys.Next} {
		if key != nil && key.Weak() != nil {
			return key.Weak()
		}
	}
	k.keys, k.loaded = keys, true
	return nil
}

// save makes keys durable before it uses them.
func (k *keyring) save(keys Keys) error {
	if err := k.store.Save(keys); err != nil {
		return err
	}
	k.keys, k.loaded, k.dirty = keys, true, false
	return nil
}

func (k *keyring) key(r role) *protocol.Key {
	switch r {
	case roleNext:
		return k.keys.Next
	case roleCurrent:
		return k.keys.Current
	case roleDefault:
		key := protocol.DefaultKey()
		return &key
	}
	return nil
}

// pick returns the next key to try, from the present one on; roleNone: all failed.
func (k *keyring) pick(install bool) role {
	for r := max(k.trying, roleNext); r <= roleDefault; r++ {
		if k.key(r) != nil && (r != roleDefault || install) {
			k.trying = r
			return r
		}
	}
	k.trying = roleNone
	return roleNone
}

// restart begins a new round, with a key that was not sent yet.
func (k *keyring) restart() { k.trying, k.rounds, k.standard, k.sends = roleNone, 0, false, 0 }
