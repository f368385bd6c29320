// Package signedlist defines verified lists of grants and compares them: which is the later,
// whether one descends from the other, what it drops. It is pure: no file, clock or lock.
package signedlist

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// List is a verified list. It is immutable, and holds no bytes but the envelope's: a bucket has one
// encoding, so its bytes can be made again.
type List struct {
	Envelope []byte
	Manifest wire.Manifest
	Hash     wire.Hash // of the manifest
	Second   []byte    // envelope of a second issuer's signature; empty: none
	Signer   wire.Protected
	Grants   *access.Grants // nil until Fill
	Removed  []wire.ID      // tenancies that it takes from by the word of one issuer
}

// ErrNewerFormat means a validly signed list of a format that this program does not read.
var ErrNewerFormat = errors.New("of a format that this program does not read")

// Open verifies the signature of a building's list by one of the keys and reads its
// manifest, of a format up to the newest. With ErrNewerFormat the list has its signer
// and version; with any other error, one of wire.Open or of the manifest, there is none.
func Open(envelope []byte, building string, newest uint64, keys []wire.Key) (*List, error) {
	expect := wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}
	payload, signer, err := wire.Open(envelope, expect, keys)
	if err != nil {
		return nil, err
	}
	if format, version := wire.ManifestFormat(payload); format > newest {
		return &List{Manifest: wire.Manifest{Version: version}, Signer: signer},
			fmt.Errorf("manifest: %w: %w: format %d, this gateway reads %d", ErrNewerFormat, wire.ErrMalformed, format, newest)
	}
	m, err := wire.DecodeManifest(payload)
	if err != nil {
		return nil, err
	}
	return &List{Envelope: bytes.Clone(envelope), Manifest: m, Hash: sha256.Sum256(payload), Signer: signer}, nil
}

// SignedBy returns the key that has signed the list; nil: none of them.
func (l *List) SignedBy(keys []wire.Key) *wire.Key {
	for i, key := range keys {
		if key.Epoch == l.Signer.Epoch && wire.IDOf(key.Public) == l.Signer.KeyID {
			return &keys[i]
		}
	}
	return nil
}

// CheckSecond verifies that another issuer than that of the manifest signed its hash.
func (l *List) CheckSecond(second []byte, building string, issuers []wire.Key) error {
	if len(second) == 0 {
		return errors.New("there is none")
	}
	payload, p, err := wire.Open(second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: building}, issuers)
	switch {
	case err != nil:
		return err
	case p.KeyID == l.Signer.KeyID:
		return errors.New("the same issuer has signed twice")
	case !bytes.Equal(payload, l.Hash[:]):
		return errors.New("it is for another list")
	}
	return nil
}

// Fill verifies and reads every bucket, on all cores; fetch returns the bytes of bucket i. Buckets
// that equal those of base are shared with it and not fetched.
func (l *List) Fill(base *List, fetch func(i int) []byte) error {
	buckets := make([]*access.Bucket, len(l.Manifest.Buckets))
	err := inParallel(len(buckets), func(i int) (err error) {
		if l.Shares(base, i) {
			buckets[i] = base.Grants.Bucket(i)
			return nil
		}
		grants, err := l.Manifest.DecodeBucket(i, fetch(i))
		if err != nil {
			return err
		}
		buckets[i], err = access.NewBucket(l.Manifest.Bits, grants)
		return err
	})
	if err != nil {
		return err
	}
	doors := access.Doors{IDs: l.Manifest.Doors, Sets: l.Manifest.DoorSets}
	l.Grants, err = access.NewGrants(doors, l.Manifest.Bits, buckets)
	return err
}

// Shares reports whether bucket i equals base's, byte for byte and with the same meaning: with
// fewer door sets it would have to be checked again.
func (l *List) Shares(base *List, i int) bool {
	return base != nil && base.Manifest.Bits == l.Manifest.Bits &&
		len(base.Manifest.DoorSets) <= len(l.Manifest.DoorSets) &&
		base.Manifest.Buckets[i] == l.Manifest.Buckets[i]
}

// Bucket encodes bucket i.
func (l *List) Bucket(i int) ([]byte, error) {
	b, err := wire.EncodeBucket(l.Grants.Bucket(i).Records())
	if err != nil {
		return nil, fmt.Errorf("bucket %d: %w", i, err)
	}
	return b, nil
}

// Buckets encodes all buckets, on all cores.
func (l *List) Buckets() ([][]byte, error) {
	all := make([][]byte, len(l.Manifest.Buckets))
	err := inParallel(len(all), func(i int) (err error) {
		all[i], err = l.Bucket(i)
		return err
	})
	return all, err
}

// BucketHashes hashes buckets, on all cores.
func BucketHashes(buckets [][]byte) []wire.Hash {
	all := make([]wire.Hash, len(buckets))
	_ = inParallel(len(all), func(i int) error { // hashing never fails
		all[i] = sha256.Sum256(buckets[i])
		return nil
	})
	return all
}

// inParallel calls f for 0 to n-1 on all cores and joins the errors, at most one from each worker.
// It returns when all workers are gone.
func inParallel(n int, f func(i int) error) error {
	var next atomic.Int64
	errs := make([]error, min(n, runtime.GOMAXPROCS(0)))
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = f(i)
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}
