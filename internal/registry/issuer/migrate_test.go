package issuer

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/report"
)

// unversioned puts a database from before schema versions were kept, as its program left
// it, in the place of the issuer's, and executes some SQL on it.
func (w *world) unversioned(more string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "unversioned.sql"))
	if err == nil {
		err = w.i.Close()
	}
	path := filepath.Join(w.directory(authority.DirIssuer), FileDatabase)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	execute(w.t, path, string(text)+more)
}

// TestUnversioned: such a database is brought to the newest version with all that is in it, also
// where columns are missing that came later.
func TestUnversioned(t *testing.T) {
	for name, more := range map[string]string{"the last": "", "the first": `ALTER TABLE seen DROP COLUMN used; ALTER TABLE lists DROP COLUMN old; ALTER TABLE lists DROP COLUMN old_second;
		ALTER TABLE buildings DROP COLUMN log; ALTER TABLE buildings DROP COLUMN house_old; ALTER TABLE changes DROP COLUMN least; ALTER TABLE covered DROP COLUMN events;`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.unversioned(more)
			w.open()
			w.reopen()
			all, err := report.Tenancies(w.i.ledger, building1)
			if err != nil || len(all) != 2 || all[0].State != fold.StateActive || all[1].State != fold.StateEnded || all[0].Flat != "3b" {
				t.Errorf("tenancies %+v, %v", all, err)
			}
			lists, err := report.Lists(w.i.ledger, building1)
			if err != nil || len(lists) != 1 || lists[0].Version != 2 || lists[0].Records != 2 {
				t.Errorf("lists %+v, %v", lists, err)
			}
			s, err := w.i.status()
			if err != nil || s.After != 3 || s.Problems != 0 {
				t.Errorf("status %+v, %v", s, err)
			}
			var version int
			if err := w.view().QueryRow(`SELECT MAX(version) FROM migrations`).Scan(&version); err != nil || version != 6 {
				t.Errorf("schema version %d, %v", version, err)
			}
		})
	}
}

// TestNewerRefused: a database that a newer program has written is refused with what to do.
func TestNewerRefused(t *testing.T) {
	w := newWorld(t)
	w.unversioned(`CREATE TABLE migrations (version BIGINT PRIMARY KEY); INSERT INTO migrations VALUES (1), (2), (3), (4), (5), (6), (7);`)
	_, err := Open(Options{Dir: w.directory(authority.DirIssuer), Front: w.front, Log: w.i.opts.Log, Now: w.i.opts.Now})
	if err == nil || !strings.Contains(err.Error(), "a newer registryd has written it. Start that one again") || !strings.Contains(err.Error(), "docs/restore.md, issuer.db is lost") {
		t.Fatalf("it says %v", err)
	}
	execute(t, filepath.Join(w.directory(authority.DirIssuer), FileDatabase), `DELETE FROM migrations WHERE version = 7`)
	w.open()
	if all, err := report.Tenancies(w.i.ledger, building1); err != nil || len(all) != 2 {
		t.Errorf("tenancies %+v, %v", all, err)
	}
}

func execute(t testing.TB, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}
