package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"gatehouse/sync/wire"
)

// disclosures creates schema version 8: the answers that were given under mandates. plan: what each
// is made of, so that it can be made again to the byte.
var disclosures = []string{
	`CREATE TABLE disclosures (
		reference BYTEA NOT NULL, gateway BIGINT NOT NULL, number BIGINT NOT NULL,
		at BIGINT NOT NULL, uncertain BIGINT NOT NULL, mandate BYTEA NOT NULL, plan BYTEA NOT NULL,
		PRIMARY KEY (reference, gateway, number))`,
}

// Disclosure is one answer under a mandate.
type Disclosure struct {
	Reference wire.ID // of the mandate
	Gateway   int64
	Number    int // from 1
	At        time.Time
	Uncertain bool   // the clock could not tell whether the mandate was valid
	Mandate   []byte // envelope
	Plan      []byte
}

// Disclosures are the answers under mandates.
type Disclosures struct{ conn }

// Count returns how many answers were given for a gateway under a mandate.
func (d Disclosures) Count(reference wire.ID, gateway int64) (int, error) {
	n, err := d.number("count answers", `SELECT COUNT(*) FROM disclosures WHERE reference = $1 AND gateway = $2`, reference[:], gateway)
	return int(n), err
}

// Add stores an answer; one with the number of another is an error.
func (d Disclosures) Add(a Disclosure) error {
	return wrap(fmt.Sprintf("store answer %d", a.Number), d.exec(`INSERT INTO disclosures (reference, gateway, number, at, uncertain, mandate, plan)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, a.Reference[:], a.Gateway, a.Number, a.At, a.Uncertain, a.Mandate, a.Plan))
}

// Find returns an answer, or ErrNotFound.
func (d Disclosures) Find(reference wire.ID, gateway int64, number int) (a Disclosure, err error) {
	a.Reference, a.Gateway, a.Number = reference, gateway, number
	return a, d.need("read answer", []any{&a.At, &a.Uncertain, &a.Mandate, &a.Plan},
		`SELECT at, uncertain, mandate, plan FROM disclosures WHERE reference = $1 AND gateway = $2 AND number = $3`, reference[:], gateway, number)
}

// Answered yields the mandate of each answer that was given since one time and before another.
func Answered(ctx context.Context, s *Store, from, to time.Time) iter.Seq2[[]byte, error] {
	return rows(s.reading(ctx), "read answers", itself[[]byte], `SELECT mandate FROM disclosures WHERE at >= $1 AND at < $2`, from, to)
}

// Log yields the batches of an epoch that begin below a sequence number, in order, those without who parts too.
func (s Seals) Log(ctx context.Context, gateway int64, epoch, below uint64) iter.Seq2[SealedBatch, error] {
	fields := func(b *SealedBatch) []any { return append(b.fields(), &b.Sealed, &b.Encapsulated) }
	return rows(s.s.reading(ctx), readBatches, fields, `SELECT `+batchColumns+`, b.sealed, c.encapsulated
		FROM batches b LEFT JOIN contexts c ON c.number = b.context WHERE b.gateway = $1 AND b.epoch = $2 AND b.first < $3 ORDER BY b.first`,
		gateway, epoch, below)
}
