package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"gatehouse/sync/wire"
)

// recordsLabel makes another key of the building's for tenancy records.
const recordsLabel = "gatehouse records v1"

// SealRecord encrypts a change for the gateways of the building: the number of
// the building's key, a random nonce of 12 bytes, then AES-256-GCM under
// HMAC-SHA256(building key, "gatehouse records v1"), without associated data.
func (b *BuildingKey) SealRecord(c wire.Change) ([]byte, error) {
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

// ErrOtherKey means a record under a building key that the gateway has not.
var ErrOtherKey = errors.New("sealed under another building key")

// OpenRecord opens what SealRecord made at any gateway of the building.
func (b *BuildingKey) OpenRecord(sealed []byte) (c wire.Change, err error) {
	if b == nil || len(sealed) > 0 && sealed[0] != b.number {
		return c, fmt.Errorf("open record: %w", ErrOtherKey)
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
