package keys

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/device"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// anonymousKey is the key number of cards that nobody knows. No list holds it.
const anonymousKey = 255

// BuildingKey turns the cards of one building into CredentialIDs. It keeps card
// numbers out of files and messages; it does not hide them from whoever steals
// the key too, since a 26-bit card is found by trying them all.
type BuildingKey struct {
	number byte // 1 to 254
	secret [32]byte
}

// GenerateBuildingKey makes a random key with a number from 1 to 254. The
// number tells it from the keys before and after it.
func GenerateBuildingKey(number byte) (*BuildingKey, error) {
	if number == 0 || number == anonymousKey {
		return nil, fmt.Errorf("building key number %d: want 1 to 254", number)
	}
	k := &BuildingKey{number: number}
	_, _ = rand.Read(k.secret[:]) // never fails
	return k, nil
}

// Number returns the key's number, the first byte of its CredentialIDs.
func (k *BuildingKey) Number() byte { return k.number }

// Format keeps every verb of fmt from printing the key.
func (k *BuildingKey) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "building key %d", k.number) }

// Identify returns the id of a card: the key's number, then the first 16 bytes
// of HMAC-SHA256 over the bit length (2 bytes, big-endian) and the bits,
// left-justified and zero-padded.
func (k *BuildingKey) Identify(c device.Card) (id wire.CredentialID) {
	var memory [2 + device.MaxCardBits/8]byte
	sum := k.mac(c.AppendBytes(binary.BigEndian.AppendUint16(memory[:0], uint16(c.Len()))))
	id[0] = k.number
	copy(id[1:], sum[:])
	return id
}

// mac is HMAC-SHA256 (RFC 2104) of at most one card. crypto/hmac allocates nine times for it, and every card is
// named twice; a test holds the two against each other.
func (k *BuildingKey) mac(message []byte) [sha256.Size]byte {
	var inner [sha256.BlockSize + 2 + device.MaxCardBits/8]byte
	var outer [sha256.BlockSize + sha256.Size]byte
	for i := range sha256.BlockSize {
		inner[i], outer[i] = 0x36, 0x5c
	}
	for i, b := range k.secret {
		inner[i] ^= b
		outer[i] ^= b
	}
	n := sha256.BlockSize + copy(inner[sha256.BlockSize:], message)
	sum := sha256.Sum256(inner[:n])
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}

// Seal encrypts the key to a public key of HPKE, for the gateway of that address
// or for escrow: its number, then its 32 bytes.
func (k *BuildingKey) Seal(public []byte, address string) ([]byte, error) {
	if k == nil {
		return nil, errors.New("share building key: there is none")
	}
	plain := append([]byte{k.number}, k.secret[:]...)
	sealed, err := sealing.Seal(public, sealing.BuildingKey, address, plain)
	if err != nil {
		return nil, fmt.Errorf("seal building key: %w", err)
	}
	return sealed, nil
}

// UnsealBuildingKey opens what Seal made.
func UnsealBuildingKey(private []byte, address string, sealed []byte) (*BuildingKey, error) {
	plain, err := sealing.Unseal(private, sealing.BuildingKey, address, sealed)
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

// recordsLabel makes another key of the building's for tenancy records.
const recordsLabel = "gatehouse records v1"

// SealRecord encrypts a change for the gateways of the building: the number of
// the building's key, a random nonce of 12 bytes, then AES-256-GCM under
// HMAC-SHA256(building key, "gatehouse records v1"), without associated data.
func (k *BuildingKey) SealRecord(c wire.Change) ([]byte, error) {
	if k == nil {
		return nil, errors.New("seal record: no building key")
	}
	plain, err := wire.Encode(c)
	if err != nil {
		return nil, fmt.Errorf("seal record: %w", err)
	}
	return k.records().Seal([]byte{k.number}, nil, plain, nil), nil
}

// ErrOtherKey means a record under a building key that the gateway has not.
var ErrOtherKey = errors.New("sealed under another building key")

// OpenRecord opens what SealRecord made at any gateway of the building.
func (k *BuildingKey) OpenRecord(sealed []byte) (c wire.Change, err error) {
	if k == nil || len(sealed) > 0 && sealed[0] != k.number {
		return c, fmt.Errorf("open record: %w", ErrOtherKey)
	}
	plain, err := k.records().Open(nil, nil, sealed[min(1, len(sealed)):], nil)
	if err != nil {
		return c, fmt.Errorf("open record: %w: %w", wire.ErrMalformed, err)
	}
	if err := wire.Decode(plain, &c); err != nil {
		return wire.Change{}, fmt.Errorf("open record: %w", err)
	}
	return c, nil
}

func (k *BuildingKey) records() cipher.AEAD {
	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write([]byte(recordsLabel))
	return sealing.AES(mac.Sum(nil))
}
