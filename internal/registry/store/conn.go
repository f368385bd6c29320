package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"gatehouse/sync/wire"
)

// ErrNotFound means that there is no such row.
var ErrNotFound = errors.New("not found")

// conn runs statements in a transaction, or queries on the connections of readers.
type conn struct {
	ctx context.Context
	db  interface {
		ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	}
}

func (c conn) exec(text string, args ...any) error {
	_, err := c.changed(text, args...)
	return err
}

// changed executes a statement and returns how many rows it has changed.
func (c conn) changed(text string, args ...any) (int64, error) {
	result, err := c.db.ExecContext(c.ctx, text, kept(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads the first row of a query, and reports whether there is one.
func (c conn) row(doing string, into []any, text string, args ...any) (found bool, err error) {
	for _, err = range rows(c, doing, func(*struct{}) []any { return into }, text, args...) {
		return err == nil, err
	}
	return false, nil
}

// need reads the first row of a query, or returns ErrNotFound.
func (c conn) need(doing string, into []any, text string, args ...any) error {
	found, err := c.row(doing, into, text, args...)
	if err == nil && !found {
		err = wrap(doing, ErrNotFound)
	}
	return err
}

// number reads a single number; 0: there is none.
func (c conn) number(doing, text string, args ...any) (n uint64, err error) {
	_, err = c.row(doing, []any{&n}, text, args...)
	return n, err
}

// rows yields the rows of a query, each as a T of which fields are the places of its
// columns. Whoever takes them may stop at any. An error is the last, and says what was
// being done.
func rows[T any](c conn, doing string, fields func(*T) []any, text string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		found, err := c.db.QueryContext(c.ctx, text, kept(args)...)
		if err == nil {
			defer found.Close()
			for found.Next() {
				var row T
				if err = found.Scan(places(fields(&row))...); err != nil {
					break
				}
				if !yield(row, nil) {
					return
				}
			}
			if err == nil {
				err = found.Err()
			}
		}
		if err != nil {
			yield(*new(T), wrap(doing, err))
		}
	}
}

// list reads all rows of a query; it is never nil.
func list[T any](c conn, doing string, fields func(*T) []any, text string, args ...any) ([]T, error) {
	all := []T{}
	for row, err := range rows(c, doing, fields, text, args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// itself are the fields of a row with one column.
func itself[T any](v *T) []any { return []any{v} }

// placeFields are those of the columns district, town, building and gateway.
func placeFields(p *wire.Place) []any { return []any{&p.District, &p.Town, &p.Building, &p.Gateway} }

// wrap says of an error what was being done.
func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// kept are values as SQL keeps them: a number without sign as the signed number of the
// same bits, a time as ms since 1970, a bool as 0 or 1.
func kept(values []any) []any {
	out := make([]any, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case uint64:
			out[i] = int64(v)
		case time.Time:
			out[i] = v.UnixMilli()
		case bool:
			if out[i] = int64(0); v {
				out[i] = int64(1)
			}
		case wire.Hash:
			out[i] = v[:]
		default:
			out[i] = v
		}
	}
	return out
}

// places are where columns are read into, by what reverses kept.
func places(into []any) []any {
	out := make([]any, len(into))
	for i, p := range into {
		switch p.(type) {
		case *uint64, *time.Time, *wire.Hash:
			out[i] = column{p}
		default:
			out[i] = p
		}
	}
	return out
}

// column is such a place: NULL reads as 0 or the zero time, and leaves a hash as it is.
type column struct{ into any }

// Scan reads a column.
func (p column) Scan(v any) error {
	n, fits := v.(int64)
	switch into := p.into.(type) {
	case *uint64:
		*into = uint64(n)
	case *time.Time:
		if *into = (time.Time{}); fits {
			*into = time.UnixMilli(n)
		}
	case *wire.Hash:
		var b []byte
		b, fits = v.([]byte)
		copy(into[:], b)
	}
	if !fits && v != nil {
		return fmt.Errorf("%T does not go into %T", v, p.into)
	}
	return nil
}
