package issuer

import (
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
)

// TestIntroductionNeedsTheToken: who has it not learns nothing and changes nothing.
func TestIntroductionNeedsTheToken(t *testing.T) {
	w := newWorld(t)
	a, b := w.newBox("gw-1"), w.newBox("gw-2")
	ta, tb := w.token("gw-1", false), w.token("gw-2", false)
	other := tb
	other.Secret[0] ^= 1
	moved := ta // gw-1's token, as if it were gw-2's
	moved.Place[3] = "gw-2"
	w.introduce(ta)
	w.introduce(tb) // both are told to make the key
	a.checkEnrolled(w.ask(api.KindEnrol, a.place, a.request(ta, 1)))
	for name, answer := range map[string]api.Answer{"no proof": w.ask(api.KindIntroduce, b.place, nil), "another secret": w.introduce(other),
		"another gateway's": w.introduce(moved)} {
		if answer.Error == "" || answer.Body != nil {
			t.Errorf("introduced by %s", name)
		}
	}
	if got := w.ask(api.KindEnrol, b.place, b.request(tb, 1)); got.Error == "" {
		t.Fatal("two building keys of one number")
	}
	old := tb
	tb = w.token("gw-2", false)
	if w.introduce(old).Error == "" || w.introduce(tb).Error != "" {
		t.Fatal("only the newest token introduces")
	}
}

// TestDatabaseIsPrivate: it has tokens and tenancies, in whatever directory it lies.
func TestDatabaseIsPrivate(t *testing.T) {
	w := newWorld(t)
	w.enrolled("gw-1")
	found := 0
	for _, name := range []string{FileDatabase, FileDatabase + "-wal", FileDatabase + "-shm"} {
		s, err := os.Stat(filepath.Join(w.directory(authority.DirIssuer), name))
		if err != nil {
			continue // with one process alone, SQLite needs no -shm
		}
		if found++; s.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, s.Mode())
		}
	}
	if found < 2 {
		t.Errorf("%d files of the database", found)
	}
}
