package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Batch is one stored run of entries.
type Batch struct {
	Gateway int64
	Epoch   uint64
	First   uint64 // of the entries that this row stands for
	Next    uint64
	// Least and greatest time that they may be of, ms: their wall clocks, and
	// more where a clock was not set.
	WallFrom int64
	WallTo   int64
	Body     []byte // wire.Batch without Sealed; may begin before First
	Sealed   []byte
	Stored   time.Time // as read
}

// AddBatch stores a batch; one that begins where another does is an error.
func (tx *Tx) AddBatch(b Batch, at time.Time) error {
	err := tx.exec(`INSERT INTO batches (gateway, epoch, first, next, wall_from, wall_to, body, sealed, stored_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		b.Gateway, int64(b.Epoch), int64(b.First), int64(b.Next), b.WallFrom, b.WallTo, b.Body, b.Sealed, at.UnixMilli())
	if err != nil {
		return fmt.Errorf("batch of epoch %016x from %d: %w", b.Epoch, b.First, err)
	}
	return nil
}

// SetRange keeps the compact range of an epoch. Only a new one is numbered, for
// which the others are counted.
func (tx *Tx) SetRange(gateway int64, epoch uint64, r tree.Range, at time.Time) error {
	n, err := tx.changed(`UPDATE epochs SET size = $1, tree = $2, stored_at = $3 WHERE gateway = $4 AND epoch = $5`,
		int64(r.Size()), r.Encode(), at.UnixMilli(), gateway, int64(epoch))
	if err == nil && n == 0 {
		err = tx.exec(`INSERT INTO epochs (gateway, epoch, number, size, tree, stored_at)
			VALUES ($1, $2, (SELECT COUNT(*) + 1 FROM epochs WHERE gateway = $3), $4, $5, $6)`,
			gateway, int64(epoch), gateway, int64(r.Size()), r.Encode(), at.UnixMilli())
	}
	if err != nil {
		return fmt.Errorf("range of epoch %016x: %w", epoch, err)
	}
	return nil
}

// Range returns the compact range of an epoch; that of one without entries is
// the zero Range.
func (tx *Tx) Range(gateway int64, epoch uint64) (tree.Range, error) {
	var b []byte
	rows, err := tx.query(`SELECT tree FROM epochs WHERE gateway = $1 AND epoch = $2`, gateway, int64(epoch))
	if err := first(rows, err, &b); errors.Is(err, ErrNotFound) {
		return tree.Range{}, nil
	} else if err != nil {
		return tree.Range{}, fmt.Errorf("read range: %w", err)
	}
	r, err := tree.Decode(b)
	if err != nil {
		return tree.Range{}, fmt.Errorf("read range of gateway %d, epoch %016x: %w", gateway, epoch, err)
	}
	return r, nil
}

// Overlapping returns the batches of an epoch that hold entries of [from, to),
// in order, at most the last `most` of them. Batches lie end to end, so that from
// the last back it need not look further than the first that is before `from`.
func (tx *Tx) Overlapping(gateway int64, epoch, from, to uint64, most int) (all []Batch, err error) {
	rows, err := tx.query(`SELECT gateway, epoch, first, next, wall_from, wall_to, body, sealed, stored_at FROM batches
		WHERE gateway = $1 AND epoch = $2 AND first < $3 ORDER BY first DESC LIMIT $4`, gateway, int64(epoch), int64(to), most)
	err = each(rows, err, func() error {
		b, err := scanBatch(rows)
		if err == nil && b.Next <= from {
			err = errEnough
		}
		if err == nil {
			all = append(all, b)
		}
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	slices.Reverse(all)
	return all, nil
}

// Epochs counts the epochs of a gateway that got entries since a time.
func (tx *Tx) Epochs(gateway int64, since time.Time) (int64, error) {
	n, err := one(tx.query(`SELECT COUNT(*) FROM epochs WHERE gateway = $1 AND stored_at > $2`, gateway, since.UnixMilli()))
	if err != nil {
		return 0, fmt.Errorf("count epochs: %w", err)
	}
	return n, nil
}

// Epochs returns the epochs that are stored of a gateway, newest first.
func (s *Store) Epochs(ctx context.Context, gateway int64) (all []uint64, err error) {
	if all, err = column(s.read.QueryContext(ctx, `SELECT epoch FROM epochs WHERE gateway = $1 ORDER BY number DESC`, gateway)); err != nil {
		return nil, fmt.Errorf("read epochs: %w", err)
	}
	return all, nil
}

// Batches calls each with the batches that may hold entries of the filter, by
// gateway, epoch in the order they came, and sequence; with Newest, the other way
// round, by when they were stored. Where an entry's own clock was wrong, only
// what stands around it and when it was stored bound its time: no entry is of
// later than when it was stored, so that a batch is not left out by its clock
// alone.
func (s *Store) Batches(ctx context.Context, f Filter, call func(wire.Place, Batch) error) error {
	query, args := f.query()
	return s.each(ctx, "read batches", func(rows *sql.Rows) error {
		var p wire.Place
		b, err := scanBatch(rows, &p.District, &p.Town, &p.Building, &p.Gateway)
		if err != nil {
			return err
		}
		return call(p, b)
	}, query, args...)
}

// Around calls each with the batches of an epoch beside an entry, the nearest
// first, until call says that it has seen enough: those that end at it or before,
// with back, else those that begin at it or behind.
func (s *Store) Around(ctx context.Context, gateway int64, epoch, sequence uint64, back bool, call func(Batch) (more bool, err error)) error {
	query := `SELECT gateway, epoch, first, next, wall_from, wall_to, body, sealed, stored_at FROM batches WHERE gateway = $1 AND epoch = $2 AND `
	if back {
		query += `next <= $3 ORDER BY first DESC`
	} else {
		query += `first >= $3 ORDER BY first`
	}
	rows, err := s.read.QueryContext(ctx, query, gateway, int64(epoch), int64(sequence))
	err = each(rows, err, func() error {
		b, err := scanBatch(rows)
		if err != nil {
			return err
		}
		more, err := call(b)
		if err == nil && !more {
			return errEnough
		}
		return err
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("read batches: %w", err)
	}
	return nil
}

// errEnough ends a query of which enough has come.
var errEnough = errors.New("enough")

// scanBatch reads a row: what stands before the batch, and the batch.
func scanBatch(rows *sql.Rows, before ...any) (b Batch, err error) {
	return b, rows.Scan(append(before, &b.Gateway, (*u64)(&b.Epoch), (*u64)(&b.First), (*u64)(&b.Next), &b.WallFrom, &b.WallTo, &b.Body, &b.Sealed, (*ms)(&b.Stored))...)
}

// AddFork keeps a batch that contradicts what is stored, at most `most` of a
// gateway. It reports whether it is a new one.
func (tx *Tx) AddFork(gateway int64, epoch, first uint64, root wire.Hash, envelope []byte, most int, at time.Time) (bool, error) {
	n, err := one(tx.query(`SELECT COUNT(*) FROM forks WHERE gateway = $1`, gateway))
	if err != nil || n >= int64(most) {
		return false, err
	}
	known, err := one(tx.query(`SELECT COUNT(*) FROM forks WHERE gateway = $1 AND epoch = $2 AND first = $3 AND root = $4`,
		gateway, int64(epoch), int64(first), root[:]))
	if err != nil || known > 0 {
		return false, err
	}
	return true, tx.exec(`INSERT INTO forks (gateway, epoch, first, root, envelope, found_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		gateway, int64(epoch), int64(first), root[:], envelope, at.UnixMilli())
}

// Cosign notes that the witness is to cosign an epoch at this size, root and time
// (unix s), and reports whether it may: never less than before, another tree of
// the same size, or an earlier time. It compares and sets in one statement, so
// that two fronts on one database can't both go on from the same place.
func (tx *Tx) Cosign(gateway int64, epoch, size uint64, root wire.Hash, unix int64) (bool, error) {
	n, err := tx.changed(`INSERT INTO cosigned (gateway, epoch, size, root, time) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (gateway, epoch) DO UPDATE SET size = excluded.size, root = excluded.root, time = excluded.time
		WHERE cosigned.time <= excluded.time AND (cosigned.size < excluded.size OR cosigned.size = excluded.size AND cosigned.root = excluded.root)`,
		gateway, int64(epoch), int64(size), root[:], unix)
	if err != nil {
		return false, fmt.Errorf("cosigned size of epoch %016x: %w", epoch, err)
	}
	return n == 1, nil
}

// Cosigned returns what was cosigned last of an epoch; zeros: nothing.
func (tx *Tx) Cosigned(gateway int64, epoch uint64) (size uint64, unix int64, err error) {
	rows, err := tx.query(`SELECT size, time FROM cosigned WHERE gateway = $1 AND epoch = $2`, gateway, int64(epoch))
	if err = first(rows, err, (*u64)(&size), &unix); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return size, unix, err
}

// Count returns the numbers of stored entries and batches.
func (s *Store) Count(ctx context.Context) (entries, batches uint64, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT (SELECT COALESCE(SUM(size), 0) FROM epochs), (SELECT COUNT(*) FROM batches)`)
	if err := first(rows, err, (*u64)(&entries), (*u64)(&batches)); err != nil {
		return 0, 0, fmt.Errorf("count entries: %w", err)
	}
	return entries, batches, nil
}
