// Package dbfile looks after a SQLite database as a file that people copy, put
// back and delete: it tells a database that was put back since the last start from
// the one that was in use, keeps write-ahead files of another database away from
// it, and makes copies that are whole.
//
// A database that is in use has a random number in its header (user_version), new
// with each start and stop; the file beside it, NAME.mark, has the same number. A
// copy has a number of its own. It refuses to judge what is in the database, and to
// delete anything: files that do not belong to it are moved aside.
//
// Migrate keeps the schema version, in a table of the database itself. It is fifty
// lines of ours and no library: a registry has two databases with a step or two each,
// the steps before the first version have to look at what is there, and a database of
// a newer program must be refused in words that an operator can act on.
package dbfile

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/durable"
)

// Found says what lay there when a database was opened.
type Found struct {
	New      bool     // no database
	Lost     bool     // New, and there was one before
	Restored bool     // it is not the one that was in use here: a copy was put back
	Aside    []string // write-ahead files of another database, under their new names
}

// String says it for people; empty where nothing is to be said.
func (f Found) String() string {
	var said []string
	switch {
	case f.Lost:
		said = append(said, "the database that was in use is gone, and a new one was made")
	case f.Restored:
		said = append(said, "the database is not the one that was in use before: a copy was put back")
	}
	if len(f.Aside) > 0 {
		said = append(said, "write-ahead files of another database lay beside it and were moved aside to "+strings.Join(f.Aside, ", "))
	}
	return strings.Join(said, "; ")
}

// What Explain explains, besides what SQLite says.
var (
	errNone    = errors.New("it is no SQLite database")
	errDamaged = errors.New("it is not whole")
)

// Places in the header of a SQLite file, in bytes.
const (
	headerSize    = 100
	userVersionAt = 60
	applicationAt = 68
	copyMark      = 0x47486370 // application_id of a copy that nobody has opened yet: "GHcp"
)

var magic = []byte("SQLite format 3\x00")

// Lock keeps every other process that asks for it from a database, by NAME.lock. It
// comes before Prepare: SQLite's own locks do not hold, since a process loses them
// when it closes any descriptor of the file, as whoever reads the header does. One
// that is held is durable.ErrLocked.
func Lock(path string) (*durable.Lock, error) { return durable.TakeLock(path + ".lock") }

// Prepare looks at a database before it is opened. The caller has its Lock.
func Prepare(path string) (f Found, err error) {
	number, isCopy, err := readHeader(path)
	if err != nil {
		return f, Explain(path, fmt.Errorf("look at database %s: %w", path, err))
	}
	known, err := readMark(path)
	if err != nil {
		return f, fmt.Errorf("look at database %s: %w", path, err)
	}
	f.New = number == 0 && !isCopy && !exists(path)
	f.Lost = f.New && len(known) > 0
	f.Restored = !f.New && (isCopy || len(known) > 0 && !slices.Contains(known, number))
	if !f.New && !f.Restored {
		return f, nil
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if !exists(path + suffix) {
			continue
		}
		aside, err := durable.SetAside(path + suffix)
		if err != nil {
			return f, fmt.Errorf("move %s aside, which is of another database: %w", path+suffix, err)
		}
		f.Aside = append(f.Aside, aside)
	}
	return f, nil
}

// exists reports whether there is a file with something in it.
func exists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// readHeader returns the number in a database's header; 0: none, or no database.
func readHeader(path string) (number uint32, isCopy bool, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer file.Close()
	b := make([]byte, headerSize)
	n, err := io.ReadFull(file, b)
	switch {
	case n == 0:
		return 0, false, nil // just made
	case err != nil || !bytes.HasPrefix(b, magic):
		return 0, false, errNone
	}
	return binary.BigEndian.Uint32(b[userVersionAt:]), binary.BigEndian.Uint32(b[applicationAt:]) == copyMark, nil
}

// markOf is where the numbers stand that the database in use may have.
func markOf(path string) string { return path + ".mark" }

// readMark returns these numbers.
func readMark(path string) (known []uint32, err error) {
	b, err := os.ReadFile(markOf(path))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	for _, text := range strings.Fields(string(b)) {
		if n, err := strconv.ParseUint(text, 16, 32); err == nil {
			known = append(known, uint32(n))
		}
	}
	return known, err
}

func writeMark(path string, numbers ...uint32) error {
	var b bytes.Buffer
	for _, n := range numbers {
		fmt.Fprintf(&b, "%08x\n", n)
	}
	return durable.WriteFile(markOf(path), b.Bytes(), 0o600)
}

// Stamp gives an open database a new number, in the file itself. Between the two
// writes both numbers are good, so that a power cut raises no alarm. It reads the number
// through db, never by a descriptor of its own: a process loses all its locks of a file
// when it closes any descriptor of that, and another program that closes the database then
// takes itself for the last that has it, and deletes the write-ahead log.
func Stamp(ctx context.Context, db *sql.DB, path string) error {
	const settle = "PRAGMA wal_checkpoint(TRUNCATE)"
	var before int64
	_, err := db.ExecContext(ctx, settle) // then the header has what the database says
	if err == nil {
		err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&before)
	}
	next := newNumber()
	if err == nil {
		err = writeMark(path, uint32(before), next)
	}
	for _, statement := range []string{"PRAGMA application_id = 0", fmt.Sprintf("PRAGMA user_version = %d", next), settle} {
		if err == nil {
			_, err = db.ExecContext(ctx, statement)
		}
	}
	if err == nil {
		err = writeMark(path, next)
	}
	if err != nil {
		return fmt.Errorf("stamp database %s: %w", path, err)
	}
	return nil
}

