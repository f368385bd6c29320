package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"gatehouse/internal/registry/dbfile"
	"gatehouse/sync/wire"
)

// seals creates schema version 6: indexes by which batches that still have who parts are found by
// age, and the batches of a context, without a look at any other. What is erased leaves both.
var seals = []string{
	`CREATE INDEX batches_sealed ON batches (stored_at, gateway, epoch, first) WHERE sealed IS NOT NULL`,
	`CREATE INDEX batches_context ON batches (context) WHERE context IS NOT NULL`,
	`CREATE INDEX contexts_stored ON contexts (stored_at)`,
}

// Seals are the who parts that are stored, for whoever erases them.
type Seals struct{ s *Store }

// Seals returns the stored who parts.
func (s *Store) Seals() Seals { return Seals{s} }

// Ledger returns the number of the newest line that the ledger of erasures had, which stands outside the database; 0
// before the first.
func (s Seals) Ledger(ctx context.Context) (uint64, error) {
	return s.s.reading(ctx).number("read the mark of the ledger of erasures", `SELECT value FROM meta WHERE name = 'erasures'`)
}

// SetLedger stores that number.
func (b Backups) SetLedger(line uint64) error { return b.setMeta("erasures", line) }

// Page returns at most n batches with who parts, of which Sealed and Context are set, that were
// stored until a time: the oldest first, and only those behind after.
func (s Seals) Page(ctx context.Context, until time.Time, after Batch, n int) ([]Batch, error) {
	fields := func(b *Batch) []any {
		return append(append(placeFields(&b.Place), b.fields()...), &b.Sealed, &b.Context)
	}
	return list(s.s.reading(ctx), "read who parts", fields, `SELECT g.district, g.town, g.building, g.gateway, `+batchColumns+`, b.sealed, b.context
		FROM batches b JOIN gateways g ON g.id = b.gateway WHERE b.sealed IS NOT NULL AND b.stored_at <= $1
		AND (b.stored_at, b.gateway, b.epoch, b.first) > ($2, $3, $4, $5) ORDER BY b.stored_at, b.gateway, b.epoch, b.first LIMIT $6`,
		until, after.Stored, after.Gateway, after.Epoch, after.First, n)
}

// Of yields the batches with who parts of a building, with the encapsulated keys of their contexts.
func (s Seals) Of(ctx context.Context, building string) iter.Seq2[SealedBatch, error] {
	return rows(s.s.reading(ctx), "read who parts", func(b *SealedBatch) []any {
		return append(append(placeFields(&b.Place), b.fields()...), &b.Sealed, &b.Encapsulated)
	}, `SELECT g.district, g.town, g.building, g.gateway, `+batchColumns+`, b.sealed, c.encapsulated
		FROM gateways g JOIN batches b ON b.gateway = g.id LEFT JOIN contexts c ON c.number = b.context
		WHERE g.building = $1 AND b.sealed IS NOT NULL ORDER BY b.gateway, b.epoch, b.first`, building)
}

// SealedBatch is a batch with who parts, and the key that the holder of the records key opens them with.
type SealedBatch struct {
	Batch
	Encapsulated []byte // nil: they are sealed at once
}

// Near returns the batches with who parts that may have those of an entry: the one that it stands in, and those that
// brought it again.
func (s Seals) Near(ctx context.Context, place wire.Place, epoch, sequence uint64) ([]Batch, error) {
	fields := func(b *Batch) []any {
		return append(append(placeFields(&b.Place), b.fields()...), &b.Sealed, &b.Context)
	}
	return list(s.s.reading(ctx), "read who parts", fields, `SELECT g.district, g.town, g.building, g.gateway, `+batchColumns+`, b.sealed, b.context FROM batches b JOIN gateways g ON g.id = b.gateway
		WHERE g.building = $1 AND g.gateway = $2 AND b.epoch = $3 AND b.next > $4 AND b.first <= $5 AND b.sealed IS NOT NULL`,
		place.Building, place.Gateway, epoch, sequence, sequence+wire.MaxBatch)
}

// Reseal replaces the who parts of a batch by b.Sealed: those that are left of it, nil for none. Then the
// batch needs no context any more.
func (tx *Tx) Reseal(b Batch) error {
	err := tx.exec(`UPDATE batches SET sealed = $1, context = CASE WHEN $1 IS NULL THEN NULL ELSE context END WHERE gateway = $2 AND epoch = $3 AND first = $4`,
		b.Sealed, b.Gateway, b.Epoch, b.First)
	return wrap(fmt.Sprintf("erase who parts of epoch %016x from %d", b.Epoch, b.First), err)
}

// DropContexts deletes the contexts stored until a time that no batch needs. The newest of each epoch stays:
// its gateway may still name it.
func (tx *Tx) DropContexts(until time.Time) error {
	err := tx.exec(`DELETE FROM contexts WHERE stored_at <= $1 AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.context = contexts.number)
		AND number < (SELECT MAX(number) FROM contexts c WHERE c.gateway = contexts.gateway AND c.epoch = contexts.epoch)`, until)
	return wrap("delete contexts", err)
}

// Fork is a signed batch that contradicts what is stored.
type Fork struct {
	Row      int64
	Envelope []byte
}

// Forks returns the forks found until a time.
func (s Seals) Forks(ctx context.Context, until time.Time) ([]Fork, error) {
	return list(s.s.reading(ctx), "read forks", func(f *Fork) []any { return []any{&f.Row, &f.Envelope} },
		`SELECT rowid, envelope FROM forks WHERE found_at <= $1`, until)
}

// SetFork replaces what is kept of a fork.
func (tx *Tx) SetFork(f Fork) error {
	return wrap("erase who parts of a fork", tx.exec(`UPDATE forks SET envelope = $1 WHERE rowid = $2`, f.Envelope, f.Row))
}

// Settle brings what was deleted out of the write-ahead log and the file, but for rests that SQLite leaves where it
// moves rows.
func (s Seals) Settle(ctx context.Context) error {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	return dbfile.Settle(ctx, s.s.write, s.s.path)
}

// Scrub rewrites the database, so that nothing is left in its files of what was deleted. It takes as much
// space again for a while, and Update waits for it.
func (s Seals) Scrub(ctx context.Context) error {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	return dbfile.Scrub(ctx, s.s.write, s.s.path)
}
