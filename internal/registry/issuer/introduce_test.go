package issuer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
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

// TestSnapshotNeedsTheToken: the snapshot of a gateway is for whoever has the newest token of
// it, that was not used and is not over; asking does not use it.
func TestSnapshotNeedsTheToken(t *testing.T) {
	w := newWorld(t)
	b := w.enrolled("gw-1")
	fetch := func(gateway string, proof wire.Hash) api.Answer {
		return w.hand(api.Enrolment{Kind: api.KindSnapshot, Place: api.Place{Building: b.place.Building, Gateway: gateway}, Proof: proof[:]})
	}
	ask := func(token wire.Token, gateway string) api.Answer {
		return fetch(gateway, snapshot.Proof(token.Secret, b.place.Building+"/"+gateway))
	}
	old := w.token("gw-1", true)
	token := w.token("gw-1", true)
	wrong := token
	wrong.Secret[3] ^= 1
	for name, answer := range map[string]api.Answer{"a token of before": ask(old, "gw-1"), "another secret": ask(wrong, "gw-1"), "another gateway's": ask(token, "gw-2"),
		"the proof of an introduction": fetch("gw-1", wire.IntroduceProof(token.Secret, b.place.Address()))} {
		if answer.Error == "" || answer.Hint == "" {
			t.Errorf("%s: %+v", name, answer)
		}
	}
	for range 2 {
		if got := ask(token, "gw-1"); got.Error != "" {
			t.Fatalf("refused: %s", got.Error)
		}
	}
	next := w.newBox("gw-1")
	next.checkEnrolled(w.ask(api.KindEnrol, next.place, next.request(token, 0)))
	if got := ask(token, "gw-1"); !strings.Contains(got.Error, "was used") {
		t.Errorf("a used token: %+v", got)
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
