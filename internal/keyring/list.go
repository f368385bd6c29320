package keyring

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// list is a verified list. It is immutable, and holds no bytes but the
// envelope's: a bucket has one encoding, so it can be made again.
type list struct {
	envelope []byte
	manifest wire.Manifest
	hash     wire.Hash // of the manifest
	second   []byte    // envelope of a second issuer's signature; empty: none
	signer   wire.Protected
	grants   *access.Grants
	removed  []wire.ID // tenancies that it takes from by the word of one issuer; set by limit
}

// head verifies the signature of a list by one of the keys and reads its manifest.
// Callers hold mu.
func (k *Keyring) head(envelope []byte, keys []wire.Key) (*list, error) {
	expect := wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: k.opts.Building}
	payload, signer, err := wire.Open(envelope, expect, keys)
	if err != nil {
		return nil, err
	}
	m, err := wire.DecodeManifest(payload)
	if format, version := wire.ManifestFormat(payload); format > k.opts.Formats {
		err = fmt.Errorf("manifest: %w: %w: format %d, this gateway reads %d", ErrNewerFormat, wire.ErrMalformed, format, k.opts.Formats)
		k.refusal = &Refusal{signer.Epoch, version, ErrNewerFormat}
	}
	if err != nil {
		return nil, err
	}
	return &list{envelope: bytes.Clone(envelope), manifest: m, hash: sha256.Sum256(payload), signer: signer}, nil
}

// fill verifies and reads every bucket, on all cores; bucket i comes from
// fetch. Those that are the same as in base are shared with it and not fetched.
func (l *list) fill(base *list, fetch func(i int) []byte) error {
	buckets := make([]*access.Bucket, len(l.manifest.Buckets))
	err := inParallel(len(buckets), func(i int) (err error) {
		if l.shares(base, i) {
			buckets[i] = base.grants.Bucket(i)
			return nil
		}
		grants, err := l.manifest.DecodeBucket(i, fetch(i))
		if err != nil {
			return err
		}
		buckets[i], err = access.NewBucket(l.manifest.Bits, grants)
		return err
	})
	if err != nil {
		return err
	}
	doors := access.Doors{IDs: l.manifest.Doors, Sets: l.manifest.DoorSets}
	l.grants, err = access.NewGrants(doors, l.manifest.Bits, buckets)
	return err
}

// shares reports whether bucket i is base's, byte for byte and with the same
// meaning: with fewer door sets it would have to be judged anew.
func (l *list) shares(base *list, i int) bool {
	return base != nil && base.manifest.Bits == l.manifest.Bits &&
		len(base.manifest.DoorSets) <= len(l.manifest.DoorSets) &&
		base.manifest.Buckets[i] == l.manifest.Buckets[i]
}

// bucket makes the bytes of bucket i again.
func (l *list) bucket(i int) ([]byte, error) {
	b, err := wire.EncodeBucket(l.grants.Bucket(i).Records())
	if err != nil {
		return nil, fmt.Errorf("bucket %d: %w", i, err)
	}
	return b, nil
}

// List returns the list in force, for a tool that edits it or a stick that
// carries it; it is empty where there is none.
func (k *Keyring) List() (grantlist.List, error) {
	k.mu.Lock()
	l := k.list
	k.mu.Unlock()
	if l == nil {
		return grantlist.List{}, nil
	}
	out := grantlist.List{Manifest: bytes.Clone(l.envelope), Buckets: make([][]byte, len(l.manifest.Buckets))}
	err := inParallel(len(out.Buckets), func(i int) (err error) {
		out.Buckets[i], err = l.bucket(i)
		return err
	})
	if err != nil {
		return grantlist.List{}, fmt.Errorf("export list: %w", err)
	}
	return out, nil
}

// inParallel calls f for 0 to n-1 on all cores and joins the errors, at most one
// from each worker. It returns when all workers are gone.
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
