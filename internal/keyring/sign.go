package keyring

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// doorSet finds or makes the set of these doors. Tables only grow, so that the
// records that stand keep their meaning.
func (e *Editor) doorSet(ids []string) (uint16, error) {
	if len(ids) == 0 {
		return 0, errors.New("no door")
	}
	doors := slices.Clone(e.doors)
	var set []uint16
	for _, id := range ids {
		if !wire.ValidName(id, false) {
			return 0, errors.New("a door id is [a-z0-9-]{1,32}")
		}
		i := slices.Index(doors, id)
		if i < 0 {
			i, doors = len(doors), append(doors, id)
		}
		set = append(set, uint16(i))
	}
	slices.Sort(set)
	set = slices.Compact(set)
	for i, other := range e.sets {
		if slices.Equal(other, set) {
			return uint16(i), nil
		}
	}
	if len(doors) > 1<<16-1 || len(e.sets) >= 1<<16-1 {
		return 0, errors.New("too many doors or sets of doors")
	}
	e.doors, e.sets = doors, append(slices.Clip(e.sets), set)
	return uint16(len(e.sets) - 1), nil
}

// Sign returns the next version, with the buckets that changed. It is issued
// at now, but never before the list it follows: a tool whose clock is behind
// makes a good list.
func (e *Editor) Sign(now time.Time) (Update, error) {
	issued, err := seconds(now)
	if err != nil {
		return Update{}, fmt.Errorf("sign list: clock of this machine: %w", err)
	}
	m := wire.Manifest{Format: wire.ListFormat, Version: e.base.Version + 1, Previous: e.hash,
		Issued: max(issued, e.base.Issued), Doors: e.doors, DoorSets: e.sets}
	buckets, bits, err := cut(e.Grants(), e.base.Bits)
	if err != nil {
		return Update{}, fmt.Errorf("sign list: %w", err)
	}
	m.Bits = bits
	u := Update{Labels: e.labels}
	sent := make(map[wire.Hash]bool)
	for i, b := range buckets {
		hash := wire.Hash(sha256.Sum256(b))
		m.Buckets = append(m.Buckets, hash)
		same := len(e.base.Buckets) == len(buckets) && e.base.Buckets[i] == hash
		if !same && !sent[hash] {
			sent[hash] = true
			u.Buckets = append(u.Buckets, b)
		}
	}
	payload, err := m.Encode()
	if err != nil {
		return Update{}, fmt.Errorf("sign list: %w", err)
	}
	p := wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: e.epoch, Address: e.building}
	if u.Manifest, err = wire.Sign(p, payload, e.key); err != nil {
		return Update{}, fmt.Errorf("sign list: %w", err)
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
