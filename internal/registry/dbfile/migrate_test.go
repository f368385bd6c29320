package dbfile

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestMigrate: steps that are missing are made once, in order, and none of them where
// one fails; what was in the tables stays.
func TestMigrate(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.revoke(1) // a database from before versions were kept
	first := Statements(`CREATE TABLE IF NOT EXISTS revoked (id INTEGER PRIMARY KEY)`, `CREATE TABLE IF NOT EXISTS doors (id INTEGER)`)
	h.must(Migrate(t.Context(), zerolog.Nop(), h.db, h.path, first))
	h.must(Migrate(t.Context(), zerolog.Nop(), h.db, h.path, first))
	if h.revoked() != 1 {
		t.Fatal("a row is lost")
	}
	broken := errors.New("it does not go on")
	second, third := Statements(`ALTER TABLE doors ADD COLUMN name TEXT`), func(context.Context, *sql.Tx) error { return broken }
	if err := Migrate(t.Context(), zerolog.Nop(), h.db, h.path, first, second, third); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := h.db.Exec(`INSERT INTO doors (id, name) VALUES (1, 'front')`); err == nil {
		t.Fatal("half of a migration was kept")
	}
	h.must(Migrate(t.Context(), zerolog.Nop(), h.db, h.path, first, second))
	_, err := h.db.Exec(`INSERT INTO doors (id, name) VALUES (1, 'front')`)
	h.must(err)
	h.must(h.db.Close())
}

// TestMigrateRefuses a database that a newer program has written, and leaves it as it is.
func TestMigrateRefuses(t *testing.T) {
	h := newHouse(t)
	h.open()
	step := Statements(`CREATE TABLE IF NOT EXISTS doors (id INTEGER)`)
	h.must(Migrate(t.Context(), zerolog.Nop(), h.db, h.path, step, step))
	err := Migrate(t.Context(), zerolog.Nop(), h.db, h.path, Statements(`DROP TABLE doors`))
	if err == nil || !strings.Contains(err.Error(), "schema version 2, and this program knows 1") || !strings.Contains(err.Error(), "front.db is lost") {
		t.Fatal(err)
	}
	h.must(Migrate(t.Context(), zerolog.Nop(), h.db, h.path, step, step))
	_, err = h.db.Exec(`INSERT INTO doors VALUES (1)`)
	h.must(err)
	h.must(h.db.Close())
}