// newNumber is not 0, and positive as SQLite has it.
func newNumber() uint32 { return 1 + rand.Uint32N(1<<31-1) }

// Copy writes a whole and consistent copy of an open database to a path where
// nothing is. The copy is one file, and synced.
func Copy(ctx context.Context, db *sql.DB, path string) error {
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("copy database to %s: %w", path, err)
	}
	out, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)")
	if err != nil {
		return fmt.Errorf("copy database to %s: %w", path, err)
	}
	for _, statement := range []string{fmt.Sprintf("PRAGMA user_version = %d", newNumber()), fmt.Sprintf("PRAGMA application_id = %d", copyMark)} {
		if err == nil {
			_, err = out.ExecContext(ctx, statement)
		}
	}
	if err = errors.Join(err, out.Close(), sync(path)); err != nil {
		return fmt.Errorf("copy database to %s: %w", path, err)
	}
	return nil
}

// Scrub rewrites an open database by itself, so that its files have no byte of what was deleted: SQLite leaves
// rests where it moves rows, and old pages in the write-ahead log. It fails while somebody reads for long.
func Scrub(ctx context.Context, db *sql.DB, path string) error {
	if _, err := db.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("rewrite database %s without what was deleted: %w", path, Explain(path, err))
	}
	return Settle(ctx, db, path)
}

// Settle brings the write-ahead log of an open database into the file, and cuts it to nothing. It fails while somebody
// reads for long.
func Settle(ctx context.Context, db *sql.DB, path string) error {
	var busy, log, moved int
	err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody reads in it for long")
	}
	if err != nil {
		return fmt.Errorf("empty the write-ahead log of database %s: %w", path, Explain(path, err))
	}
	return nil
}

// Check reads a whole copy and reports what is wrong with it.
func Check(ctx context.Context, path string) error {
	_, isCopy, err := readHeader(path)
	if err == nil && !isCopy {
		err = errors.New("it is no copy of a database")
	}
	if err == nil {
		var db *sql.DB
		if db, err = sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1"); err == nil {
			defer db.Close()
			err = Whole(ctx, db)
		}
	}
	if err != nil {
		return fmt.Errorf("check copy %s: %w", path, err)
	}
	return nil
}

// Whole reads a whole database and reports whether it is damaged, or lacks a row that another one
// needs.
func Whole(ctx context.Context, db *sql.DB) error {
	var answer, table, parent string
	err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer)
	if err == nil && answer != "ok" {
		err = fmt.Errorf("%w: %s", errDamaged, answer)
	}
	if err != nil {
		return err
	}
	err = db.QueryRowContext(ctx, `SELECT "table", "parent" FROM pragma_foreign_key_check`).Scan(&table, &parent)
	if err == nil {
		return fmt.Errorf("%w: a row of table %s needs one of table %s that is not there", errDamaged, table, parent)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// Temporary makes a file by fill and returns it open, with its name gone: nothing
// is left of it when it is closed, or when the process is killed.
func Temporary(path string, fill func(path string) error) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed while it made it
		return nil, fmt.Errorf("make room for %s: %w", path, err)
	}
	defer os.Remove(path) // best effort: the next one does it
	if err := fill(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func sync(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// Full reports whether an error of a database is that its disk has no room.
func Full(err error) bool {
	const sqliteFull = 13
	return code(err) == sqliteFull
}

// Explain says of an error that a damaged file, or one that is no database, has made
// which file that is and where the procedure stands. Any other error it returns as it is.
func Explain(path string, err error) error {
	const corrupt, notDatabase = 11, 26
	if c := code(err); c != corrupt && c != notDatabase && !errors.Is(err, errNone) && !errors.Is(err, errDamaged) {
		return err
	}
	return fmt.Errorf("%s is damaged, or no database of gatehouse: move it away and put the newest copy back, or none (%s): %w", path, procedure(path), err)
}

// Own refuses a database with other tables than the program's own, of which table is
// one: somebody has put another file in its place. Nothing is written into it.
func Own(ctx context.Context, db *sql.DB, path, table string) error {
	var all, own int
	err := db.QueryRowContext(ctx, "SELECT count(*), count(CASE WHEN name = ? THEN 1 END) FROM sqlite_master WHERE type = 'table'", table).Scan(&all, &own)
	if err == nil && all > 0 && own == 0 {
		err = fmt.Errorf("%s is another program's database, or the other one of the registry: move it away and put the newest copy of the right one back, or none (%s)", path, procedure(path))
	}
	return Explain(path, err)
}

// procedure is where it is written what to do when a database is lost.
func procedure(path string) string { return "docs/restore.md, " + filepath.Base(path) + " is lost" }

// code is the primary result code of SQLite; 0: it is no error of a database.
func code(err error) int {
	e, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	if !ok {
		return 0
	}
	return e.Code() & 0xff
}
