package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// Record is a tenancy record as it is handed to the issuer.
type Record struct {
	Number   uint64 // set by AddRecord
	Gateway  int64
	Line     uint64
	Record   uint64
	Envelope []byte
	Person   []byte // SHA-256; empty: none
	Stored   time.Time
}

// AddRecord stores a tenancy record with the next number of all, and its
// sealed person, if that came with it.
func (tx *Tx) AddRecord(r Record, sealed []byte) (uint64, error) {
	number, err := one(tx.query(`SELECT COALESCE(MAX(number), 0) + 1 FROM deliveries`))
	if err != nil {
		return 0, err
	}
	err = tx.exec(`INSERT INTO deliveries (number, gateway, line, record, envelope, person, stored_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		number, r.Gateway, int64(r.Line), int64(r.Record), r.Envelope, r.Person, r.Stored.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("record %d of line %016x: %w", r.Record, r.Line, err)
	}
	if len(sealed) > 0 {
		err = tx.AddPerson(sealed, r.Stored)
	}
	return uint64(number), err
}

// AddPerson stores a sealed person by its SHA-256.
func (tx *Tx) AddPerson(sealed []byte, at time.Time) error {
	hash := sha256.Sum256(sealed)
	return tx.exec(`INSERT INTO persons (hash, sealed, stored_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING`,
		hash[:], sealed, at.UnixMilli())
}

// Line returns how many records of a gateway's line are stored.
func (tx *Tx) Line(gateway int64, line uint64) (uint64, error) {
	n, err := one(tx.query(`SELECT COALESCE(MAX(record), 0) FROM deliveries WHERE gateway = $1 AND line = $2`, gateway, int64(line)))
	if err != nil {
		return 0, fmt.Errorf("read line: %w", err)
	}
	return uint64(n), nil
}

// SetLine keeps in which line a gateway numbers, and whether it must begin another.
func (tx *Tx) SetLine(gateway int64, line uint64, renew bool) error {
	return tx.exec(`INSERT INTO lines (gateway, line, renew) VALUES ($1, $2, $3)
		ON CONFLICT (gateway) DO UPDATE SET line = excluded.line, renew = excluded.renew`, gateway, int64(line), flag(renew))
}

// Record returns the envelope of a stored record, or ErrNotFound.
func (tx *Tx) Record(gateway int64, line, record uint64) (envelope []byte, err error) {
	rows, err := tx.query(`SELECT envelope FROM deliveries WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, int64(line), int64(record))
	if err := first(rows, err, &envelope); err != nil {
		return nil, fmt.Errorf("read record %d of line %016x: %w", record, line, err)
	}
	return envelope, nil
}

// HandAgain gives a stored record the next number of all, as if it had come now,
// so that who asks after a number gets it once more.
func (tx *Tx) HandAgain(gateway int64, line, record uint64) error {
	return tx.exec(`UPDATE deliveries SET number = (SELECT MAX(number) + 1 FROM deliveries) WHERE gateway = $1 AND line = $2 AND record = $3`,
		gateway, int64(line), int64(record))
}

// AddPending notes that the person of a stored record may still be with its maker.
func (tx *Tx) AddPending(gateway int64, line, record uint64) error {
	return tx.exec(`INSERT INTO owed (gateway, line, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, gateway, int64(line), int64(record))
}

// TakePending notes that the maker has brought a record itself, with what it has of
// its person. It reports whether that was pending.
func (tx *Tx) TakePending(gateway int64, line, record uint64) (bool, error) {
	n, err := one(tx.query(`SELECT COUNT(*) FROM owed WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, int64(line), int64(record)))
	if err != nil || n == 0 {
		return false, err
	}
	return true, tx.exec(`DELETE FROM owed WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, int64(line), int64(record))
}

// Pending returns the first record of a line whose person is pending; 0: none.
func (tx *Tx) Pending(gateway int64, line uint64) (uint64, error) {
	n, err := one(tx.query(`SELECT COALESCE(MIN(record), 0) FROM owed WHERE gateway = $1 AND line = $2`, gateway, int64(line)))
	return uint64(n), err
}

// Records calls each with the tenancy records above a number, in order, at
// most limit.
func (s *Store) Records(ctx context.Context, after uint64, limit int, call func(wire.Place, Record) error) error {
	return s.each(ctx, "read records", func(rows *sql.Rows) error {
		var p wire.Place
		var r Record
		if err := rows.Scan(&p.District, &p.Town, &p.Building, &p.Gateway,
			(*u64)(&r.Number), &r.Gateway, (*u64)(&r.Line), (*u64)(&r.Record), &r.Envelope, &r.Person, (*ms)(&r.Stored)); err != nil {
			return err
		}
		return call(p, r)
	}, `SELECT g.district, g.town, g.building, g.gateway,
		d.number, d.gateway, d.line, d.record, d.envelope, d.person, d.stored_at
		FROM deliveries d JOIN gateways g ON g.id = d.gateway WHERE d.number > $1 ORDER BY d.number LIMIT $2`, int64(after), limit)
}

// LastRecord returns the number of the newest tenancy record; 0: none.
func (s *Store) LastRecord(ctx context.Context) (uint64, error) {
	n, err := one(s.read.QueryContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM deliveries`))
	if err != nil {
		return 0, fmt.Errorf("read records: %w", err)
	}
	return uint64(n), nil
}

// Person returns a sealed person by its SHA-256, or ErrNotFound.
func (s *Store) Person(ctx context.Context, hash []byte) (sealed []byte, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT sealed FROM persons WHERE hash = $1`, hash)
	if err := first(rows, err, &sealed); err != nil {
		return nil, fmt.Errorf("read sealed person: %w", err)
	}
	return sealed, nil
}
