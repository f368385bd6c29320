package osdp

import (
	"time"

	"gatehouse/device/osdp/protocol"
)

// Keys are the keys of one reader. Next was sent to the reader, or is about to
// be, and not yet proved: until then either may be the one that it has.
type Keys struct{ Current, Next *protocol.Key }

// KeyStore keeps the keys of one reader. Save returns when they are durable. Both
// are called from the goroutine of the bus, which waits for them.
type KeyStore interface {
	Load() (Keys, error)
	Save(Keys) error
}

// role is what a key is to us.
type role uint8

const (
	roleNone    role = iota
	roleNext         // sent, not proved: tried first, the reader may have it
	roleCurrent      // proved
	roleDefault      // everybody's: only while the window is open
)

// keyring is the keys of one reader and which of them is tried. For one goroutine.
type keyring struct {
	store  KeyStore
	keys   Keys
	loaded bool
	dirty  bool      // what is here could not be saved
	saved  time.Time // when that was last tried

	trying   role
	rounds   int  // all keys failed, so often in a row
	standard bool // the reader showed that it has the default key
	sends    int  // of KEYSET with the key at hand
}

// load reads the keys once. Keys that anybody would try are not used.
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

// save makes keys durable and only then ours.
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

// pick returns the key to try, from the one at hand on; roleNone when all failed.
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

// restart begins a new round, with a key that is not sent yet.
func (k *keyring) restart() { k.trying, k.rounds, k.standard, k.sends = roleNone, 0, false, 0 }
