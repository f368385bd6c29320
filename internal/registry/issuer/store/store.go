// Package store keeps on SQLite what the issuer has taken in and signed. What a transaction has committed survives a killed
// process and a lost power supply.
//
// It judges nothing: it keeps rows and reads them. It refuses to open a database of a newer program, another program's, or
// a damaged one. Who reads names the database or a transaction of it; who writes, a transaction.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"
	_ "modernc.org/sqlite" // the driver

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/dbfile"
)

// Querier is a database or a transaction of it, for who reads.
type Querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// DB is an open database. It has one connection: whoever has a transaction does not use the DB itself before its end.
type DB struct {
	*sql.DB
	Found dbfile.Found // what lay there when it was opened
	path  string
	lock  *durable.Lock
}

// Open opens or makes the database at a path, whose directory must exist. Where another
// process has it open the error is durable.ErrLocked, and nothing is touched.
//
// The log hears of a migration before it begins.
func Open(path string, log zerolog.Logger) (*DB, error) {
	lock, err := dbfile.Lock(path) // before all that writes: a second issuer would sign two lists of one version
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d := &DB{path: path, lock: lock}
	if d.Found, err = dbfile.Prepare(path); err == nil {
		if d.Found.New {
			log = zerolog.Nop() // it has no rows that take time
		}
		err = d.open(log)
	}
	if err != nil {
		lock.Free()
		return nil, err
	}
	return d, nil
}

// open opens it under the lock.
func (d *DB) open(log zerolog.Logger) error {
	ctx := context.Background()
	f, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE, 0o600) // it has tokens: nobody else reads it, in whatever directory it lies
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Close())
	}
	if err == nil {
		d.DB, err = sql.Open("sqlite", "file:"+d.path+"?_txlock=immediate&_pragma=locking_mode(EXCLUSIVE)"+
			"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(1000)")
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", d.path, err)
	}
	d.SetMaxOpenConns(1) // exclusive: a second connection would wait for ever
	for _, step := range []func() error{
		func() error { return dbfile.Own(ctx, d.DB, d.path, "changes") },
		func() error {
			return dbfile.Migrate(ctx, log, d.DB, d.path, firstVersion, dbfile.Statements(officers), dbfile.Statements(requests), dbfile.Statements(houseAgain), dbfile.Statements(briefTenancies), dbfile.Statements(erasures))
		},
		func() error { return dbfile.Whole(ctx, d.DB) }, // it is small: a damaged page shows now, and not when a tenancy is needed
		func() error { return dbfile.Stamp(ctx, d.DB, d.path) },
	} {
		if err := step(); err != nil {
			return errors.Join(fmt.Errorf("open %s: %w", d.path, dbfile.Explain(d.path, err)), d.DB.Close())
		}
	}
	return nil
}

// Close closes the database. From now on a copy of this run is another one.
func (d *DB) Close() error {
	defer d.lock.Free()
	return errors.Join(dbfile.Stamp(context.Background(), d.DB, d.path), d.DB.Close())
}

// Copy makes a whole copy of the database, which is gone when it is closed.
func (d *DB) Copy(ctx context.Context) (*os.File, error) {
	return dbfile.Temporary(d.path+".copy", func(path string) error { return dbfile.Copy(ctx, d.DB, path) })
}
