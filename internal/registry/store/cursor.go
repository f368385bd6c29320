package store

import (
	"errors"
	"fmt"

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

// Overlapping returns the batches of an epoch that hold entries of [from, to).
func (tx *Tx) Overlapping(gateway int64, epoch, from, to uint64) (all []Batch, err error) {
	rows, err := tx.query(`SELECT gateway, epoch, first, next, wall_from, wall_to, body, sealed FROM batches
		WHERE gateway = $1 AND epoch = $2 AND first < $3 AND next > $4 ORDER BY first`, gateway, int64(epoch), int64(to), int64(from))
	err = each(rows, err, func() error {
		b, err := scanBatch(rows)
		all = append(all, b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	return all, nil
}
