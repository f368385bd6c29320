package dbfile

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// house is a database in use.
type house struct {
	t    *testing.T
	path string
	db   *sql.DB
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) open() Found {
	h.t.Helper()
	found, err := Prepare(h.path)
	h.must(err)
	h.db, err = sql.Open("sqlite", "file:"+h.path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	h.must(err)
	h.db.SetMaxOpenConns(1)
	_, err = h.db.Exec(`CREATE TABLE IF NOT EXISTS revoked (id INTEGER PRIMARY KEY)`)
	h.must(err)
	h.must(Stamp(h.t.Context(), h.db, h.path))
	return found
}

func (h *house) revoke(id int) {
	h.t.Helper()
	_, err := h.db.Exec(`INSERT INTO revoked VALUES (?)`, id)
	h.must(err)
}

// fill makes the database some pages long.
func (h *house) fill() {
	h.t.Helper()
	_, err := h.db.Exec(`WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO revoked SELECT i FROM n`)
	h.must(err)
}

func (h *house) revoked() (n int) {
	h.t.Helper()
	h.must(h.db.QueryRow(`SELECT count(*) FROM revoked`).Scan(&n))
	return n
}

// kill copies the files as they lie there while the database is open: what a
// killed process leaves.
func (h *house) kill() {
	h.t.Helper()
	left := make(map[string][]byte)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(h.path + suffix)
		h.must(err)
		left[suffix] = b
	}
	h.must(h.db.Close())
	for suffix, b := range left {
		h.must(os.WriteFile(h.path+suffix, b, 0o600))
	}
}

func (h *house) put(from string) {
	h.t.Helper()
	b, err := os.ReadFile(from)
	h.must(err)
	h.must(os.WriteFile(h.path, b, 0o600))
}

func newHouse(t *testing.T) *house { return &house{t: t, path: filepath.Join(t.TempDir(), "front.db")} }

// TestKilled: what was in the write-ahead log of a killed process stays, and
// nothing is said.
func TestKilled(t *testing.T) {
	h := newHouse(t)
	if found := h.open(); !found.New || found.String() != "" {
		t.Fatalf("%+v", found)
	}
	h.revoke(1)
	h.kill()
	if found := h.open(); found.String() != "" || h.revoked() != 1 {
		t.Fatalf("%+v: %d", found, h.revoked())
	}
	h.must(h.db.Close())
	if found := h.open(); found.String() != "" || h.revoked() != 1 {
		t.Fatalf("%+v: %d", found, h.revoked())
	}
}

// TestPutBack: beside a copy that was put back the write-ahead log of the database
// before would be played into it. It is moved aside, and said.
func TestPutBack(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.revoke(1)
	copied := filepath.Join(t.TempDir(), "copy.db")
	h.must(Copy(t.Context(), h.db, copied))
	h.must(Check(t.Context(), copied))
	h.revoke(2)
	h.revoke(3)
	h.kill()
	h.put(copied)
	found := h.open()
	if !found.Restored || len(found.Aside) != 2 || h.revoked() != 1 || !strings.Contains(found.String(), "moved aside") {
		t.Fatalf("%+v: %d", found, h.revoked())
	}
	h.revoke(4)
	h.kill()
	if found := h.open(); found.String() != "" || h.revoked() != 2 {
		t.Fatalf("the next start: %+v: %d", found, h.revoked())
	}
	h.must(h.db.Close())
}

// TestOtherMachine: a copy is known as one where nothing of the old machine is
// left, and a file that was merely moved is not.
func TestOtherMachine(t *testing.T) {
	h := newHouse(t)
	h.open()
	copied := filepath.Join(t.TempDir(), "copy.db")
	h.must(Copy(t.Context(), h.db, copied))
	h.must(h.db.Close())
	other := newHouse(t)
	other.put(copied)
	if found := other.open(); !found.Restored {
		t.Fatalf("%+v", found)
	}
	h.must(other.db.Close())
	moved := newHouse(t)
	moved.put(h.path)
	if found := moved.open(); found.String() != "" {
		t.Fatalf("%+v", found)
	}
	h.must(moved.db.Close())
}

// TestGone: a deleted database is told from one that never was.
func TestGone(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.revoke(1)
	h.kill()
	h.must(os.Remove(h.path))
	if found := h.open(); !found.Lost || len(found.Aside) != 2 || h.revoked() != 0 {
		t.Fatalf("%+v: %d", found, h.revoked())
	}
	h.must(h.db.Close())
}

// TestCheckRefuses what is no whole copy.
func TestCheckRefuses(t *testing.T) {
	h := newHouse(t)
	h.open()
	h.fill()
	copied := filepath.Join(t.TempDir(), "copy.db")
	h.must(Copy(t.Context(), h.db, copied))
	if err := Check(t.Context(), h.path); err == nil {
		t.Error("the database in use is a copy")
	}
	b, err := os.ReadFile(copied)
	h.must(err)
	for i := 4096; i < 8192 && i < len(b); i++ {
		b[i] = 0xff
	}
	h.must(os.WriteFile(copied, b, 0o600))
	if err := Check(t.Context(), copied); err == nil {
		t.Error("a damaged copy passes")
	}
	h.must(os.WriteFile(copied, []byte("no database"), 0o600))
	if err := Check(t.Context(), copied); err == nil {
		t.Error("no database passes")
	}
	if _, err := Prepare(copied); err == nil {
		t.Error("a file that is no database is opened")
	}
	h.must(h.db.Close())
}

// TestExplained: a file that is damaged, or not the right one, is refused with the place
// where it is written what to do, and nothing is written into it.
func TestExplained(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"text":   {func([]byte) []byte { return []byte("PostgreSQL 14\n") }, "no SQLite database"},
		"header": {func(b []byte) []byte { copy(b, "garbage"); return b }, "no SQLite database"},
		"schema": {func(b []byte) []byte { clear(b[100:4096]); return b }, "malformed"},
		"page": {func(b []byte) []byte {
			for i := range 4096 {
				b[4096+i] = 0xff
			}
			return b
		}, "malformed"},
		"cut": {func(b []byte) []byte { return b[:len(b)/4096/2*4096] }, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.open()
			h.fill()
			h.must(h.db.Close())
			b, err := os.ReadFile(h.path)
			h.must(err)
			h.must(os.WriteFile(h.path, c.spoil(b), 0o600))
			_, err = Prepare(h.path)
			if err == nil {
				h.db, err = sql.Open("sqlite", "file:"+h.path+"?_pragma=journal_mode(WAL)")
				h.must(err)
				if err = Own(t.Context(), h.db, h.path, "revoked"); err == nil {
					err = Explain(h.path, Whole(t.Context(), h.db))
				}
				h.must(h.db.Close())
			}
			if err == nil || !strings.Contains(err.Error(), "docs/restore.md, front.db is lost") || !strings.Contains(err.Error(), "front.db is damaged") {
				t.Errorf("it says %v", err)
			}
		})
	}
	h := newHouse(t)
	h.open()
	if err := Own(t.Context(), h.db, h.path, "changes"); err == nil || !strings.Contains(err.Error(), "the other one of the registry") || !strings.Contains(err.Error(), "docs/restore.md") {
		t.Errorf("another's tables: %v", err)
	}
	if err := Own(t.Context(), h.db, h.path, "revoked"); err != nil {
		t.Error(err)
	}
	h.must(h.db.Close())
}
