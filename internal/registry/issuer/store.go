package issuer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"gatehouse/internal/registry/issuer/fold"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"gatehouse/internal/registry/dbfile"
	"gatehouse/sync/wire"
)

// schema makes the tables of schema version 1, and is plain SQL. Times are unix
// seconds, ids and hashes their bytes.
const schema = `
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS buildings (
	id TEXT PRIMARY KEY, district TEXT NOT NULL, town TEXT NOT NULL, flats TEXT NOT NULL, notice_days INTEGER NOT NULL,
	key_number INTEGER NOT NULL, escrow BLOB, escrow_of TEXT NOT NULL, house BLOB, house_sent INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gateways (
	building TEXT, id TEXT, secret BLOB, expires INTEGER NOT NULL, introduced INTEGER NOT NULL,
	used_by BLOB, enrolled INTEGER NOT NULL, PRIMARY KEY (building, id));
CREATE TABLE IF NOT EXISTS certificates (serial BLOB PRIMARY KEY, building TEXT, gateway TEXT, issued INTEGER, until INTEGER);
CREATE TABLE IF NOT EXISTS changes (
	n INTEGER PRIMARY KEY, building TEXT NOT NULL, gateway TEXT NOT NULL, line BLOB NOT NULL, number INTEGER NOT NULL,
	record BLOB NOT NULL, grant_id BLOB NOT NULL, tenancy BLOB NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL, person BLOB NOT NULL, settled INTEGER NOT NULL,
	UNIQUE (building, gateway, record));
CREATE TABLE IF NOT EXISTS seen (
	building TEXT, gateway TEXT, line BLOB, number INTEGER NOT NULL, at INTEGER NOT NULL,
	used INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (building, gateway, line));
CREATE TABLE IF NOT EXISTS waiting (
	building TEXT, gateway TEXT, line BLOB, number INTEGER, envelope BLOB NOT NULL, PRIMARY KEY (building, gateway, line, number));
CREATE TABLE IF NOT EXISTS problems (
	n INTEGER PRIMARY KEY, at INTEGER NOT NULL, building TEXT NOT NULL, gateway TEXT NOT NULL, line BLOB NOT NULL,
	number INTEGER NOT NULL, text TEXT NOT NULL, envelope BLOB);
CREATE TABLE IF NOT EXISTS lists (
	building TEXT, held INTEGER, manifest BLOB NOT NULL, second BLOB, sent INTEGER NOT NULL, PRIMARY KEY (building, held));
CREATE TABLE IF NOT EXISTS listlog (
	building TEXT, n INTEGER, hash BLOB NOT NULL, epoch INTEGER NOT NULL, version BLOB NOT NULL, own INTEGER NOT NULL, PRIMARY KEY (building, n));
CREATE INDEX IF NOT EXISTS listlog_hash ON listlog (building, hash);
CREATE TABLE IF NOT EXISTS buckets (building TEXT, hash BLOB, bytes BLOB NOT NULL, PRIMARY KEY (building, hash));
CREATE TABLE IF NOT EXISTS revoked (
	building TEXT, grant_id BLOB, version INTEGER NOT NULL, dropped INTEGER NOT NULL, PRIMARY KEY (building, grant_id));
CREATE TABLE IF NOT EXISTS covered (building TEXT, gateway TEXT, line BLOB, number INTEGER NOT NULL, PRIMARY KEY (building, gateway, line));
CREATE TABLE IF NOT EXISTS offers (
	building TEXT, hash BLOB, gateway TEXT NOT NULL, at INTEGER NOT NULL, manifest BLOB NOT NULL, second BLOB, buckets BLOB NOT NULL, state INTEGER NOT NULL,
	PRIMARY KEY (building, hash));
CREATE TABLE IF NOT EXISTS reinstated (building TEXT, grant_id BLOB, old_id BLOB NOT NULL, list_hash BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (building, grant_id));
CREATE TABLE IF NOT EXISTS setbacks (building TEXT, gateway TEXT, number INTEGER NOT NULL, PRIMARY KEY (building, gateway));
CREATE TABLE IF NOT EXISTS removals (building TEXT, tenancy BLOB, at INTEGER NOT NULL, PRIMARY KEY (building, tenancy));
CREATE TABLE IF NOT EXISTS audit (
	n INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, building TEXT NOT NULL,
	subject TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trusts (version INTEGER PRIMARY KEY, envelope BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS remarks (building TEXT, text TEXT, at INTEGER NOT NULL, PRIMARY KEY (building, text));
CREATE INDEX IF NOT EXISTS problems_gateway ON problems (building, gateway);
CREATE INDEX IF NOT EXISTS changes_building ON changes (building);
CREATE INDEX IF NOT EXISTS changes_grant ON changes (grant_id);
CREATE INDEX IF NOT EXISTS changes_tenancy ON changes (tenancy);
`

