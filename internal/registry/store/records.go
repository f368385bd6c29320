package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// AddRecord stores a tenancy record of a gateway under the next number of all records (r.Number and
// r.Place are ignored), and its sealed person, if that came along.
func (tx *Tx) AddRecord(gateway int64, r api.Delivery, sealed []byte) error {
	err := tx.exec(`INSERT INTO deliveries (number, gateway, line, record, envelope, person, stored_at)
		VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM deliveries), $1, $2, $3, $4, $5, $6)`,
		gateway, r.Line, r.Record, r.Envelope, r.PersonHash, r.Stored)
	if err != nil {
		return fmt.Errorf("record %d of line %016x: %w", r.Record, r.Line, err)
	}
	if len(sealed) == 0 {
		return nil
	}
	return tx.AddPerson(sealed, r.Stored)
}

// AddPerson stores a sealed person by its SHA-256.
func (tx *Tx) AddPerson(sealed []byte, at time.Time) error {
	hash := sha256.Sum256(sealed)
	return tx.exec(`INSERT INTO persons (hash, sealed, stored_at) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING`,
		hash[:], sealed, at)
}

// Line returns the number of stored records of a gateway's line.
func (tx *Tx) Line(gateway int64, line uint64) (uint64, error) {
	return tx.number("read line", `SELECT MAX(record) FROM deliveries WHERE gateway = $1 AND line = $2`, gateway, line)
}

// SetLine stores the line in which a gateway numbers its records, and whether it must begin
// another.
func (tx *Tx) SetLine(gateway int64, line uint64, renew bool) error {
	return tx.exec(`INSERT INTO lines (gateway, line, renew) VALUES ($1, $2, $3)
		ON CONFLICT (gateway) DO UPDATE SET line = excluded.line, renew = excluded.renew`, gateway, line, renew)
}

// Record returns the envelope of a stored record, or ErrNotFound.
func (tx *Tx) Record(gateway int64, line, record uint64) (envelope []byte, err error) {
	return envelope, tx.need(fmt.Sprintf("read record %d of line %016x", record, line), []any{&envelope},
		`SELECT envelope FROM deliveries WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, line, record)
}

// HandAgain gives a stored record the next number of all records, as if it had just come, so that
// readers of Records get it again.
func (tx *Tx) HandAgain(gateway int64, line, record uint64) error {
	return tx.exec(`UPDATE deliveries SET number = (SELECT MAX(number) + 1 FROM deliveries) WHERE gateway = $1 AND line = $2 AND record = $3`,
		gateway, line, record)
}

// AddPending notes that the gateway that made a record may still have its sealed person.
func (tx *Tx) AddPending(gateway int64, line, record uint64) error {
	return tx.exec(`INSERT INTO owed (gateway, line, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, gateway, line, record)
}

// TakePending notes that the gateway that made a record has delivered it, and reports whether that
// was pending.
func (tx *Tx) TakePending(gateway int64, line, record uint64) (bool, error) {
	n, err := tx.changed(`DELETE FROM owed WHERE gateway = $1 AND line = $2 AND record = $3`, gateway, line, record)
	return n > 0, err
}

// Pending returns the first record of a line whose person is pending; 0: none.
func (tx *Tx) Pending(gateway int64, line uint64) (uint64, error) {
	return tx.number("read pending records", `SELECT MIN(record) FROM owed WHERE gateway = $1 AND line = $2`, gateway, line)
}

// Records returns the tenancy records above a number, in order, at most limit.
func (s *Store) Records(ctx context.Context, after uint64, limit int) ([]api.Delivery, error) {
	return list(s.reading(ctx), "read records", func(r *api.Delivery) []any {
		return append(placeFields((*wire.Place)(&r.Place)), &r.Number, &r.Line, &r.Record, &r.Envelope, &r.PersonHash, &r.Stored)
	}, `SELECT g.district, g.town, g.building, g.gateway, d.number, d.line, d.record, d.envelope, d.person, d.stored_at
		FROM deliveries d JOIN gateways g ON g.id = d.gateway WHERE d.number > $1 ORDER BY d.number LIMIT $2`, after, limit)
}

// LastRecord returns the number of the newest tenancy record; 0: none.
func (s *Store) LastRecord(ctx context.Context) (uint64, error) {
	return s.reading(ctx).number("read records", `SELECT MAX(number) FROM deliveries`)
}

// Person returns a sealed person by its SHA-256, or ErrNotFound.
func (s *Store) Person(ctx context.Context, hash []byte) (sealed []byte, err error) {
	return sealed, s.reading(ctx).need("read sealed person", []any{&sealed}, `SELECT sealed FROM persons WHERE hash = $1`, hash)
}
