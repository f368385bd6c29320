package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Documents are the signed documents for gateways: trust and house documents, lists, undos of
// times. It is part of a Tx.
type Documents struct{ conn }

// PutTrust stores a trust document.
func (d Documents) PutTrust(version uint64, envelope []byte) error {
	return d.exec(`INSERT INTO trust (version, envelope) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING`, version, envelope)
}

// Trusts returns the trust documents, the oldest first.
func (s *Store) Trusts(ctx context.Context) ([][]byte, error) {
	return list(s.reading(ctx), "read trust documents", itself[[]byte], `SELECT envelope FROM trust ORDER BY version`)
}

// marks creates schema version 4: the front's own proof that it verified a house document.
const marks = `ALTER TABLE houses ADD COLUMN mark BYTEA`

// briefs adds which tenancies logs name for a shorter time, for gateways that read format 6.
const briefs = `ALTER TABLE houses ADD COLUMN briefs BYTEA`

// House is the house document of a building, in all its formats.
type House struct {
	api.Document
	Mark []byte // the front's own proof that it verified it; empty: none
}

// PutHouse stores a house document, and replaces the previous one.
func (d Documents) PutHouse(h House, version uint64) error {
	err := d.exec(`INSERT INTO houses (building, version, envelope, mark, briefs) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (building) DO UPDATE SET version = excluded.version, envelope = excluded.envelope, mark = excluded.mark, briefs = excluded.briefs`,
		h.Building, version, h.Envelope, h.Mark, h.Briefs)
	if err == nil {
		err = d.exec(`DELETE FROM old_houses WHERE building = $1`, h.Building)
	}
	if err != nil || len(h.Old) == 0 {
		return err
	}
	return d.exec(`INSERT INTO old_houses (building, envelope) VALUES ($1, $2)`, h.Building, h.Old)
}

// SetMark stores the mark of a building's house document, which stays as it is.
func (d Documents) SetMark(building string, mark []byte) error {
	return wrap("mark of "+building, d.exec(`UPDATE houses SET mark = $1 WHERE building = $2`, mark, building))
}

// Houses yields the house documents of all buildings, in no order.
func (s *Store) Houses(ctx context.Context) iter.Seq2[House, error] {
	return rows(s.reading(ctx), "read house documents", func(h *House) []any { return []any{&h.Building, &h.Envelope, &h.Mark, &h.Briefs, &h.Old} },
		`SELECT h.building, h.envelope, h.mark, h.briefs, o.envelope FROM houses h LEFT JOIN old_houses o ON o.building = h.building`)
}

// PutUndo stores what undoes a signed time at a gateway, and replaces the previous one; an empty
// envelope deletes it.
func (d Documents) PutUndo(u api.Undo) error {
	err := d.exec(`DELETE FROM undos WHERE building = $1 AND gateway = $2`, u.Building, u.Gateway)
	if err != nil || len(u.Envelope) == 0 {
		return err
	}
	return d.exec(`INSERT INTO undos (building, gateway, envelope) VALUES ($1, $2, $3)`, u.Building, u.Gateway, u.Envelope)
}

// Undos returns the stored undos.
func (s *Store) Undos(ctx context.Context) ([]api.Undo, error) {
	return list(s.reading(ctx), "read undos of times", func(u *api.Undo) []any { return []any{&u.Building, &u.Gateway, &u.Envelope} },
		`SELECT building, gateway, envelope FROM undos ORDER BY building, gateway`)
}

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
	Stored    time.Time
}

// PutList stores the newest list of a building. keep are the hashes of all its buckets; buckets are
// the new ones among them. Other buckets are deleted.
func (d Documents) PutList(l List, buckets [][]byte, keep []wire.Hash) error {
	if err := d.putBuckets(l.Building, buckets, keep); err != nil {
		return fmt.Errorf("buckets of list %d: %w", l.Version, err)
	}
	twin, err := d.number("look for its version", `SELECT COUNT(*) FROM lists WHERE building = $1 AND version = $2 AND manifest IS NOT NULL`,
		l.Building, l.Version)
	if err == nil && twin > 0 {
		err = errors.New("one of its version is the newest")
	}
	if err == nil {
		err = d.exec(`UPDATE lists SET manifest = NULL, second = NULL WHERE building = $1 AND manifest IS NOT NULL`, l.Building)
	}
	if err == nil {
		err = d.exec(`DELETE FROM old_lists WHERE building = $1`, l.Building)
	}
	if err == nil && len(l.Old) > 0 {
		err = d.exec(`INSERT INTO old_lists (building, hash, manifest, second) VALUES ($1, $2, $3, $4)`, l.Building, l.OldHash, l.Old, l.OldSecond)
	}
	if err != nil {
		return fmt.Errorf("list %d: %w", l.Version, err)
	}
	return d.exec(`INSERT INTO lists (building, version, hash, stored_at, manifest, second) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (building, version) DO UPDATE SET hash = excluded.hash, stored_at = excluded.stored_at, manifest = excluded.manifest,
			second = excluded.second`,
		l.Building, l.Version, l.Hash, l.Stored, l.Manifest, l.Second)
}

