package store

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestUnversioned: a database from before schema versions were kept, as its program
// left it, is brought to the newest version with all that is in it.
func TestUnversioned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "front.db")
	execute(t, path, unversioned(t))
	for _, told := range []int{1, 0} {
		var log bytes.Buffer
		s, err := Open(context.Background(), path, zerolog.New(&log))
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range []string{"until then nobody is served", "has the newer schema version"} {
			if n := strings.Count(log.String(), words); n != told {
				t.Errorf("%q is logged %d times, want %d: %s", words, n, told, &log)
			}
		}
		all, err := s.Gateways(t.Context(), "b", now)
		if err != nil || len(all) != 1 || all[0].Place != place || all[0].Epoch != 7 || all[0].Line != 9 || all[0].Records != 1 {
			t.Errorf("gateways %+v, %v", all, err)
		}
		if k := known(t, s); len(k) != 1 || k[place].Place != place || string(k[place].Hello) != "hello" {
			t.Errorf("known %+v", k)
		}
		batches := 0
		for b, err := range s.Batches(t.Context(), Filter{}) {
			if batches++; err != nil || string(b.Body) != "body" || b.Next != 3 {
				t.Errorf("batch %+v, %v", b, err)
			}
		}
		if batches != 1 {
			t.Errorf("%d batches", batches)
		}
		if version, err := s.reading(t.Context()).number("schema", `SELECT MAX(version) FROM migrations`); err != nil || version != 13 {
			t.Errorf("schema version %d, %v", version, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewIsSilent: the log of a new database says nothing of a migration.
func TestNewIsSilent(t *testing.T) {
	var log bytes.Buffer
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "front.db"), zerolog.New(&log))
	if err != nil || log.Len() > 0 {
		t.Errorf("%v, and it says %s", err, &log)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestNewerRefused: a database that a newer program has written is refused with what to
// do, and the newer program finds it as it was.
func TestNewerRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "front.db")
	execute(t, path, unversioned(t)+`CREATE TABLE migrations (version BIGINT PRIMARY KEY); INSERT INTO migrations VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14);`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(context.Background(), path, zerolog.Nop())
	if err == nil || !strings.Contains(err.Error(), "a newer registryd has written it. Start that one again") || !strings.Contains(err.Error(), "docs/restore.md, front.db is lost") {
		t.Fatalf("it says %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(before[100:]) != string(after[100:]) { // the header says that it is read with a write-ahead log
		t.Errorf("it was changed: %v", err)
	}
}

func unversioned(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "unversioned.sql"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func execute(t *testing.T, path, text string) {
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
