package grantlist

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// Draft is the next version of a list before its signature: its predecessor and its door tables.
// The landlord's Editor has one; a registry's issuer, whose own store has the grants, fills its
// own. It is for one goroutine.
type Draft struct {
	Building string
	Seen     []wire.Seen // records of the gateways that it is made with, ascending

	base  wire.Manifest // version 0: there was no list
	hash  wire.Hash     // of base; zeros: none
	doors Doors
}

// NewDraft makes the draft of a list's successor; the zero manifest: of none.
func NewDraft(building string, base wire.Manifest, hash wire.Hash) *Draft {
	return &Draft{Building: building, base: base, hash: hash, doors: DoorsOf(&base)}
}

// DoorSet finds or makes the set of these doors (Doors.Set).
func (d *Draft) DoorSet(ids []string) (uint16, error) { return d.doors.Set(ids) }

// Sign makes the version of these grants, which are in the order of a list, and
// returns it with all of its buckets in order. It is issued at now, but never
// before the list it follows: a tool whose clock is behind makes a good list.
func (d *Draft) Sign(grants []wire.Grant, now time.Time, key ed25519.PrivateKey, epoch uint64) (List, wire.Manifest, error) {
	l, m, err := d.sign(grants, now, key, epoch)
	if err != nil {
		return List{}, wire.Manifest{}, fmt.Errorf("sign list: %w", err)
	}
	return l, m, nil
}

func (d *Draft) sign(grants []wire.Grant, now time.Time, key ed25519.PrivateKey, epoch uint64) (l List, m wire.Manifest, err error) {
	issued, err := seconds(now)
	if err != nil {
		return l, m, fmt.Errorf("clock of this machine: %w", err)
	}
	m = wire.Manifest{Format: wire.ListFormat, Version: d.base.Version + 1, Previous: d.hash,
		Issued: max(issued, d.base.Issued), Doors: d.doors.IDs, DoorSets: d.doors.Sets, Seen: d.Seen}
	if l.Buckets, m.Bits, err = cut(grants, d.base.Bits); err != nil {
		return l, m, err
	}
	for _, b := range l.Buckets {
		m.Buckets = append(m.Buckets, sha256.Sum256(b))
	}
	payload, err := m.Encode()
	if err != nil {
		return l, m, err
	}
	p := wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: epoch, Address: d.Building}
	l.Manifest, err = wire.Sign(p, payload, key)
	return l, m, err
}

// Sign returns the next version, with the buckets that changed.
func (e *Editor) Sign(now time.Time) (Update, error) {
	l, m, err := e.Draft.Sign(e.Grants(), now, e.key, e.epoch)
	if err != nil {
		return Update{}, err
	}
	u := Update{Manifest: l.Manifest, Labels: e.labels}
	sent := make(map[wire.Hash]bool)
	for i, hash := range m.Buckets {
		same := len(e.base.Buckets) == len(m.Buckets) && e.base.Buckets[i] == hash
		if !same && !sent[hash] {
			sent[hash] = true
			u.Buckets = append(u.Buckets, l.Buckets[i])
		}
	}
	return u, nil
}

// cut slices sorted grants into buckets by at least k bits, by more where a
// bucket would pass wire.BucketSize and more are allowed. It never goes back to
// fewer: that would send the whole list again for nothing.
func cut(grants []wire.Grant, k uint8) ([][]byte, uint8, error) {
	for ; ; k++ {
		buckets, largest, err := cutBy(grants, k)
		if err == nil && largest <= wire.BucketSize || k == wire.MaxBucketBits {
			return buckets, k, err
		}
		if err != nil && !errors.Is(err, wire.ErrTooLarge) {
			return nil, 0, err
		}
	}
}

func cutBy(grants []wire.Grant, k uint8) (buckets [][]byte, largest int, err error) {
	buckets = make([][]byte, 1<<k)
	for i := range buckets {
		n := 0
		for n < len(grants) && grants[n].Credential.Bucket(k) == i {
			n++
		}
		if buckets[i], err = wire.EncodeBucket(grants[:n]); err != nil {
			return nil, 0, fmt.Errorf("bucket %d of %d: %w", i, len(buckets), err)
		}
		grants, largest = grants[n:], max(largest, len(buckets[i]))
	}
	return buckets, largest, nil
}
