package keyring

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/sync/wire"
)

// snapshots copies the directories of a keyring after each of its writes, as power
// would leave them that goes then.
func snapshots(t testing.TB, k *Keyring) *[]string {
	t.Helper()
	all := new([]string)
	from := filepath.Dir(k.opts.Dir)
	k.active.dir.Written = func() {
		to := t.TempDir()
		must(t, os.CopyFS(to, os.DirFS(from)))
		*all = append(*all, to)
	}
	return all
}

// tears returns directories between two snapshots, in which power went while a frame was written: its
// beginning is there and the rest is not, or its end.
func tears(t *testing.T, before, after string) (all []string) {
	t.Helper()
	for _, name := range []string{"grants-a.ahead", "grants-b.ahead"} {
		was, err := os.ReadFile(filepath.Join(before, "grants", name))
		is, failed := os.ReadFile(filepath.Join(after, "grants", name))
		if err != nil || failed != nil || bytes.Equal(was, is) {
			continue
		}
		first := 0
		for was[first] == is[first] {
			first++
		}
		last := len(is)
		for was[last-1] == is[last-1] {
			last--
		}
		for i := 1; i < 8; i++ {
			at := first + i*(last-first)/8
			for _, torn := range [][]byte{slices.Concat(is[:at], was[at:]), slices.Concat(was[:at], is[at:])} {
				to := t.TempDir()
				must(t, os.CopyFS(to, os.DirFS(before)))
				writeFile(t, filepath.Join(to, "grants", name), torn)
				all = append(all, to)
			}
		}
	}
	return all
}

// TestKilledAtEveryWrite: wherever power goes while a list is applied, what it
// takes is active before the first card of the next run, the hello names a list
// that a file holds, nothing is told as damage, and the list is taken again.
func TestKilledAtEveryWrite(t *testing.T) {
	for name, c := range map[string]struct {
		begin  func(*Keyring)
		writes int
	}{
		"ahead of the databases": {(*Keyring).tend, 15},
		"in the databases":       {func(*Keyring) {}, 5},
	} {
		t.Run(name, func(t *testing.T) { killedAtEveryWrite(t, c.begin, c.writes) })
	}
}

func killedAtEveryWrite(t *testing.T, begin func(*Keyring), writes int) {
	k, _ := enrolled(t)
	g := newLog()
	for i := byte(1); i <= 6; i++ {
		g.set(i, int(i), atDoors(1))
	}
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	must(t, k.Records.Add(local(t, k, "gate-b", 5, 1, 1, change(wire.OpEnd, 6, 20))))
	k = restarted(t, k)
	begin(k)
	first := k.Status().Hash
	g.set(1, 1, revoke)
	delete(g.rows, wire.ID{2})
	g.set(3, 3, inState(wire.GrantSuspended))
	g.set(4, 4, until(issuedAt))
	g.set(5, 5, atDoors(2))
	g.set(7, 7)
	u := g.issue(t, wire.LogFormat)
	all := snapshots(t, k)
	k.active.dir.Written() // nothing is written yet
	must(t, k.Apply(u))
	k.active.dir.Written = nil
	cuts := slices.Clone(*all)
	for i := range cuts[1:] {
		cuts = append(cuts, tears(t, cuts[i], cuts[i+1])...)
	}
	if n := len(cuts); n < writes {
		t.Fatalf("%d writes", n)
	}
	taken := map[int]wire.Reason{1: wire.ReasonRevoked, 3: wire.ReasonSuspended, 4: wire.ReasonExpired, 5: wire.ReasonWrongDoor, 6: wire.ReasonRevoked}
	old, stored := 0, 0
	for i, dir := range cuts {
		k := openEnrolled(t, dir)
		s := k.Status()
		if len(s.Files.Damage)+len(s.Files.Aside) > 0 || s.Version != s.Active.Version || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
			t.Errorf("cut %d: %+v", i, s)
		}
		if s.Hash != first {
			stored++
		}
		if k.active.state.Limits.Empty() && s.Hash == first { // not one byte of the list counts
			old++
			want(t, k, credential(1), wire.ReasonGranted)
		} else {
			for card, why := range taken {
				if got := ask(k, credential(card)); got != why {
					t.Errorf("cut %d: card %d: %d, want %d", i, card, got, why)
				}
			}
			if got := ask(k, credential(2)); got == wire.ReasonGranted {
				t.Errorf("cut %d: a grant that is named no more opens", i)
			}
		}
		must(t, g.give(t, k))
		want(t, k, credential(7), wire.ReasonGranted)
		if s := k.Status(); s.Version != 2 || s.Over.Grants != 2 || s.Unproved != nil {
			t.Errorf("applied again after cut %d: %+v", i, s)
		}
		if _, err := os.Stat(fileOf(k, removalsFile)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the small file stays: %v", err)
		}
		if k = restarted(t, k); len(k.active.state.Limits.Rows) > 0 || k.Status().Over.Grants != 2 {
			t.Errorf("after cut %d something is still laid over the list, or is not over any more", i)
		}
	}
	if old == 0 || stored == 0 || stored == len(cuts) {
		t.Fatalf("of %d %d have the new list, and %d nothing of it", len(cuts), stored, old)
	}
}

