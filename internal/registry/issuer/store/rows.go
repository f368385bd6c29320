package store

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Tx is a transaction, which fails as a whole: after a write that has failed, or Fail, all writes
// that follow do nothing, and Update returns that first error.
type Tx struct {
	*sql.Tx
	err error
}

// Update calls f with a transaction and commits it, unless that has failed.
func (d *DB) Update(f func(*Tx)) error {
	tx, err := d.Begin()
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	t := &Tx{Tx: tx}
	if f(t); t.err != nil {
		return t.err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Failed reports whether the transaction has failed.
func (t *Tx) Failed() bool { return t.err != nil }

// Fail makes the transaction fail, unless it has already. A nil error does nothing.
func (t *Tx) Fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// exec executes a statement and returns how many rows it has changed. The transaction's error says what was being done.
func (t *Tx) exec(doing, query string, args ...any) (changed int64) {
	if t.err != nil {
		return 0
	}
	result, err := t.Exec(query, args...)
	if err == nil {
		changed, err = result.RowsAffected()
	}
	if err != nil {
		t.err = fmt.Errorf("%s: %w", doing, err)
	}
	return changed
}

// each calls f with every row.
func each(q Querier, doing string, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.Query(query, args...)
	if err == nil {
		defer rows.Close()
		for err == nil && rows.Next() {
			err = f(rows)
		}
		err = errors.Join(err, rows.Err())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// all reads every row into the fields of a T. It returns an empty slice for no rows, as JSON has it.
func all[T any](q Querier, doing string, fields func(*T) []any, query string, args ...any) ([]T, error) {
	out := []T{}
	err := each(q, doing, func(rows *sql.Rows) error {
		var one T
		err := rows.Scan(fields(&one)...)
		out = append(out, one)
		return err
	}, query, args...)
	return out, err
}

// column reads the only column of all rows.
func column[T any](q Querier, doing, query string, args ...any) ([]T, error) {
	return all(q, doing, func(one *T) []any { return []any{one} }, query, args...)
}

// find reads the first row, if there is one.
func find(q Querier, doing string, fields []any, query string, args ...any) (there bool, err error) {
	err = q.QueryRow(query, args...).Scan(fields...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", doing, err)
	}
	return true, nil
}

// blob is a 64-bit number as the store keeps it: all 64 bits, where SQL has 63.
func blob(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// number reads a blob.
type number uint64

// Scan reads it.
func (n *number) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != 8 {
		return fmt.Errorf("%T is no number of 64 bits", v)
	}
	*n = number(binary.BigEndian.Uint64(b))
	return nil
}

// signed reads a 64-bit number that SQL keeps as the signed one of the same bits.
type signed uint64

// Scan reads it.
func (n *signed) Scan(v any) error {
	i, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no number", v)
	}
	*n = signed(i)
	return nil
}

// bytesInto reads bytes into a place of their size.
type bytesInto []byte

// Scan reads them.
func (b bytesInto) Scan(v any) error {
	raw, ok := v.([]byte)
	if !ok || len(raw) != len(b) {
		return fmt.Errorf("%T: %d bytes where %d are kept", v, len(raw), len(b))
	}
	copy(b, raw)
	return nil
}

// unix reads a time in unix s.
type unix time.Time

// Scan reads it.
func (t *unix) Scan(v any) error {
	s, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no time", v)
	}
	*t = unix(time.Unix(s, 0).UTC())
	return nil
}
