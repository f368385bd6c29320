package keys

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/device"
	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// Store holds the present keys of a gateway: its building's, and those that sign for it. It is safe
// for concurrent use: reads wait for no disk, and changes are serialised.
type Store struct {
	address string // of the building
	dir     string // empty: nothing can be stored
	pinned  []wire.Key

	daily    daily
	building atomic.Pointer[BuildingKey] // nil: none yet
	registry atomic.Pointer[Registry]    // nil: a standalone house
}

// daily is the random key for unknown cards. Its age is measured on the monotonic clock: setting
// the time makes no new key and keeps no old one.
type daily struct {
	mu   sync.Mutex
	key  *BuildingKey
	made time.Time
}

const dayLong = 24 * time.Hour

// NewStore starts with the loaded keys, for lists of a building.
func NewStore(k Keys, building string) *Store {
	s := &Store{address: building, dir: k.Dir, pinned: k.Issuers}
	s.building.Store(k.Building)
	s.registry.Store(k.Registry)
	return s
}

// Building returns the building's key; nil, which opens and seals nothing: there is none yet.
func (s *Store) Building() *BuildingKey { return s.building.Load() }

// Registry returns the present data of the registry; nil: a standalone house. It may not be
// changed.
func (s *Store) Registry() *Registry { return s.registry.Load() }

// Own returns the gateway's id in the building; empty in a standalone house.
func (s *Store) Own() string {
	if r := s.registry.Load(); r != nil {
		return r.Place.Gateway
	}
	return ""
}

// Issuers returns the keys whose lists are used: those that the root certifies, or in a standalone
// house those that were pinned by hand.
func (s *Store) Issuers() []wire.Key {
	if r := s.registry.Load(); r != nil {
		return r.Trust.Keyset(wire.RoleIssuer)
	}
	return s.pinned
}

// Identify returns the id of a card in this building; it fails where the
// gateway has no building key.
func (s *Store) Identify(c device.Card) (wire.CredentialID, error) {
	b := s.building.Load()
	if b == nil {
		return wire.CredentialID{}, errors.New("identify card: no building key")
	}
	return b.Identify(c), nil
}

// IdentifyAll returns the ids of cards, as Identify does.
func (s *Store) IdentifyAll(cards []device.Card) (ids []wire.CredentialID, err error) {
	for _, c := range cards {
		id, err := s.Identify(c)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Anonymous returns the id of a card under a random key that exists in memory only, until the next
// start and at most 24 h. It tells repeats from each other within a day, and leaves no track of
// strangers over days.
func (s *Store) Anonymous(c device.Card) wire.CredentialID {
	d := &s.daily
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.key == nil || time.Since(d.made) >= dayLong {
		d.key, d.made = &BuildingKey{number: anonymousKey}, time.Now()
		_, _ = rand.Read(d.key.secret[:]) // never fails
	}
	return d.key.Identify(c)
}

// OpenPass returns the pass in a scanned text, if one of Issuers signed it for this building: a key
// that the root has taken back opens nothing from then on. It needs no network and no clock. Errors
// are those of qrpass.Open.
func (s *Store) OpenPass(text string) (qrpass.Pass, error) {
	return qrpass.Open(text, s.address, s.Issuers())
}

// OpenClock returns a time that an issuer has signed for this building. The errors are those of
// wire.Open.
func (s *Store) OpenClock(envelope []byte) ([]byte, error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeClock, Role: wire.RoleIssuer, Address: s.address}, s.Issuers())
	return payload, err
}

// SetBuilding stores the building's key where the gateway has none, and uses it at once; set is
// false where it has this one. Another key stays: the error wraps fs.ErrExist. Half a file of it is
// passed to damaged, because the key comes again. A disk that fails is an error too, and nothing
// changes.
func (s *Store) SetBuilding(b *BuildingKey, damaged func(path string)) (set bool, err error) {
	if b == nil {
		return false, errors.New("set building key: none given")
	}
	if have := s.building.Load(); have != nil {
		if *have == *b {
			return false, nil
		}
		return false, fmt.Errorf("set building key: number %d is there and stays: %w", have.Number(), fs.ErrExist)
	}
	if s.dir == "" {
		return false, errors.New("set building key: no directory of keys")
	}
	path := filepath.Join(s.dir, BuildingKeyFile)
	if !isWhole(path) {
		damaged(path)
	}
	if err := SaveBuildingKey(path, b); err != nil {
		return false, fmt.Errorf("set building key: %w", err)
	}
	s.building.Store(b)
	return true, nil
}

// SetTrust writes a document of the root and uses it, even if it can't be written: the error says
// so.
func (s *Store) SetTrust(t wire.Trust, envelope []byte) error {
	next := *s.registry.Load()
	next.Trust, next.TrustEnvelope = t, bytes.Clone(envelope)
	return s.set(&next, TrustFile, envelope)
}

// SetHouse does the same with a document of an issuer. h is the part of it that counts.
func (s *Store) SetHouse(h wire.House, envelope []byte) error {
	next := *s.registry.Load()
	next.House, next.HouseEnvelope = h, bytes.Clone(envelope)
	return s.set(&next, HouseFile, envelope)
}

// MaskHouse restricts the loaded document to h.
func (s *Store) MaskHouse(h wire.House) {
	next := *s.registry.Load()
	next.House = h
	s.registry.Store(&next)
}

func (s *Store) set(next *Registry, file string, envelope []byte) error {
	defer s.registry.Store(next)
	if s.dir == "" {
		return errors.New("no directory of keys")
	}
	return durable.WriteFile(filepath.Join(s.dir, file), envelope, 0o600)
}
