// Package store is the memory of the registry's front on SQL: what gateways
// sent, and the signed documents that go to them. What Update has returned for
// survives a killed process and a lost power supply.
//
// It judges nothing: signatures, roots and order are checked before it is
// called; its keys only make sure that nothing is stored twice. It refuses to
// open a database of a newer program. The SQL is plain, so that another engine
// needs no more than its driver and the conformance suite of the tests.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/dbfile"
)

// Store is an open database. Safe for concurrent use; one Update runs at a time.
type Store struct {
	path  string
	lock  *durable.Lock // of the database; nil: it was let go
	Found dbfile.Found  // what lay there when it was opened
	write *sql.DB       // one connection
	read  *sql.DB

	mu     sync.Mutex // one Update at a time
	closed bool
}

// readers is how many queries may run at a time beside the writer.
const readers = 4

// reading is what queries outside a transaction run on.
func (s *Store) reading(ctx context.Context) conn { return conn{ctx, s.read} }

// Open opens or makes a SQLite database: write-ahead log, every commit synced.
// The directory must exist. While another process has the database open, Open touches
// nothing and its error is durable.ErrLocked.
func Open(ctx context.Context, path string) (*Store, error) {
	lock, err := dbfile.Lock(path)
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("open database %s: another front runs there: %w", path, err)
	} else if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s := &Store{path: path, lock: lock}
	if s.Found, err = dbfile.Prepare(path); err == nil {
		err = s.open(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens the file under the lock, made if there is none, and brings its tables to
// the newest schema.
func (s *Store) open(ctx context.Context) error {
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		s.write, err = sql.Open("sqlite", source(s.path, "immediate"))
	}
	if err == nil {
		s.write.SetMaxOpenConns(1)
		err = dbfile.Own(ctx, s.write, s.path, "deliveries")
	}
	if err == nil {
		err = dbfile.Migrate(ctx, s.write, s.path, dbfile.Statements(schema...), dbfile.Statements(snapshots))
	}
	if err == nil {
		err = dbfile.Stamp(ctx, s.write, s.path)
	}
	if err == nil {
		s.read, err = sql.Open("sqlite", source(s.path, "deferred"))
	}
	if err != nil {
		return fmt.Errorf("open database %s: %w", s.path, dbfile.Explain(s.path, err))
	}
	s.read.SetMaxOpenConns(readers)
	return nil
}

// source is the data source name. Pages of 16 KiB: a batch is some 60 KB.
func source(path, lock string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": {"page_size(16384)", "journal_mode(WAL)", "synchronous(FULL)",
		"busy_timeout(10000)", "cache_size(-16384)", "wal_autocheckpoint(1000)"}}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
}

// Close closes the database; an Update that runs is waited for.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	stamped := s.read != nil && !s.closed
	s.closed = true
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if stamped { // from now on a copy of this run is another database
		errs = append(errs, dbfile.Stamp(context.Background(), s.write, s.path))
	}
	if s.write != nil { // the last: it tidies the write-ahead log
		errs = append(errs, s.write.Close())
	}
	if s.lock != nil {
		s.lock.Free()
		s.lock = nil
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close database %s: %w", s.path, err)
	}
	return nil
}

// Size returns the bytes that the database takes on disk, with its log.
func (s *Store) Size() (n int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Tx is a transaction that writes what gateways sent, and through its parts what goes to
// them and what backups have. It is valid only within the function that Update calls.
type Tx struct {
	conn
	Documents Documents
	Backups   Backups
	Snapshots Snapshots
}

// Snapshots are the backups of gateways, to read.
func (s *Store) Snapshots(ctx context.Context) Snapshots { return Snapshots{s.reading(ctx)} }

// Update runs f in a transaction and commits it, durably, if f returns nil.
// With any error nothing of it is stored.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("write database %s: closed", s.path)
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write database %s: begin: %w", s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	c := conn{ctx, tx}
	if err := f(&Tx{c, Documents{c}, Backups{c}, Snapshots{c}}); err != nil {
		return fmt.Errorf("write database %s: %w", s.path, dbfile.Explain(s.path, err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write database %s: commit: %w", s.path, dbfile.Explain(s.path, err))
	}
	return nil
}
