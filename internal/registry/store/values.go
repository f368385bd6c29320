package store

import (
	"database/sql"
	"fmt"
	"time"
)

// u64 is a number of 64 bits without sign as SQL keeps it: the signed number of the same
// bits.
type u64 uint64

// Scan reads it; NULL is 0.
func (n *u64) Scan(v any) error {
	signed, ok := v.(int64)
	if v != nil && !ok {
		return fmt.Errorf("%T is no number", v)
	}
	*n = u64(signed)
	return nil
}

// ms is a time as SQL keeps it: ms since 1970.
type ms time.Time

// Scan reads it.
func (t *ms) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no time", v)
	}
	*t = ms(time.UnixMilli(n))
	return nil
}

// bytesInto reads bytes into a place of fixed size; NULL leaves it as it is.
type bytesInto []byte

// Scan reads them.
func (b bytesInto) Scan(v any) error {
	raw, ok := v.([]byte)
	if v != nil && !ok {
		return fmt.Errorf("%T are no bytes", v)
	}
	copy(b, raw)
	return nil
}

// flag is a bool as SQL keeps it.
func flag(set bool) int64 {
	if set {
		return 1
	}
	return 0
}

// one reads a single number.
func one(rows *sql.Rows, err error) (n int64, _ error) {
	return n, first(rows, err, &n)
}

// first reads the first row.
func first(rows *sql.Rows, err error, into ...any) error {
	found := false
	err = each(rows, err, func() error {
		if found {
			return nil
		}
		found = true
		return rows.Scan(into...)
	})
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// each calls f for every row and closes the rows.
func each(rows *sql.Rows, err error, f func() error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// column reads the numbers of the only column of all rows.
func column(rows *sql.Rows, err error) (all []uint64, _ error) {
	err = each(rows, err, func() error {
		var n u64
		err := rows.Scan(&n)
		all = append(all, uint64(n))
		return err
	})
	return all, err
}
