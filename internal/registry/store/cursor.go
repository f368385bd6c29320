package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/tree"
)

// What the front asks while it writes: within a transaction, so that the answer
// has what the transaction itself has written.

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
			err = errBefore
		}
		if err == nil {
			all = append(all, b)
		}
		return err
	})
	if err != nil && !errors.Is(err, errBefore) {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	slices.Reverse(all)
	return all, nil
}

// errBefore ends a query that goes back in time.
var errBefore = errors.New("before what is asked for")

// Epochs counts the epochs of a gateway that got entries since a time.
func (tx *Tx) Epochs(gateway int64, since time.Time) (int64, error) {
	n, err := one(tx.query(`SELECT COUNT(*) FROM epochs WHERE gateway = $1 AND stored_at > $2`, gateway, since.UnixMilli()))
	if err != nil {
		return 0, fmt.Errorf("count epochs: %w", err)
	}
	return n, nil
}

// Waiting returns the sequence numbers in [from, to) of an epoch of which only a
// notice has come, in order.
func (tx *Tx) Waiting(gateway int64, epoch, from, to uint64) (all []uint64, err error) {
	rows, err := tx.query(`SELECT seq FROM alarms WHERE gateway = $1 AND epoch = $2 AND seq >= $3 AND seq < $4 AND stored = 0 ORDER BY seq`,
		gateway, int64(epoch), int64(from), int64(to))
	err = each(rows, err, func() error {
		var seq int64
		err := rows.Scan(&seq)
		all = append(all, uint64(seq))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read alarms: %w", err)
	}
	return all, nil
}