// TestNamedWhenStored: a list that no disk takes is active, and not named.
func TestNamedWhenStored(t *testing.T) {
	k, _ := enrolled(t)
	g := newLog()
	g.set(1, 1)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	mend := [2]func(){sicken(t, k, "grants-a.db"), sicken(t, k, "grants-b.db")}
	g.set(1, 1, revoke)
	g.issue(t, wire.LogFormat)
	if err := g.give(t, k); !errors.Is(err, ErrNotDurable) {
		t.Fatal(err)
	}
	want(t, k, credential(1), wire.ReasonRevoked)
	if s := k.Status(); s.Version != 1 || s.Hash != g.hashes[0] || s.Active.Version != 2 {
		t.Fatalf("status %+v", s)
	}
	mend[0]()
	mend[1]()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(filepath.Dir(k.opts.Dir))))
	other := openEnrolled(t, dir) // power went before the disk was mended
	want(t, other, credential(1), wire.ReasonRevoked)
	k.active.mu.Lock()
	must(t, k.active.store(k.active.state.List))
	k.active.mu.Unlock()
	if s := k.Status(); s.Version != 2 || s.Hash != g.hashes[1] {
		t.Fatalf("status %+v", s)
	}
}

// TestTakenWhileRestrained: what a list takes is kept beside what lists before it took
// that proved nothing, though no disk takes the list itself.
func TestTakenWhileRestrained(t *testing.T) {
	for name, proved := range map[string]bool{"one more that proves nothing": false, "the next list": true} {
		t.Run(name, func(t *testing.T) {
			k, _ := enrolled(t)
			g, other := newLog(), newLog()
			for i := byte(1); i <= 2; i++ {
				g.set(i, int(i))
				other.set(i, int(i))
			}
			g.issue(t, wire.LogFormat)
			must(t, g.give(t, k))
			other.version = 1
			other.set(2, 2, inState(wire.GrantSuspended))
			if err := k.Apply(other.issue(t, wire.LogFormat)); !errors.Is(err, ErrUnproved) {
				t.Fatal(err)
			}
			mend := [2]func(){sicken(t, k, "grants-a.db"), sicken(t, k, "grants-b.db")}
			by, refused := other, ErrUnproved
			if proved {
				by, refused = g, ErrNotDurable
			}
			by.set(1, 1, revoke)
			if err := k.Apply(by.issue(t, wire.LogFormat)); !errors.Is(err, refused) {
				t.Fatal(err)
			}
			want(t, k, credential(1), wire.ReasonRevoked)
			mend[0]()
			mend[1]()
			dir := t.TempDir()
			must(t, os.CopyFS(dir, os.DirFS(filepath.Dir(k.opts.Dir))))
			want(t, openEnrolled(t, dir), credential(1), wire.ReasonRevoked)
		})
	}
}

// TestFilesThatAreNotAsLeft: a copy that is older than the other, emptied, garbled
// or deleted is told once, and mended from the other; what is over stays so.
func TestFilesThatAreNotAsLeft(t *testing.T) {
	ruin := func(path string, b []byte) error { return os.WriteFile(path, b, 0o600) }
	for name, c := range map[string]struct {
		do    func(path string, old []byte) error
		told  string
		aside bool
	}{
		"older":   {ruin, " behind", false},
		"deleted": {func(path string, _ []byte) error { return os.Remove(path) }, " missing", false},
		"emptied": {func(path string, _ []byte) error { return ruin(path, nil) }, "", true},
		"garbled": {func(path string, old []byte) error { return ruin(path, make([]byte, len(old))) }, "", true},
	} {
		for _, file := range []string{"grants-a.db", "grants-b.db"} {
			t.Run(name+" "+file, func(t *testing.T) {
				k, _ := enrolled(t)
				g := newLog()
				g.set(1, 1)
				g.set(2, 2)
				g.issue(t, wire.LogFormat)
				must(t, g.give(t, k))
				old := readFile(t, fileOf(k, file))
				delete(g.rows, wire.ID{1})
				g.issue(t, wire.LogFormat)
				must(t, g.give(t, k))
				must(t, k.Close())
				must(t, c.do(fileOf(k, file), old))
				k = openEnrolled(t, filepath.Dir(k.opts.Dir))
				s := k.Status()
				if c.aside != (len(s.Files.Aside) == 1) || !c.aside && !slices.Equal(s.Files.Damage, []string{file + c.told}) {
					t.Fatalf("told %q, set aside %q", s.Files.Damage, s.Files.Aside)
				}
				if s.Over.Grants != 1 || s.Version != 2 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
					t.Fatalf("status %+v", s)
				}
				k = restarted(t, k)
				if s := k.Status(); len(s.Files.Damage)+len(s.Files.Aside) > 0 || s.Over.Grants != 1 {
					t.Fatalf("told again: %+v", s)
				}
			})
		}
	}
	k, _ := enrolled(t)
	g := newLog()
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	must(t, k.Close())
	must(t, os.Remove(fileOf(k, marksFile)))
	if k = openEnrolled(t, filepath.Dir(k.opts.Dir)); !slices.Equal(k.Status().Files.Damage, []string{marksFile + " missing"}) {
		t.Fatalf("told %q", k.Status().Files.Damage)
	}
}
