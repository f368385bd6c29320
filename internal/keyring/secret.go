package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// SetBuildingKey takes the building's key where the gateway has none, writes it,
// and goes on with it at once. Where there is one it stays: the error wraps
// fs.ErrExist. Half a file of it is set aside: here the key comes again. A disk that fails is an error too, and nothing changes: the key
// can come again, a card that opens until the next start only helps nobody.
func (k *Keyring) SetBuildingKey(b *keys.BuildingKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b == nil {
		return errors.New("set building key: none given")
	}
	if have := k.building.Load(); have != nil {
		if *have == *b {
			return nil
		}
		return fmt.Errorf("set building key: number %d is there and stays: %w", have.Number(), fs.ErrExist)
	}
	if k.opts.Keys.Dir == "" {
		return errors.New("set building key: no folder of keys")
	}
	path := filepath.Join(k.opts.Keys.Dir, keys.BuildingKeyFile)
	if !keys.IsWhole(path) {
		k.aside.put(path)
	}
	if err := keys.SaveBuildingKey(path, b); err != nil {
		return fmt.Errorf("set building key: %w", err)
	}
	k.building.Store(b)
	k.readRecords() // nobody could read them before
	k.refresh()
	return nil
}

// ShareBuildingKey seals the building's key to the gateway of that address
// (building/gateway), by its public key of HPKE.
func (k *Keyring) ShareBuildingKey(kem []byte, address string) ([]byte, error) {
	b := k.building.Load()
	if b == nil {
		return nil, errors.New("share building key: there is none")
	}
	return b.Seal(kem, address)
}

// TakeBuildingKey opens what a sibling sealed to this gateway and sets it. That
// a gateway of the building sent it is the caller's to check.
func (k *Keyring) TakeBuildingKey(sealed []byte) error {
	r := k.registry.Load()
	if r == nil {
		return fmt.Errorf("take building key: %w: a house by itself has no siblings", ErrRefused)
	}
	b, err := keys.UnsealBuildingKey(r.KEM, r.Place.Address(), sealed)
	if err != nil {
		return fmt.Errorf("take building key: %w: %w", ErrRefused, err)
	}
	return k.SetBuildingKey(b)
}

// SealRecord encrypts a change for the gateways of the building (keys.BuildingKey).
func (k *Keyring) SealRecord(c wire.Change) ([]byte, error) {
	b := k.building.Load()
	if b == nil {
		return nil, errors.New("seal record: no building key")
	}
	return b.SealRecord(c)
}

// OpenRecord opens what SealRecord made at any gateway of the building.
func (k *Keyring) OpenRecord(sealed []byte) (wire.Change, error) {
	b := k.building.Load()
	if b == nil {
		return wire.Change{}, fmt.Errorf("open record: %w", keys.ErrOtherKey)
	}
	return b.OpenRecord(sealed)
}
