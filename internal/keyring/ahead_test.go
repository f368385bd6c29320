package keyring

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"

	bolt "go.etcd.io/bbolt"
)

// running is an enrolled keyring with a list in its databases and two more ahead of them, the last of which
// revokes grant 1. stale has the directory before the last.
func running(t *testing.T) (k *Keyring, g *listLog, stale string) {
	t.Helper()
	k, _ = enrolled(t)
	g = newLog()
	g.set(1, 1)
	g.set(2, 2)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	<-k.active.listed // Run has seen that
	g.set(3, 3)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	stale = t.TempDir()
	must(t, os.CopyFS(stale, os.DirFS(filepath.Dir(k.opts.Dir))))
	g.set(1, 1, revoke)
	g.issue(t, wire.LogFormat)
	must(t, g.give(t, k))
	return k, g, stale
}

// powerCut opens a copy of a keyring's directory as it is now.
func powerCut(t *testing.T, k *Keyring, harm func(dir string)) *Keyring {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(filepath.Dir(k.opts.Dir))))
	harm(filepath.Join(to, "grants"))
	return openEnrolled(t, to)
}

// TestBadFileAhead: whatever becomes of the changes ahead of one database, the other copy has them: what is
// revoked stays so, the bad file is told where it could not be a power cut, and both are good afterwards.
func TestBadFileAhead(t *testing.T) {
	k, g, stale := running(t)
	other, _, _ := running(t)
	foreign := func(name string) []byte { return readFile(t, fileOf(other, name)) }
	used := func(b []byte) int { return len(bytes.TrimRight(b, "\x00")) }
	for what, c := range map[string]struct {
		harm func(name string, b []byte) []byte
		told string // "aside", "missing", "behind", or nothing; of the first file
		also string // of the second
	}{
		"deleted":       {func(string, []byte) []byte { return nil }, "missing", "missing"},
		"a bit flipped": {func(_ string, b []byte) []byte { b[200] ^= 1; return b }, "aside", "aside"},
		"the last torn": {func(_ string, b []byte) []byte { b[used(b)-40] ^= 1; return b }, "behind", ""},
		"cut short":     {func(_ string, b []byte) []byte { return b[:used(b)-40] }, "behind", ""},
		"emptied":       {func(string, []byte) []byte { return []byte{} }, "behind", "behind"},
		"zeros":         {func(_ string, b []byte) []byte { return make([]byte, len(b)) }, "behind", "behind"},
		"stale":         {func(name string, _ []byte) []byte { return readFile(t, filepath.Join(stale, "grants", name)) }, "behind", ""},
		"of another":    {func(name string, _ []byte) []byte { return foreign(name) }, "behind", "behind"},
	} {
		for i, name := range []string{"grants-a.ahead", "grants-b.ahead"} {
			t.Run(what+" "+name, func(t *testing.T) {
				k := powerCut(t, k, func(dir string) {
					path := filepath.Join(dir, name)
					b := c.harm(name, readFile(t, path))
					must(t, os.Remove(path))
					if b != nil {
						writeFile(t, path, b)
					}
				})
				s, told := k.Status(), []string{c.told, c.also}[i]
				var damage, aside []string
				switch told {
				case "aside":
					aside = []string{name + ".bad-1"}
					damage = []string{"grants-" + name[7:8] + ".db behind"}
				case "missing":
					damage = []string{name + " missing", "grants-" + name[7:8] + ".db behind"}
				case "behind":
					damage = []string{"grants-" + name[7:8] + ".db behind"}
				}
				if !slices.Equal(s.Files.Damage, damage) || !slices.Equal(s.Files.Aside, aside) {
					t.Errorf("told %q, set aside %q", s.Files.Damage, s.Files.Aside)
				}
				if s.Version != 3 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
					t.Fatalf("status %+v", s)
				}
				want(t, k, credential(1), wire.ReasonRevoked)
				want(t, k, credential(3), wire.ReasonGranted)
				k = powerCut(t, k, func(string) {})
				if s := k.Status(); s.Version != 3 || len(s.Files.Damage)+len(s.Files.Aside) > 0 {
					t.Errorf("told again: %+v", s)
				}
				g := *g
				must(t, g.give(t, k))
				if s := restarted(t, k).Status(); s.Version != 3 || s.Over.Grants != 1 {
					t.Errorf("after a restart: %+v", s)
				}
			})
		}
	}
}