// putBuckets stores buckets of a building, and deletes those that are not in keep.
func (d Documents) putBuckets(building string, buckets [][]byte, keep []wire.Hash) error {
	for _, body := range buckets {
		hash := sha256.Sum256(body)
		if err := d.exec(`INSERT INTO buckets (building, hash, body) VALUES ($1, $2, $3) ON CONFLICT (building, hash) DO NOTHING`,
			building, hash[:], body); err != nil {
			return err
		}
	}
	unused, err := d.bucketHashes(building)
	if err != nil {
		return err
	}
	for _, hash := range keep {
		delete(unused, hash)
	}
	for hash := range unused {
		if err := d.exec(`DELETE FROM buckets WHERE building = $1 AND hash = $2`, building, hash); err != nil {
			return err
		}
	}
	return nil
}

// SetSecond stores the second issuer's signature on the newest list of a building.
func (d Documents) SetSecond(building string, second, old []byte) error {
	if err := d.exec(`UPDATE lists SET second = $1 WHERE building = $2 AND manifest IS NOT NULL`, second, building); err != nil {
		return fmt.Errorf("second signature: %w", err)
	}
	return d.exec(`UPDATE old_lists SET second = $1 WHERE building = $2`, old, building)
}

// newestLists is the query for the fields of List.
const newestLists = `SELECT l.building, l.version, l.hash, l.stored_at, l.manifest, l.second, o.hash, o.manifest, o.second FROM lists l
	LEFT JOIN old_lists o ON o.building = l.building WHERE l.manifest IS NOT NULL`

func (l *List) fields() []any {
	return []any{&l.Building, &l.Version, &l.Hash, &l.Stored, &l.Manifest, &l.Second, &l.OldHash, &l.Old, &l.OldSecond}
}

// Lists yields the newest list of every building, in no order.
func (s *Store) Lists(ctx context.Context) iter.Seq2[List, error] {
	return rows(s.reading(ctx), "read lists", (*List).fields, newestLists)
}

// List returns the newest list of a building, or ErrNotFound.
func (s *Store) List(ctx context.Context, building string) (List, error) {
	var l List
	return l, s.reading(ctx).need("read list of "+building, l.fields(), newestLists+` AND l.building = $1`, building)
}

// Bucket returns a bucket of a building's newest list, or ErrNotFound.
func (s *Store) Bucket(ctx context.Context, building string, hash wire.Hash) (body []byte, err error) {
	return body, s.reading(ctx).need("read bucket of "+building, []any{&body}, `SELECT body FROM buckets WHERE building = $1 AND hash = $2`, building, hash)
}

// Buckets returns all buckets of a building that are stored.
func (s *Store) Buckets(ctx context.Context, building string) ([][]byte, error) {
	return list(s.reading(ctx), "read buckets of "+building, itself[[]byte], `SELECT body FROM buckets WHERE building = $1`, building)
}

// BucketHashes returns the hashes of a building's stored buckets.
func (s *Store) BucketHashes(ctx context.Context, building string) (map[wire.Hash]bool, error) {
	return s.reading(ctx).bucketHashes(building)
}

func (c conn) bucketHashes(building string) (map[wire.Hash]bool, error) {
	have := map[wire.Hash]bool{}
	for hash, err := range rows(c, "read buckets of "+building, itself[wire.Hash], `SELECT hash FROM buckets WHERE building = $1`, building) {
		if err != nil {
			return nil, err
		}
		have[hash] = true
	}
	return have, nil
}

// ErrGap means a part of a log that does not continue where the stored log ends.
var ErrGap = errors.New("something before it is missing")

// PutLog replaces a building's log from a position on: the issuer's newest version of its own log
// counts.
func (d Documents) PutLog(building string, from uint64, all []api.Logged) error {
	have, err := d.number("count it", `SELECT COUNT(*) FROM manifests WHERE building = $1`, building)
	if err == nil && have < from {
		err = fmt.Errorf("%w: %d, and it begins at %d", ErrGap, have, from)
	}
	if err == nil {
		err = d.exec(`DELETE FROM manifests WHERE building = $1 AND n >= $2`, building, from)
	}
	for i, l := range all {
		if err != nil {
			break
		}
		err = d.exec(`INSERT INTO manifests (building, n, hash, epoch, version, own) VALUES ($1, $2, $3, $4, $5, $6)`,
			building, from+uint64(i), l.Hash, l.Epoch, l.Version, l.Own)
	}
	return wrap("log of "+building, err)
}

// Log returns the first manifests of a building's log, at most `most`.
func (s *Store) Log(ctx context.Context, building string, most uint64) ([]api.Logged, error) {
	return list(s.reading(ctx), "read log of "+building, func(l *api.Logged) []any { return []any{&l.Hash, &l.Epoch, &l.Version, &l.Own} },
		`SELECT hash, epoch, version, own FROM manifests WHERE building = $1 AND n < $2 ORDER BY n`, building, min(most, 1<<62))
}

// Knows reports whether a manifest is in a building's log, or was published before there was a log.
func (d Documents) Knows(building string, hash wire.Hash) (bool, error) {
	n, err := d.number("look into the log of "+building, `SELECT (SELECT COUNT(*) FROM manifests WHERE building = $1 AND hash = $2)
		+ (SELECT COUNT(*) FROM lists WHERE building = $3 AND hash = $4)`, building, hash, building, hash)
	return n > 0, err
}
