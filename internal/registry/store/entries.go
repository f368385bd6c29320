package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Batch is one stored batch of consecutive entries.
type Batch struct {
	Place   wire.Place // set by Batches
	Gateway int64
	Epoch   uint64
	First   uint64 // first entry of this row
	Next    uint64
	// WallFrom and WallTo are the range of the entries' times, ms since 1970: their wall clocks,
	// and more if a clock was not set.
	WallFrom int64
	WallTo   int64
	Body     []byte    // wire.Batch without Sealed; may begin before First
	Sealed   []byte    // stored by AddBatch, read by Seals.Page alone
	Context  uint64    // number of the context of Sealed; 0: none. As Sealed
	Stored   time.Time // set when read
}

// AddBatch stores a batch; one that begins where another does is an error.
func (tx *Tx) AddBatch(b Batch, at time.Time) error {
	err := tx.exec(`INSERT INTO batches (gateway, epoch, first, next, wall_from, wall_to, body, sealed, stored_at, context)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULLIF($10, 0))`,
		b.Gateway, b.Epoch, b.First, b.Next, b.WallFrom, b.WallTo, b.Body, b.Sealed, at, b.Context)
	return wrap(fmt.Sprintf("batch of epoch %016x from %d", b.Epoch, b.First), err)
}

// SetRange stores the compact range of an epoch, which it numbers if it is new.
func (tx *Tx) SetRange(gateway int64, epoch uint64, r tree.Range, at time.Time) error {
	n, err := tx.changed(`UPDATE epochs SET size = $1, tree = $2, stored_at = $3 WHERE gateway = $4 AND epoch = $5`,
		r.Size(), r.Encode(), at, gateway, epoch)
	if err == nil && n == 0 {
		err = tx.exec(`INSERT INTO epochs (gateway, epoch, number, size, tree, stored_at)
			VALUES ($1, $2, (SELECT COUNT(*) + 1 FROM epochs WHERE gateway = $3), $4, $5, $6)`,
			gateway, epoch, gateway, r.Size(), r.Encode(), at)
	}
	return wrap(fmt.Sprintf("range of epoch %016x", epoch), err)
}

// Range returns the compact range of an epoch; the zero Range if it has no entries.
func (tx *Tx) Range(gateway int64, epoch uint64) (r tree.Range, err error) {
	var b []byte
	doing := fmt.Sprintf("read range of gateway %d, epoch %016x", gateway, epoch)
	found, err := tx.row(doing, []any{&b}, `SELECT tree FROM epochs WHERE gateway = $1 AND epoch = $2`, gateway, epoch)
	if !found {
		return r, err
	}
	r, err = tree.Decode(b)
	return r, wrap(doing, err)
}

// Overlapping returns the batches of an epoch that have entries of [from, to), in order, at most
// the last `most`. Batches do not overlap, so that the search stops at the first one before from.
func (tx *Tx) Overlapping(gateway int64, epoch, from, to uint64, most int) (all []Batch, err error) {
	for b, err := range rows(tx.atOnce(), readBatches, (*Batch).fields, `SELECT `+batchColumns+` FROM batches b
		WHERE gateway = $1 AND epoch = $2 AND first < $3 ORDER BY first DESC LIMIT $4`, gateway, epoch, to, most) {
		if err != nil {
			return nil, err
		}
		if b.Next <= from {
			break
		}
		all = append(all, b)
	}
	slices.Reverse(all)
	return all, nil
}

// Epochs returns the number of a gateway's epochs that got entries since a time.
func (tx *Tx) Epochs(gateway int64, since time.Time) (uint64, error) {
	return tx.number("count epochs", `SELECT COUNT(*) FROM epochs WHERE gateway = $1 AND stored_at > $2`, gateway, since)
}

// Epoch is an epoch of a gateway.
type Epoch struct {
	Place wire.Place
	Epoch uint64
}

