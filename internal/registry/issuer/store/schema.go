package store

import (
	"context"
	"database/sql"
	"strings"

	"gatehouse/internal/registry/dbfile"
)

// schema makes the tables of schema version 1, and is plain SQL. Times are unix seconds, ids and hashes their bytes.
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

// houseAgain is schema version 4: it hands every House document over again: with it goes what the front had not got before, package briefs.
const houseAgain = `UPDATE buildings SET house_sent = 0`

// briefTenancies is schema version 5, for the reminder: which check-ins are of tenancies whom logs name for a shorter time. at: unix s.
const briefTenancies = `CREATE TABLE IF NOT EXISTS brief (building TEXT NOT NULL, tenancy BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (building, tenancy))`

// requests is schema version 3: which requests of residents were read, and which are answered (done: unix s; 0: open).
const requests = `CREATE TABLE IF NOT EXISTS requests (number TEXT PRIMARY KEY, building TEXT NOT NULL, tenancy BLOB NOT NULL, at INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0)`

// erasures is schema version 6: the orders to forget that were made for gateways, by the SHA-256 of what was handed out.
const erasures = `CREATE TABLE IF NOT EXISTS erasures (hash BLOB PRIMARY KEY, building TEXT NOT NULL, tenancy BLOB NOT NULL, made INTEGER NOT NULL, file TEXT NOT NULL)`

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
