package fleet

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/sync/uplink"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// keyring is that of a light gateway, in memory: it verifies every document, and of a list it keeps
// which one it is. It is safe for concurrent use.
type keyring struct {
	place wire.Place
	root  ed25519.PublicKey

	mu      sync.Mutex
	trust   wire.Trust
	house   wire.House
	state   lists.State
	buckets []wire.Hash // of the active list
	since   time.Time   // when that became active
	floor   wire.Floor
	moved   chan struct{} // closed with the next list
}

func newKeyring(place wire.Place, root ed25519.PublicKey, trust wire.Trust, house wire.House) *keyring {
	return &keyring{place: place, root: root, trust: trust, house: house, state: lists.State{HasKey: true, KeyNumber: 1}, moved: make(chan struct{})}
}

// active returns the version of the active list, since when it is active, and a channel that is
// closed with the next one.
func (k *keyring) active() (version uint64, since time.Time, moved <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state.Version, k.since, k.moved
}

func (k *keyring) Trust() wire.Trust { k.mu.Lock(); defer k.mu.Unlock(); return k.trust }

func (k *keyring) House() wire.House { k.mu.Lock(); defer k.mu.Unlock(); return k.house }

func (k *keyring) Lists() lists.State { k.mu.Lock(); defer k.mu.Unlock(); return k.state }

// errOlder is what there is against what is older than what is active.
var errOlder = &uplink.Judged{Err: errors.New("older than what is active"), Reason: wire.ReasonRolledBack}

func (k *keyring) SetTrust(envelope []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	t, err := keys.OpenTrust(envelope, k.root, k.trust.Registry)
	if err == nil && t.Version < k.trust.Version {
		err = errOlder
	}
	if err == nil {
		k.trust = t
	}
	return err
}

func (k *keyring) SetHouse(envelope []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, err := keys.OpenHouse(envelope, k.trust, k.place.Building)
	if err == nil && h.Version < k.house.Version {
		err = errOlder
	}
	if err == nil {
		k.house = h
	}
	return err
}

// open verifies a list's manifest, and returns it with its hash and its signer's epoch. k.mu is held.
func (k *keyring) open(envelope []byte) (m wire.Manifest, hash wire.Hash, epoch uint64, err error) {
	payload, p, err := wire.Open(envelope, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: k.place.Building}, k.trust.Keyset(wire.RoleIssuer))
	if err == nil {
		m, err = wire.DecodeManifest(payload)
	}
	if err == nil && m.Version < k.state.Version {
		err = errOlder
	}
	return m, sha256.Sum256(payload), p.Epoch, err
}

// lacking returns the buckets of a list that are neither here nor given. k.mu is held.
func (k *keyring) lacking(m wire.Manifest, given [][]byte) (missing []wire.Hash) {
	have := map[wire.Hash]bool{}
	for _, h := range k.buckets {
		have[h] = true
	}
	for _, b := range given {
		have[sha256.Sum256(b)] = true
	}
	for _, h := range m.Buckets {
		if !have[h] {
			missing = append(missing, h)
		}
	}
	return missing
}

func (k *keyring) Missing(manifest []byte, _ lists.Proof) ([]wire.Hash, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, _, _, err := k.open(manifest)
	return k.lacking(m, nil), err
}

func (k *keyring) Apply(l lists.List) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	m, hash, epoch, err := k.open(l.Manifest)
	if err != nil || m.Version == k.state.Version {
		return err
	}
	if len(k.lacking(m, l.Buckets)) > 0 {
		return errors.New("a bucket of the list is missing")
	}
	k.state.Version, k.state.Active, k.state.Hash, k.state.Issued = m.Version, m.Version, hash, time.Unix(int64(m.Issued), 0)
	k.state.Epoch, k.state.ActiveEpoch = epoch, epoch
	k.buckets, k.since = m.Buckets, time.Now()
	close(k.moved)
	k.moved = make(chan struct{})
	return nil
}

// Holding returns nothing: a light gateway keeps no bytes of its lists.
func (k *keyring) Holding() (lists.Holding, error) { return lists.Holding{}, nil }

// errAlone is for what only siblings ask: a light gateway has none.
var errAlone = errors.New("the building has one gateway")

func (k *keyring) Inherit(lists.Holding) error { return errAlone }

func (k *keyring) ShareBuildingKey([]byte, string) ([]byte, error) { return nil, errAlone }

func (k *keyring) TakeBuildingKey([]byte) error { return errAlone }

func (k *keyring) Undo([]byte) (wire.Floor, error) {
	return wire.Floor{}, errors.New("no time was signed that has to be taken back")
}

func (k *keyring) Floor() int64 { return int64(k.HighestSigned().Unix) }

func (k *keyring) HighestSigned() wire.Floor { k.mu.Lock(); defer k.mu.Unlock(); return k.floor }

func (k *keyring) RaiseFloor(unix int64, epoch uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if unix > int64(k.floor.Unix) {
		k.floor.Role, k.floor.Epoch, k.floor.Unix = wire.RoleWitness, epoch, uint32(unix)
	}
}
