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

// conn executes statements in a transaction, or queries on the readers' connections.
type conn struct {
	ctx context.Context
	db  interface {
		ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	}
}

// atOnce returns the connection for a query whose rows are read before another one begins.
func (c conn) atOnce() conn {
	if tx, writes := c.db.(compiled); writes {
		c.db = atOnce{tx}
	}
	return c
}

func (c conn) exec(text string, args ...any) error {
	_, err := c.changed(text, args...)
	return err
}

// changed executes a statement and returns the number of rows that it changed.
func (c conn) changed(text string, args ...any) (int64, error) {
	result, err := c.db.ExecContext(c.ctx, text, encoded(args)...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads the first row of a query, and reports whether there is one.
func (c conn) row(doing string, into []any, text string, args ...any) (found bool, err error) {
	for _, err = range rows(c.atOnce(), doing, func(*struct{}) []any { return into }, text, args...) {
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

// number reads a single number; 0 if there is no row.
func (c conn) number(doing, text string, args ...any) (n uint64, err error) {
	_, err = c.row(doing, []any{&n}, text, args...)
	return n, err
}

// rows yields the rows of a query. fields returns the destinations of the columns in a T. The
// caller may stop at any row. An error comes last, and begins with doing.
func rows[T any](c conn, doing string, fields func(*T) []any, text string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		found, err := c.db.QueryContext(c.ctx, text, encoded(args)...)
		if err == nil {
			defer found.Close()
			var row T
			for into := destinations(fields(&row)); found.Next(); row = *new(T) {
				if err = found.Scan(into...); err != nil {
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

// list reads all rows of a query. The result is never nil.
func list[T any](c conn, doing string, fields func(*T) []any, text string, args ...any) ([]T, error) {
	all := []T{}
	for row, err := range rows(c.atOnce(), doing, fields, text, args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// itself returns the field of a row with one column.
func itself[T any](v *T) []any { return []any{v} }

// placeFields returns the fields of the columns district, town, building and gateway.
func placeFields(p *wire.Place) []any { return []any{&p.District, &p.Town, &p.Building, &p.Gateway} }

// wrap puts doing before an error.
func wrap(doing string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// encoded returns values in the form in which SQL stores them: an unsigned number as the signed
// number with the same bits, a time as ms since 1970, a bool as 0 or 1.
func encoded(values []any) []any {
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

// destinations returns the Scan arguments for fields, which decode what encoded encodes.
func destinations(into []any) []any {
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

// column decodes one column: NULL is 0 or the zero time, and leaves a hash unchanged.
type column struct{ into any }

// Scan implements sql.Scanner.
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
		return fmt.Errorf("%T can't be stored in %T", v, p.into)
	}
	return nil
}
