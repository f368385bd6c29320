package store

import (
	"time"

	"gatehouse/sync/wire"
)

// emergencies creates schema version 9: mandates of emergencies that were answered, with who signed
// them and the word of a second authority, once it is there.
var emergencies = []string{
	`CREATE TABLE emergencies (
		mandate BYTEA PRIMARY KEY, reference BYTEA NOT NULL, gateway BIGINT NOT NULL, number BIGINT NOT NULL,
		approver BYTEA NOT NULL, seat TEXT NOT NULL, at BIGINT NOT NULL, validation BYTEA)`,
	`CREATE INDEX emergencies_open ON emergencies (approver, at)`,
}

// Emergency is an answered mandate of an emergency.
type Emergency struct {
	Mandate   wire.Hash // SHA-256 of its envelope
	Reference wire.ID
	Gateway   int64
	Number    int        // of the answer
	Approver  wire.KeyID // who signed it
	Seat      string     // of the approver at that time
	At        time.Time  // of the answer
}

// Emergencies are the mandates of emergencies that were answered.
type Emergencies struct{ conn }

// Add stores that one was answered; a second answer of the same is an error.
func (e Emergencies) Add(m Emergency) error {
	return wrap("store emergency", e.exec(`INSERT INTO emergencies (mandate, reference, gateway, number, approver, seat, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		m.Mandate, m.Reference[:], m.Gateway, m.Number, m.Approver[:], m.Seat, m.At))
}

// Open returns those that nobody has validated, oldest first.
func (e Emergencies) Open() ([]Emergency, error) {
	type row struct {
		Emergency
		reference, approver []byte
	}
	rows, err := list(e.conn, "read emergencies", func(r *row) []any {
		return []any{&r.Mandate, &r.reference, &r.Gateway, &r.Number, &r.approver, &r.Seat, &r.At}
	}, `SELECT mandate, reference, gateway, number, approver, seat, at FROM emergencies WHERE validation IS NULL ORDER BY at, mandate`)
	all := make([]Emergency, len(rows))
	for i, r := range rows {
		all[i] = r.Emergency
		copy(all[i].Reference[:], r.reference)
		copy(all[i].Approver[:], r.approver)
	}
	return all, err
}

// OpenOf returns when those of an approver were answered that nobody has validated.
func (e Emergencies) OpenOf(approver wire.KeyID) ([]time.Time, error) {
	return list(e.conn, "read emergencies of an approver", itself[time.Time], `SELECT at FROM emergencies WHERE approver = $1 AND validation IS NULL`, approver[:])
}

// Envelope returns the mandate with that SHA-256 as it was answered, or ErrNotFound.
func (e Emergencies) Envelope(mandate wire.Hash) (envelope []byte, err error) {
	return envelope, e.need("read emergency", []any{&envelope}, `SELECT d.mandate FROM emergencies m
		JOIN disclosures d ON d.reference = m.reference AND d.gateway = m.gateway AND d.number = m.number WHERE m.mandate = $1`, mandate)
}

// Validate stores a second authority's word, and keeps the first one.
func (e Emergencies) Validate(mandate wire.Hash, validation []byte) error {
	return wrap("store validation", e.exec(`UPDATE emergencies SET validation = $2 WHERE mandate = $1 AND validation IS NULL`, mandate, validation))
}