// TestBothFilesAheadLost: without the changes ahead of both databases, which these say that there were, nobody knows
// what was revoked last: no card opens until a list comes.
func TestBothFilesAheadLost(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"deleted": os.Remove,
		"a bit flipped": func(path string) error {
			b := readFile(t, path)
			b[200] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
		"emptied":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"zeros":       func(path string) error { return os.WriteFile(path, make([]byte, len(readFile(t, path))), 0o600) },
		"a directory": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			k, g, _ := running(t)
			runFor(t, k, func() bool { return saysUsed(t, k, "grants-a.db") && saysUsed(t, k, "grants-b.db") })
			k = powerCut(t, k, func(dir string) {
				for _, name := range []string{"grants-a.ahead", "grants-b.ahead"} {
					must(t, harm(filepath.Join(dir, name)))
				}
			})
			want(t, k, credential(1), wire.ReasonNotReady)
			want(t, k, credential(2), wire.ReasonNotReady)
			if s := k.Status(); !s.Lost && len(s.Files.Damage)+len(s.Files.Aside) < 2 {
				t.Errorf("lost %t, told %q, set aside %q", s.Lost, s.Files.Damage, s.Files.Aside)
			}
			must(t, g.give(t, k))
			k = restarted(t, k)
			want(t, k, credential(1), wire.ReasonRevoked)
			want(t, k, credential(2), wire.ReasonGranted)
			if s := k.Status(); s.Version != 3 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// runFor runs a keyring until something is so.
func runFor(t *testing.T, k *Keyring, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	for end := time.Now().Add(10 * time.Second); !so() && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	cancel()
	if must(t, <-done); !so() {
		t.Fatal("it does not come")
	}
}

// saysUsed reports whether a database says that something is ahead of it.
func saysUsed(t *testing.T, k *Keyring, name string) (used bool) {
	t.Helper()
	db, err := boltfile.Open(fileOf(k, name), &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return false // it is being written
	}
	must(t, db.View(func(tx *bolt.Tx) error {
		used = tx.Bucket([]byte("list")).Get([]byte("used")) != nil
		return nil
	}))
	must(t, db.Close())
	return used
}

// TestNothingWasAhead: where the databases do not say that there were changes ahead of both, the list is theirs: cards
// open by it without the files, which are told, and nothing was lost. So it is after an orderly stop, too.
func TestNothingWasAhead(t *testing.T) {
	for _, stop := range []bool{false, true} {
		k, _, _ := running(t)
		k.tend() // the databases say so
		if must(t, k.Close()); !stop {
			k = openEnrolled(t, filepath.Dir(k.opts.Dir))
			k.tend() // a new lap begins
			k.tend()
		}
		k = powerCut(t, k, func(dir string) {
			must(t, os.Remove(filepath.Join(dir, "grants-a.ahead")))
			must(t, os.Remove(filepath.Join(dir, "grants-b.ahead")))
		})
		want(t, k, credential(1), wire.ReasonRevoked)
		want(t, k, credential(2), wire.ReasonGranted)
		if s := k.Status(); s.Version != 3 || s.Lost || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || (len(s.Files.Damage) == 2) == stop {
			t.Errorf("stopped %t: %+v", stop, s)
		}
		k.tend()
		k = powerCut(t, k, func(string) {})
		want(t, k, credential(2), wire.ReasonGranted)
		if s := k.Status(); len(s.Files.Damage)+len(s.Files.Aside) > 0 {
			t.Errorf("stopped %t: then %+v", stop, s)
		}
	}
}

// TestOrderlyStop: nothing is ahead of the databases then, so that a program that knows only these has all.
func TestOrderlyStop(t *testing.T) {
	k, _, _ := running(t)
	must(t, k.Close())
	for _, name := range []string{"grants-a.ahead", "grants-b.ahead"} {
		if b := readFile(t, fileOf(k, name)); len(bytes.TrimRight(b, "\x00")) > 0 {
			t.Errorf("%s is not empty", name)
		}
		must(t, os.Remove(fileOf(k, name)))
	}
	k = openEnrolled(t, filepath.Dir(k.opts.Dir))
	want(t, k, credential(1), wire.ReasonRevoked)
	if s := k.Status(); s.Version != 3 || s.Over.Grants != 1 || len(s.Files.Damage)+len(s.Files.Aside) > 0 {
		t.Errorf("status %+v", s)
	}
}

// TestProgramFromBefore: to a program that knows databases alone a copy with changes ahead of it is of another
// house, which it neither believes nor puts aside; with none, it is the list.
func TestProgramFromBefore(t *testing.T) {
	k, _, _ := running(t)
	manifests := func() (all []error) {
		for _, name := range []string{"grants-a.db", "grants-b.db"} {
			db, err := boltfile.Open(fileOf(k, name), &bolt.Options{ReadOnly: true, Timeout: 5 * time.Second})
			must(t, err)
			must(t, db.View(func(tx *bolt.Tx) error {
				_, err := signedlist.Open(tx.Bucket([]byte("list")).Get([]byte("manifest")), building, wire.LogFormat, k.Keys.Issuers())
				all = append(all, err)
				return nil
			}))
			must(t, db.Close())
		}
		return all
	}
	for _, err := range manifests() {
		if !errors.Is(err, wire.ErrWrongAddress) || errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrBadSignature) {
			t.Errorf("with changes ahead of it: %v", err)
		}
	}
	must(t, k.Close())
	for _, err := range manifests() {
		if err != nil {
			t.Errorf("after an orderly stop: %v", err)
		}
	}
	k = openEnrolled(t, filepath.Dir(k.opts.Dir)) // from the start on: records stand ahead of their files then, too
	runFor(t, k, func() bool { return !slices.Contains(manifests(), nil) })
}

// TestTakenBackAfterAList: the active list stays over a power cut though its issuer was taken back, also where the
// file of the marks was behind it.
func TestTakenBackAfterAList(t *testing.T) {
	k, _, _ := running(t)
	_, two := trust(t, 2, 2)
	must(t, k.Authority.SetTrust(two))
	k = powerCut(t, k, func(string) {})
	want(t, k, credential(1), wire.ReasonRevoked)
	want(t, k, credential(3), wire.ReasonGranted)
}

// TestFullFileAhead: lists go on over files that are full, and power may go after each write.
func TestFullFileAhead(t *testing.T) {
	k := open(t, t.TempDir())
	ids := bulk(t, k, 700)
	folded := 0
	for n := range 60 {
		e := edit(t, k)
		must(t, e.SetState(ids[n], wire.GrantRevoked))
		u := sign(t, e)
		db := readFile(t, fileOf(k, "grants-b.db"))
		var all []string
		k.active.dir.Written = func() {
			to := t.TempDir()
			must(t, os.CopyFS(to, os.DirFS(k.opts.Dir)))
			all = append(all, to)
		}
		apply(t, k, u)
		k.active.dir.Written = nil
		if n == 0 || bytes.Equal(db, readFile(t, fileOf(k, "grants-b.db"))) {
			continue
		}
		folded++
		for _, dir := range all {
			k := open(t, dir)
			if s := k.Status(); len(s.Files.Damage)+len(s.Files.Aside) > 0 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || s.Version < uint64(n)+1 {
				t.Fatalf("list %d: %+v", n, s)
			}
			want(t, k, credential(n-1), wire.ReasonRevoked)
			want(t, k, credential(n+1), wire.ReasonGranted)
			must(t, k.Close())
		}
	}
	if folded < 2 || folded > 20 {
		t.Errorf("of 60 lists %d went into the databases", folded)
	}
}
