package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
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
	var message [2 + device.MaxCardBits/8]byte
	binary.BigEndian.PutUint16(message[:], uint16(c.Len()))
	n := copy(message[2:], c.Bytes())
	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write(message[:2+n])
	id[0] = k.number
	copy(id[1:], mac.Sum(nil))
	return id
}

// Identify returns the id of a card in this building; it fails where the
// gateway has no building key.
func (k *Keyring) Identify(c device.Card) (wire.CredentialID, error) {
	b := k.building.Load()
	if b == nil {
		return wire.CredentialID{}, errors.New("identify card: no building key")
	}
	return b.Identify(c), nil
}

// IdentifyAll returns the ids of the card and of the forms in which readers of this
// and of other gateways see it (DeriveFor), its own first.
func (k *Keyring) IdentifyAll(c device.Card) ([]wire.CredentialID, error) {
	var ids []wire.CredentialID
	for _, form := range DeriveFor(c, slices.Concat(derived, k.opts.Shapes)) {
		id, err := k.Identify(form.Card)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Anonymous returns the id of a card under a random key that lives in memory
// only, until the next start and at most 24 h. It tells repeats from each other
// within a day, and leaves no track of strangers over days.
func (k *Keyring) Anonymous(c device.Card) wire.CredentialID { return k.daily.get().Identify(c) }

// dayLong is measured on the monotonic clock: setting the time makes no new key
// and keeps no old one.
const dayLong = 24 * time.Hour

type daily struct {
	mu   sync.Mutex
	key  *BuildingKey
	made time.Time
}

func (d *daily) get() *BuildingKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.key == nil || time.Since(d.made) >= dayLong {
		d.key, d.made = &BuildingKey{number: anonymousKey}, time.Now()
		_, _ = rand.Read(d.key.secret[:]) // never fails
	}
	return d.key
}
