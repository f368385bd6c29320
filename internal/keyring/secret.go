package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gatehouse/sync/wire"
)

// recordsLabel makes another key of the building's for tenancy records.
const recordsLabel = "gatehouse records v1"

// SetBuildingKey takes the building's key where the gateway has none, writes it,
// and goes on with it at once. Where there is one it stays: the error wraps
// fs.ErrExist. Half a file of it is set aside: here the key comes again. A disk that fails is an error too, and nothing changes: the key
// can come again, a card that opens until the next start only helps nobody.
func (k *Keyring) SetBuildingKey(b *BuildingKey) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b == nil {
		return errors.New("set building key: none given")
	}
	if have := k.building.Load(); have != nil {
		if *have == *b {
			return nil
		}
		return fmt.Errorf("set building key: number %d is there and stays: %w", have.number, fs.ErrExist)
	}
	if k.opts.Keys.Dir == "" {
		return errors.New("set building key: no folder of keys")
	}
	path := filepath.Join(k.opts.Keys.Dir, BuildingKeyFile)
	if !isWhole(path) {
		k.putAside(path)
	}
	if err := SaveBuildingKey(path, b); err != nil {
		return fmt.Errorf("set building key: %w", err)
	}
	k.building.Store(b)
	k.readRecords() // nobody could read them before
	k.refresh()
	return nil
}

// Seal encrypts the key to a public key of HPKE, for the gateway of that address
// or for escrow: its number, then its 32 bytes.
func (b *BuildingKey) Seal(public []byte, address string) ([]byte, error) {
	plain := append([]byte{b.number}, b.secret[:]...)
	sealed, err := wire.Seal(public, wire.SealBuildingKey, address, plain)
	if err != nil {
		return nil, fmt.Errorf("seal building key: %w", err)
	}
	return sealed, nil
}

// UnsealBuildingKey opens what Seal made.
func UnsealBuildingKey(private []byte, address string, sealed []byte) (*BuildingKey, error) {
	plain, err := wire.Unseal(private, wire.SealBuildingKey, address, sealed)
	if err != nil {
		return nil, fmt.Errorf("unseal building key: %w", err)
	}
	b := &BuildingKey{}
	if len(plain) != 1+len(b.secret) || plain[0] == 0 || plain[0] == anonymousKey {
		return nil, fmt.Errorf("unseal building key: %w: no number from 1 to 254, or not 32 bytes", wire.ErrMalformed)
	}
	b.number, b.secret = plain[0], [32]byte(plain[1:])
	return b, nil
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
	b, err := UnsealBuildingKey(r.KEM, r.Place.Address(), sealed)
	if err != nil {
		return fmt.Errorf("take building key: %w: %w", ErrRefused, err)
	}
	return k.SetBuildingKey(b)
}

// SealRecord encrypts a change for the gateways of the building: the number of
// the building's key, a random nonce of 12 bytes, then AES-256-GCM under
// HMAC-SHA256(building key, "gatehouse records v1"), without associated data.
func (k *Keyring) SealRecord(c wire.Change) ([]byte, error) {
	b := k.building.Load()
	if b == nil {
		return nil, errors.New("seal record: no building key")
	}
	plain, err := wire.Encode(c)
	if err != nil {
		return nil, fmt.Errorf("seal record: %w", err)
	}
	aead := b.records()
	out := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	out[0] = b.number
	_, _ = rand.Read(out[1:]) // never fails
	return aead.Seal(out, out[1:], plain, nil), nil
}

// errOtherKey means a record under a building key that the gateway has not.
var errOtherKey = errors.New("sealed under another building key")

// OpenRecord opens what SealRecord made at any gateway of the building.
func (k *Keyring) OpenRecord(sealed []byte) (c wire.Change, err error) {
	b := k.building.Load()
	if b == nil || len(sealed) > 0 && sealed[0] != b.number {
		return c, fmt.Errorf("open record: %w", errOtherKey)
	}
	aead := b.records()
	if len(sealed) < 1+aead.NonceSize() {
		return c, fmt.Errorf("open record: %w: %d bytes", wire.ErrMalformed, len(sealed))
	}
	plain, err := aead.Open(nil, sealed[1:1+aead.NonceSize()], sealed[1+aead.NonceSize():], nil)
	if err != nil {
		return c, fmt.Errorf("open record: %w: %w", wire.ErrMalformed, err)
	}
	if err := wire.Decode(plain, &c); err != nil {
		return wire.Change{}, fmt.Errorf("open record: %w", err)
	}
	return c, nil
}

func (b *BuildingKey) records() cipher.AEAD {
	mac := hmac.New(sha256.New, b.secret[:])
	mac.Write([]byte(recordsLabel))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}
