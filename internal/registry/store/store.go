// Package store is the SQL database of the registry's front: what gateways sent, and the signed
// documents for them. What Update has committed survives a killed process and a power cut.
//
// It judges nothing: the caller has checked signatures, roots and order; the primary keys only
// prevent that anything is stored twice. It refuses to open a database of a newer program. The SQL
// is plain, so that another engine needs only its driver, and must pass the conformance suite of
// the tests.
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

	"github.com/rs/zerolog"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/dbfile"
)

// Store is an open database. It is safe for concurrent use; one Update runs at a time.
type Store struct {
	path  string
	lock  *durable.Lock // on the database; nil: released
	Found dbfile.Found  // the state of the file before it was opened
	write *sql.DB       // one connection
	read  *prepared
	among *prepared // queries while the rows of one of read are read

	mu       sync.Mutex // one Update at a time
	compiled statements
	closed   bool
}

// Numbers of queries that may run at a time beside the writer. Those among the rows of another query have connections of
// their own: with those of read, as many of the outer ones would wait for each other for ever.
const (
	readers = 4
	amongst = 2
)

// reading returns the connections for queries outside a transaction.
func (s *Store) reading(ctx context.Context) conn { return conn{ctx, s.read} }

// Open opens or creates a SQLite database: write-ahead log, every commit synced. The directory must
// exist. While another process has the database open, Open changes nothing and its error wraps
// durable.ErrLocked.
//
// The log hears of a migration before it begins.
func Open(ctx context.Context, path string, log zerolog.Logger) (*Store, error) {
	lock, err := dbfile.Lock(path)
	if errors.Is(err, durable.ErrLocked) {
		return nil, fmt.Errorf("open database %s: another front runs there: %w", path, err)
	} else if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s := &Store{path: path, lock: lock, compiled: statements{known: map[string]*sql.Stmt{}}}
	if s.Found, err = dbfile.Prepare(path); err == nil {
		if s.Found.New {
			log = zerolog.Nop() // it has no rows that take time
		}
		err = s.open(ctx, log)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open opens or creates the file, which is locked, and migrates its tables to the newest schema.
func (s *Store) open(ctx context.Context, log zerolog.Logger) error {
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
		err = dbfile.Migrate(ctx, log, s.write, s.path, dbfile.Statements(schema...), dbfile.Statements(snapshots), dbfile.Statements(searches...),
			dbfile.Statements(marks), dbfile.Statements(contexts...), dbfile.Statements(seals...), dbfile.Statements(witnessed), dbfile.Statements(disclosures...),
			dbfile.Statements(emergencies...), dbfile.Statements(refusals...), dbfile.Statements(supplements...), dbfile.Statements(told), dbfile.Statements(briefs))
	}
	if err == nil {
		err = dbfile.Stamp(ctx, s.write, s.path)
	}
	if err == nil {
		s.read, err = openReaders(s.path, readers)
	}
	if err == nil {
		s.among, err = openReaders(s.path, amongst)
	}
	if err != nil {
		return fmt.Errorf("open database %s: %w", s.path, dbfile.Explain(s.path, err))
	}
	return nil
}

// openReaders opens connections for queries. They stay open: a new one reads the schema and compiles its queries anew.
func openReaders(path string, n int) (*prepared, error) {
	db, err := sql.Open("sqlite", source(path, "deferred"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return &prepared{DB: db}, nil
}

// source returns the data source name. Its write-ahead log is brought into the file by every 16 MiB: pages have 4 KiB. What
// is deleted is overwritten with zeros.
func source(path, lock string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": {"journal_mode(WAL)", "synchronous(FULL)",
		"busy_timeout(10000)", "foreign_keys(ON)", "secure_delete(ON)", "cache_size(-16384)", "wal_autocheckpoint(4000)"}}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
}

// Close closes the database after the Update that runs.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	stamped := s.among != nil && !s.closed
	s.closed = true
	for _, p := range []*prepared{s.read, s.among} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if stamped { // copies made during this run are older from now on
		errs = append(errs, dbfile.Stamp(context.Background(), s.write, s.path))
	}
	if s.write != nil { // last, since it truncates the write-ahead log
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

// Size returns the bytes of the database on disk, with its write-ahead log.
func (s *Store) Size() (n int64) {
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil {
			n += info.Size()
		}
	}
	return n
}

// Tx is a transaction. It writes what gateways sent; its parts write documents and the state of
// backups. It is valid only within the function that Update calls.
type Tx struct {
	conn
	Documents   Documents
	Backups     Backups
	Snapshots   Snapshots
	Witnessed   Witnessed
	Disclosures Disclosures
	Emergencies Emergencies
	Refusals    Refusals
	Tellings    Tellings
}

// Snapshots returns the gateways' backups, for reading.
func (s *Store) Snapshots(ctx context.Context) Snapshots { return Snapshots{s.reading(ctx)} }

// Update runs f in a transaction, which it commits durably if f returns nil. With an error nothing
// is stored.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("write database %s: closed", s.path)
	}
	defer s.compiled.learn(ctx, s.write)
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write database %s: begin: %w", s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // no effect after a commit
	c := conn{ctx, compiled{tx, &s.compiled}}
	if err := f(&Tx{c, Documents{c}, Backups{c}, Snapshots{c}, Witnessed{c}, Disclosures{c}, Emergencies{c}, Refusals{c}, Tellings{c}}); err != nil {
		return fmt.Errorf("write database %s: %w", s.path, dbfile.Explain(s.path, err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write database %s: commit: %w", s.path, dbfile.Explain(s.path, err))
	}
	return nil
}