// querier is a database or a transaction of it.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
	Exec(query string, args ...any) (sql.Result, error)
}

// openStore opens the database. The caller has its lock.
func openStore(dir string) (*sql.DB, dbfile.Found, error) {
	path := filepath.Join(dir, FileDatabase)
	found, err := dbfile.Prepare(path)
	if err != nil {
		return nil, found, err
	}
	db, err := openFile(path)
	if err != nil {
		return nil, found, err
	}
	if err == nil {
		err = dbfile.Stamp(context.Background(), db, path)
	}
	if err != nil {
		return nil, found, errors.Join(fmt.Errorf("open %s: %w", path, dbfile.Explain(path, err)), db.Close())
	}
	return db, found, nil
}

func openFile(path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // it has tokens: nobody else reads it, in whatever folder it lies
	if err == nil {
		err = errors.Join(f.Chmod(0o600), f.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=locking_mode(EXCLUSIVE)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // exclusive: a second connection would wait for ever
	if err = dbfile.Own(context.Background(), db, path, "changes"); err == nil {
		if err = dbfile.Migrate(context.Background(), db, path, firstVersion); err == nil {
			err = dbfile.Whole(context.Background(), db) // it is small: a damaged page shows now, and not when a tenancy is needed
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, dbfile.Explain(path, err)), db.Close())
	}
	return db, nil
}

// firstVersion makes schema version 1 of an empty database, and of one from before
// versions were kept, which may lack columns that came later.
func firstVersion(ctx context.Context, tx *sql.Tx) error {
	if err := dbfile.Statements(schema)(ctx, tx); err != nil {
		return err
	}
	for _, add := range []struct{ table, column string }{{"seen", "used INTEGER NOT NULL DEFAULT 0"},
		{"lists", "old BLOB"}, {"lists", "old_second BLOB"}, {"buildings", "log BLOB"}, {"buildings", "house_old BLOB"},
		{"changes", "least INTEGER NOT NULL DEFAULT 0"}, {"covered", "events INTEGER NOT NULL DEFAULT 0"}} {
		name, _, _ := strings.Cut(add.column, " ")
		var n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info(?) WHERE name = ?`, add.table, name).Scan(&n)
		if err == nil && n == 0 {
			_, err = tx.ExecContext(ctx, "ALTER TABLE "+add.table+" ADD COLUMN "+add.column)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) loadState() error {
	err := i.db.QueryRow(`SELECT value FROM state WHERE key = 'after'`).Scan(&i.after)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, envelope := range [][]byte{i.keys.TrustPlain, i.keys.TrustEnvelope} {
		if err := i.keepTrust(envelope); err != nil {
			return err
		}
	}
	err = i.db.QueryRow(`SELECT value FROM state WHERE key = 'signer'`).Scan(&i.signer)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	err = i.db.QueryRow(`SELECT value FROM state WHERE key = 'since'`).Scan(&i.since)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return i.loadUnsent(i.db)
}

// notYet stands for a time that no clock can tell yet: it comes after all others.
const notYet = 1<<32 - 1

// begin keeps when this database was put back or made: what was signed before is unknown
// here for that reason. A clock in doubt stands at the time of before, which would make a
// thief's of all that was signed since: then it is kept once the doubt has ended.
func (i *Issuer) begin() error {
	now, sure := i.agreed()
	if i.since = now; !sure {
		i.since = notYet
	}
	if _, err := i.db.Exec(`INSERT INTO state (key, value) VALUES ('since', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, i.since); err != nil {
		return fmt.Errorf("keep since when the database is in use: %w", err)
	}
	return nil
}

// beginAnew keeps that time where no clock could tell it at the start.
func (i *Issuer) beginAnew() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, sure := i.agreed(); i.since != notYet || !sure {
		return nil
	}
	return i.begin()
}

func (i *Issuer) loadUnsent(q querier) error {
	return each(q, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		i.unsent[id] = true
		return err
	}, `SELECT building FROM lists WHERE held = 0 AND sent = 0 UNION SELECT id FROM buildings WHERE house_sent = 0 AND house IS NOT NULL`)
}