// Epochs returns the stored epochs of a building's gateways, by gateway, newest first.
func (s *Store) Epochs(ctx context.Context, building string) ([]Epoch, error) {
	return list(s.reading(ctx), "read epochs", func(e *Epoch) []any { return append(placeFields(&e.Place), &e.Epoch) },
		`SELECT g.district, g.town, g.building, g.gateway, e.epoch FROM epochs e JOIN gateways g ON g.id = e.gateway
		WHERE g.building = $1 ORDER BY g.gateway, e.number DESC`, building)
}

// Around yields the batches of an epoch next to an entry, the nearest first: with back those that
// end at it or before, else those that begin at it or after.
func (s *Store) Around(ctx context.Context, gateway int64, epoch, sequence uint64, back bool) iter.Seq2[Batch, error] {
	query := `SELECT ` + batchColumns + ` FROM batches b WHERE gateway = $1 AND epoch = $2 AND `
	if back {
		query += `first < $3 AND next <= $3 ORDER BY first DESC`
	} else {
		query += `first >= $3 ORDER BY first`
	}
	return rows(conn{ctx, s.among}, readBatches, (*Batch).fields, query, gateway, epoch, sequence)
}

const (
	readBatches = "read batches"
	// batchColumns are the columns of batches b for Batch.fields.
	batchColumns = `b.gateway, b.epoch, b.first, b.next, b.wall_from, b.wall_to, b.body, b.stored_at`
)

func (b *Batch) fields() []any {
	return []any{&b.Gateway, &b.Epoch, &b.First, &b.Next, &b.WallFrom, &b.WallTo, &b.Body, &b.Stored}
}

// AddFork stores a batch that contradicts what is stored, at most `most` for a gateway, and reports
// whether it is new.
func (tx *Tx) AddFork(gateway int64, epoch, first uint64, root wire.Hash, envelope []byte, most int, at time.Time) (bool, error) {
	n, err := tx.number("count forks", `SELECT COUNT(*) FROM forks WHERE gateway = $1`, gateway)
	if err != nil || n >= uint64(most) {
		return false, err
	}
	added, err := tx.changed(`INSERT INTO forks (gateway, epoch, first, root, envelope, found_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (gateway, epoch, first, root) DO NOTHING`, gateway, epoch, first, root, envelope, at)
	return added == 1, err
}

// Cosign notes that the witness is to cosign an epoch at this size, root and time (Unix s), and
// reports whether it may: never a smaller size, another root of the same size, or an earlier time.
// It compares and sets in one statement, so that two fronts on one database can't both continue
// from the same checkpoint.
func (tx *Tx) Cosign(gateway int64, epoch, size uint64, root wire.Hash, unix int64) (bool, error) {
	n, err := tx.changed(`INSERT INTO cosigned (gateway, epoch, size, root, time) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (gateway, epoch) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time
		WHERE cosigned.time <= excluded.time AND (cosigned.size < excluded.size OR cosigned.size = excluded.size AND cosigned.root = excluded.root)`,
		gateway, epoch, size, root, unix)
	return n == 1, wrap(fmt.Sprintf("cosigned size of epoch %016x", epoch), err)
}

// Cosigned returns the last cosigned checkpoint of an epoch; zeros if there is none.
func (tx *Tx) Cosigned(gateway int64, epoch uint64) (size uint64, unix int64, err error) {
	_, err = tx.row("read what was cosigned", []any{&size, &unix}, `SELECT size, time FROM cosigned WHERE gateway = $1 AND epoch = $2`, gateway, epoch)
	return size, unix, err
}

// Count returns the numbers of stored entries and batches.
func (s *Store) Count(ctx context.Context) (entries, batches uint64, err error) {
	err = s.reading(ctx).need("count entries", []any{&entries, &batches}, `SELECT (SELECT SUM(size) FROM epochs), (SELECT COUNT(*) FROM batches)`)
	return entries, batches, err
}
