package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// List is the newest list of a building.
type List struct {
	Building  string
	Version   uint64
	Hash      wire.Hash
	Manifest  []byte // envelope
	Second    []byte // envelope; empty: none
	OldHash   wire.Hash
	Old       []byte // envelope of the same list in the first format; empty: none
	OldSecond []byte
}

// PutList keeps the newest list of a building; keep names all its buckets, and
// buckets are those of them that came with it. What no list needs any more goes.
func (d Documents) PutList(l List, buckets [][]byte, keep []wire.Hash, at time.Time) error {
	for _, body := range buckets {
		hash := sha256.Sum256(body)
		if err := d.exec(`INSERT INTO buckets (building, hash, body) VALUES ($1, $2, $3) ON CONFLICT (building, hash) DO NOTHING`,
			l.Building, hash[:], body); err != nil {
			return fmt.Errorf("bucket: %w", err)
		}
	}
	have, err := bucketHashes(d.query(`SELECT hash FROM buckets WHERE building = $1`, l.Building))
	if err != nil {
		return fmt.Errorf("buckets: %w", err)
	}
	for _, hash := range keep {
		have[hash] = true
	}
	for hash, needed := range have {
		if !needed {
			if err := d.exec(`DELETE FROM buckets WHERE building = $1 AND hash = $2`, l.Building, hash[:]); err != nil {
				return fmt.Errorf("bucket: %w", err)
			}
		}
	}
	twin, err := one(d.query(`SELECT COUNT(*) FROM lists WHERE building = $1 AND version = $2 AND manifest IS NOT NULL`,
		l.Building, int64(l.Version)))
	if err == nil && twin > 0 {
		err = errors.New("one of its version is the newest")
	}
	if err != nil {
		return fmt.Errorf("list %d: %w", l.Version, err)
	}
	for _, statement := range []string{`UPDATE lists SET manifest = NULL, second = NULL WHERE building = $1 AND manifest IS NOT NULL`,
		`DELETE FROM old_lists WHERE building = $1`} {
		if err := d.exec(statement, l.Building); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	if len(l.Old) > 0 {
		if err := d.exec(`INSERT INTO old_lists (building, hash, manifest, second) VALUES ($1, $2, $3, $4)`, l.Building, l.OldHash[:], l.Old, l.OldSecond); err != nil {
			return fmt.Errorf("list: %w", err)
		}
	}
	return d.exec(`INSERT INTO lists (building, version, hash, stored_at, manifest, second) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (building, version) DO UPDATE SET hash = excluded.hash, stored_at = excluded.stored_at, manifest = excluded.manifest,
			second = excluded.second`,
		l.Building, int64(l.Version), l.Hash[:], at.UnixMilli(), l.Manifest, l.Second)
}

// SetSecond keeps a second issuer's word on the newest list of a building.
func (d Documents) SetSecond(building string, second, old []byte) error {
	if err := d.exec(`UPDATE lists SET second = $1 WHERE building = $2 AND manifest IS NOT NULL`, second, building); err != nil {
		return fmt.Errorf("second signature: %w", err)
	}
	return d.exec(`UPDATE old_lists SET second = $1 WHERE building = $2`, old, building)
}

// Lists calls each with the newest list of every building: of its bytes with the
// manifest of the newest format alone.
func (s *Store) Lists(ctx context.Context, call func(l List, stored time.Time) error) error {
	return s.each(ctx, "read lists", func(rows *sql.Rows) error {
		var l List
		var at time.Time
		if err := rows.Scan(&l.Building, (*u64)(&l.Version), bytesInto(l.Hash[:]), (*ms)(&at), &l.Manifest, bytesInto(l.OldHash[:])); err != nil {
			return err
		}
		return call(l, at)
	}, `SELECT l.building, l.version, l.hash, l.stored_at, l.manifest, o.hash FROM lists l
		LEFT JOIN old_lists o ON o.building = l.building WHERE l.manifest IS NOT NULL ORDER BY l.building`)
}

// List returns the newest list of a building, or ErrNotFound.
func (s *Store) List(ctx context.Context, building string) (List, error) {
	l := List{Building: building}
	rows, err := s.read.QueryContext(ctx, `SELECT l.version, l.hash, l.manifest, l.second, o.hash, o.manifest, o.second FROM lists l
		LEFT JOIN old_lists o ON o.building = l.building WHERE l.building = $1 AND l.manifest IS NOT NULL`, building)
	if err := first(rows, err, (*u64)(&l.Version), bytesInto(l.Hash[:]), &l.Manifest, &l.Second, bytesInto(l.OldHash[:]), &l.Old, &l.OldSecond); err != nil {
		return List{}, fmt.Errorf("read list of %s: %w", building, err)
	}
	return l, nil
}

// Bucket returns a bucket of a building's newest list, or ErrNotFound.
func (s *Store) Bucket(ctx context.Context, building string, hash wire.Hash) (body []byte, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT body FROM buckets WHERE building = $1 AND hash = $2`, building, hash[:])
	if err := first(rows, err, &body); err != nil {
		return nil, fmt.Errorf("read bucket of %s: %w", building, err)
	}
	return body, nil
}

// BucketHashes returns which buckets of a building are stored.
func (s *Store) BucketHashes(ctx context.Context, building string) (map[wire.Hash]bool, error) {
	have, err := bucketHashes(s.read.QueryContext(ctx, `SELECT hash FROM buckets WHERE building = $1`, building))
	if err != nil {
		return nil, fmt.Errorf("read buckets of %s: %w", building, err)
	}
	return have, nil
}

// bucketHashes returns a map that has each hash, with the value false.
func bucketHashes(rows *sql.Rows, err error) (map[wire.Hash]bool, error) {
	have := map[wire.Hash]bool{}
	err = each(rows, err, func() error {
		var b []byte
		if err := rows.Scan(&b); err != nil || len(b) != sha256.Size {
			return err
		}
		have[wire.Hash(b)] = false
		return nil
	})
	return have, err
}

// Logged is one manifest in the log of a building's lists.
type Logged struct {
	Hash    wire.Hash
	Epoch   uint64 // of the issuers' role that signed it
	Version uint64
	Own     bool // of the issuer of this registry, as it is now
}

// ErrGap means a part of a log that does not go on where what is stored ends.
var ErrGap = errors.New("something before it is missing")

// PutLog keeps a part of a building's log from a place on. What stood there goes:
// the issuer's word on its own log is the newer one.
func (d Documents) PutLog(building string, from uint64, all []Logged) error {
	have, err := one(d.query(`SELECT COUNT(*) FROM manifests WHERE building = $1`, building))
	if err == nil && uint64(have) < from {
		err = fmt.Errorf("%w: %d, and it begins at %d", ErrGap, have, from)
	}
	if err == nil {
		err = d.exec(`DELETE FROM manifests WHERE building = $1 AND n >= $2`, building, int64(from))
	}
	for i, l := range all {
		if err != nil {
			break
		}
		err = d.exec(`INSERT INTO manifests (building, n, hash, epoch, version, own) VALUES ($1, $2, $3, $4, $5, $6)`,
			building, int64(from)+int64(i), l.Hash[:], int64(l.Epoch), int64(l.Version), flag(l.Own))
	}
	if err != nil {
		return fmt.Errorf("log of %s: %w", building, err)
	}
	return nil
}

// Log returns the first manifests of a building's log, at most `most`.
func (s *Store) Log(ctx context.Context, building string, most uint64) (all []Logged, err error) {
	err = s.each(ctx, "read log of "+building, func(rows *sql.Rows) error {
		var l Logged
		err := rows.Scan(bytesInto(l.Hash[:]), (*u64)(&l.Epoch), (*u64)(&l.Version), &l.Own)
		all = append(all, l)
		return err
	}, `SELECT hash, epoch, version, own FROM manifests WHERE building = $1 AND n < $2 ORDER BY n`,
		building, int64(min(most, 1<<62)))
	return all, err
}

// Knows reports whether a manifest is in a building's log, or was handed in before
// there was one.
func (d Documents) Knows(building string, hash wire.Hash) (bool, error) {
	n, err := one(d.query(`SELECT (SELECT COUNT(*) FROM manifests WHERE building = $1 AND hash = $2)
		+ (SELECT COUNT(*) FROM lists WHERE building = $3 AND hash = $4)`, building, hash[:], building, hash[:]))
	if err != nil {
		return false, fmt.Errorf("look into the log of %s: %w", building, err)
	}
	return n > 0, nil
}