// each calls f with every row.
func each(q querier, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// loadBuilding works out a building from what is stored; nil: there is none.
func (i *Issuer) loadBuilding(q querier, id string) (*building, error) {
	b := newBuilding(id)
	var flats string
	var house []byte
	err := q.QueryRow(`SELECT district, town, flats, notice_days, key_number, escrow_of, house, house_old FROM buildings WHERE id = ?`, id).
		Scan(&b.district, &b.town, &flats, &b.noticeDays, &b.keyNumber, &b.escrowOf, &house, &b.houseOld)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(flats), &b.flats)
	}
	if err == nil && house != nil {
		err = openHouse(b, house)
	}
	if err != nil {
		return nil, err
	}
	for _, load := range []func(querier, *building) error{loadSeen, loadChanges, loadLists, loadLog, loadRevoked, loadCovered} {
		if err := load(q, b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// openHouse reads a House document that was signed here. Who signed it is not
// asked: the issuer's key may have been replaced since.
func openHouse(b *building, envelope []byte) error {
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		return err
	}
	b.houseEnvelope = envelope
	return wire.Decode(payload, &b.house)
}

func loadSeen(q querier, b *building) error {
	return each(q, func(rows *sql.Rows) error {
		var l lineKey
		var line []byte
		var s lineState
		if err := rows.Scan(&l.gateway, &line, &s.number, &s.at, &s.used); err != nil {
			return err
		}
		l.line = number(line)
		b.seen[l], b.uses = s, max(b.uses, s.used)
		return nil
	}, `SELECT gateway, line, number, at, used FROM seen WHERE building = ?`, b.id)
}

func loadChanges(q querier, b *building) error {
	err := each(q, func(rows *sql.Rows) error {
		var e fold.Event
		var line, record, body, person []byte
		var n int64
		if err := rows.Scan(&e.Source, &line, &n, &record, &e.At, &body, &person, &e.Settled, &e.Least); err != nil {
			return err
		}
		e.Line, e.Number = number(line), uint64(n)
		copy(e.Record[:], record)
		copy(e.Person[:], person)
		if err := wire.Decode(body, &e.Change); err != nil {
			return err
		}
		if !e.ByClock() {
			b.add(e)
		}
		return nil
	}, `SELECT gateway, line, number, record, at, body, person, settled, least FROM changes WHERE building = ? ORDER BY n`, b.id)
	b.foldAll()
	return err
}

func loadRevoked(q querier, b *building) error {
	err := each(q, func(rows *sql.Rows) error {
		var id []byte
		var r revocation
		if err := rows.Scan(&id, &r.version, &r.dropped); err != nil {
			return err
		}
		if g := b.grants[wire.ID(id)]; g != nil && g.Known && !g.Ended {
			b.healed = true // an earlier version ended it by the clock
			return nil
		}
		b.revoked[wire.ID(id)] = r
		return nil
	}, `SELECT grant_id, version, dropped FROM revoked WHERE building = ?`, b.id)
	if err != nil {
		return err
	}
	err = each(q, func(rows *sql.Rows) error {
		var gateway string
		var number int64
		err := rows.Scan(&gateway, &number)
		b.setBacks[gateway] = uint64(number)
		return err
	}, `SELECT gateway, number FROM setbacks WHERE building = ?`, b.id)
	if err != nil {
		return err
	}
	return each(q, func(rows *sql.Rows) error {
		var tenancy []byte
		var at uint32
		if err := rows.Scan(&tenancy, &at); err != nil {
			return err
		}
		b.removals[wire.ID(tenancy)] = at
		return nil
	}, `SELECT tenancy, at FROM removals WHERE building = ?`, b.id)
}

func loadCovered(q querier, b *building) error {
	return each(q, func(rows *sql.Rows) error {
		var l lineKey
		var line []byte
		var n int64
		var events int
		err := rows.Scan(&l.gateway, &line, &n, &events)
		l.line = number(line)
		b.covered[l] = cover{uint64(n), events}
		return err
	}, `SELECT gateway, line, number, events FROM covered WHERE building = ?`, b.id)
}

// blob is a 64-bit number as the store keeps it: all 64 bits, where SQL has 63.
func blob(v uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(v >> (56 - 8*i))
	}
	return b
}

func number(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}
