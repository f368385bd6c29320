package keyring

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/adopt"
	"gatehouse/sync/wire"
)

func fileOf(k *Keyring, name string) string { return filepath.Join(k.opts.Dir, name) }

// sicken puts directories where a file should be, and for one of the two copies also where its changes and
// its next database should be, so that it can be neither read nor written, until it is mended.
func sicken(t testing.TB, k *Keyring, name string) (mend func()) {
	t.Helper()
	paths := []string{fileOf(k, name), fileOf(k, name) + "-next"}
	if stem, copied := strings.CutSuffix(name, ".db"); copied {
		paths = append(paths, fileOf(k, stem+".ahead"))
	}
	for _, path := range paths {
		if err := os.Rename(path, path+".was"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		must(t, os.MkdirAll(filepath.Join(path, "sick"), 0o700))
	}
	return func() {
		t.Helper()
		for _, path := range paths {
			must(t, os.RemoveAll(path))
			if err := os.Rename(path+".was", path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ruins are ways in which a card gives back something else.
var ruins = map[string]func([]byte) []byte{
	"empty":       func([]byte) []byte { return nil },
	"garbage":     func(b []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(b)) },
	"zeros":       func(b []byte) []byte { return make([]byte, len(b)) },
	"cut short":   func(b []byte) []byte { return b[:len(b)/2] },
	"one page":    func(b []byte) []byte { return b[:4096] },
	"flipped bit": func(b []byte) []byte { c := credential(3); i := bytes.Index(b, c[:]); b[i+len(c)+1] ^= 1; return b }, // in its grant's id
	"no manifest": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("grant-list"), []byte("grant-LIST")) },
}

func TestOneDamagedCopy(t *testing.T) {
	for name, ruin := range ruins {
		for _, file := range []string{"grants-a.db", "grants-b.db"} {
			t.Run(name+" "+file, func(t *testing.T) {
				k := open(t, t.TempDir())
				bulk(t, k, 700)
				k.Close()
				good := readFile(t, fileOf(k, file))
				writeFile(t, fileOf(k, file), ruin(bytes.Clone(good)))
				k = open(t, k.opts.Dir)
				want(t, k, credential(3), wire.ReasonGranted)
				s := k.Status()
				if len(s.Files.Aside) != 1 || s.Files.Aside[0] != file+".bad-1" || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
					t.Fatalf("status %+v", s)
				}
				if k = reopen(t, k); len(k.Status().Files.Aside) > 0 || k.Status().Active.Grants != 700 {
					t.Fatal("the rebuilt copy is not good")
				}
			})
		}
	}
}

func TestBothDamaged(t *testing.T) {
	for name, ruin := range ruins {
		t.Run(name, func(t *testing.T) {
			k := open(t, t.TempDir())
			bulk(t, k, 700)
			backup, err := k.List()
			if err != nil {
				t.Fatal(err)
			}
			old := sign(t, edit(t, open(t, t.TempDir()))) // version 1 of an empty house
			k.Close()
			for _, file := range []string{"grants-a.db", "grants-b.db"} {
				writeFile(t, fileOf(k, file), ruin(readFile(t, fileOf(k, file))))
			}
			k = open(t, k.opts.Dir)
			if s := k.Status(); k.Grants() != nil || !s.Lost || len(s.Files.Aside) != 2 {
				t.Fatalf("status %+v", s)
			}
			want(t, k, credential(3), wire.ReasonNotReady)
			if err := k.Apply(old); !errors.Is(err, ErrConflict) {
				t.Fatalf("another list of the version that was lost: %v", err)
			}
			apply(t, k, grantlist.Update{Manifest: backup.Manifest, Buckets: backup.Buckets}) // carried in by hand
			want(t, k, credential(3), wire.ReasonGranted)
		})
	}
}

// TestFlippedBytes flips bytes all over the only copy: what loads is the list
// or nothing, never another one.
func TestFlippedBytes(t *testing.T) {
	k := open(t, t.TempDir())
	bulk(t, k, 40)
	k.Close()
	good := readFile(t, fileOf(k, "grants-a.db"))
	step := 127
	if testing.Short() {
		step = 1021
	}
	lost := 0
	for i := 0; i < len(good); i += step {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "grants-a.db"), b)
		k := open(t, dir)
		switch g := k.Grants(); {
		case g == nil:
			lost++
		case g.Len() != 40:
			t.Fatalf("byte %d: %d grants", i, g.Len())
		}
		for n := range 40 {
			if r := ask(k, credential(n)); r != wire.ReasonGranted && r != wire.ReasonNotReady {
				t.Fatalf("byte %d: card %d: %d", i, n, r)
			}
		}
		k.Close()
	}
	if lost == 0 {
		t.Fatal("no flip was noticed: the test proves nothing")
	}
}

// TestDamagedWhileRunning ruins a database under a keyring that is open: no list needs it, and what moves the
// changes into it finds it, sets it aside and makes it anew.
func TestDamagedWhileRunning(t *testing.T) {
	for name, ruin := range ruins {
		if name == "flipped bit" || name == "no manifest" {
			continue // what an update does not read it can't find
		}
		t.Run(name, func(t *testing.T) {
			k := open(t, t.TempDir())
			bulk(t, k, 700)
			writeFile(t, fileOf(k, "grants-a.db"), ruin(readFile(t, fileOf(k, "grants-a.db"))))
			e := edit(t, k)
			add(t, e, credential(9000))
			apply(t, k, sign(t, e))
			must(t, k.Close())
			if s := k.Status(); len(s.Files.Aside) != 1 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good {
				t.Fatalf("status %+v", s)
			}
			if k = reopen(t, k); len(k.Status().Files.Aside) > 0 || k.Status().Active.Grants != 701 {
				t.Fatal("the new copy is not good")
			}
		})
	}
}

// TestKilledBetweenCopies writes only the first copy, as power does when it
// goes at that moment, in each of its two orders.
func TestKilledBetweenCopies(t *testing.T) {
	for written := range 2 {
		k := open(t, t.TempDir())
		ids := bulk(t, k, 700)
		e := edit(t, k)
		if err := e.SetState(ids[3], wire.GrantRevoked); err != nil {
			t.Fatal(err)
		}
		u := sign(t, e)
		before := t.TempDir()
		must(t, os.CopyFS(before, os.DirFS(k.opts.Dir)))
		apply(t, k, u)
		for _, name := range []string{[]string{"grants-a", "grants-b"}[written] + ".db", []string{"grants-a", "grants-b"}[written] + ".ahead"} {
			writeFile(t, filepath.Join(before, name), readFile(t, fileOf(k, name)))
		}
		k = open(t, before)
		want(t, k, credential(3), wire.ReasonRevoked)
		want(t, k, credential(4), wire.ReasonGranted)
		if s := k.Status(); s.Version != 2 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || len(s.Files.Aside) > 0 {
			t.Fatalf("status %+v", s)
		}
		apply(t, k, u) // the sender had no answer and sends it again
	}
}

// TestRollback puts the files of an older list back.
func TestRollback(t *testing.T) {
	files := []string{"grants-a.db", "grants-b.db"}
	k := open(t, t.TempDir())
	ids := bulk(t, k, 5)
	k.Close()
	old := [][]byte{readFile(t, fileOf(k, files[0])), readFile(t, fileOf(k, files[1]))}
	k = open(t, k.opts.Dir)
	e := edit(t, k)
	if err := e.SetState(ids[0], wire.GrantRevoked); err != nil {
		t.Fatal(err)
	}
	revoked := sign(t, e)
	apply(t, k, revoked)
	k.Close()

	writeFile(t, fileOf(k, files[0]), old[0]) // one of them: the other is newer
	k = open(t, k.opts.Dir)
	want(t, k, credential(0), wire.ReasonRevoked)
	k.Close()

	for i := range files {
		writeFile(t, fileOf(k, files[i]), old[i])
	}
	k = open(t, k.opts.Dir)
	want(t, k, credential(0), wire.ReasonNotReady)
	if s := k.Status(); !s.Lost || len(s.Files.Aside) != 2 {
		t.Fatalf("status %+v", s)
	}
	if err := k.Apply(sign(t, edit(t, k))); !errors.Is(err, ErrConflict) {
		t.Fatalf("version 1 after version 2: %v", err)
	}
}

func TestDamagedSmallFiles(t *testing.T) {
	k := open(t, t.TempDir())
	bulk(t, k, 5)
	if err := k.Adopt.Set(7); err != nil {
		t.Fatal(err)
	}
	k.Close()
	for _, name := range []string{marksFile, adopt.Name} {
		writeFile(t, fileOf(k, name), []byte(`{"version": "seven`))
	}
	k = open(t, k.opts.Dir)
	want(t, k, credential(0), wire.ReasonGranted)
	if s := k.Status(); len(s.Files.Aside) != 2 || k.Time.Floor() != issuedAt.Unix() {
		t.Fatalf("status %+v", s)
	}
	if k = reopen(t, k); len(k.Status().Files.Aside) > 0 || k.active.marks.Version != 1 {
		t.Fatal("the mark was not written again")
	}
}

// TestKill9 kills a process that applies lists as fast as it can. What it said
// was applied is there afterwards.
func TestKill9(t *testing.T) {
	if dir := os.Getenv("KEYRING_CHILD"); dir != "" {
		applyForEver(t, dir)
	}
	rounds := 30
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	k := open(t, dir)
	bulk(t, k, 1500)
	k.Close()
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill9$")
		cmd.Env = append(os.Environ(), "KEYRING_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); errors.Is(err, syscall.ENOEXEC) && !strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "exec") {
			t.Skip("SKIP (needs exec): this kernel can't start the test's own binary again, as under an emulator")
		} else if err != nil {
			t.Fatal(err)
		}
		var acked uint64
		lines := bufio.NewScanner(out)
		for n := 0; n <= round%4 && lines.Scan(); n++ {
			if _, err := fmt.Sscanf(lines.Text(), "applied %d", &acked); err != nil {
				t.Fatalf("child: %q", lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			if _, err := fmt.Sscanf(lines.Text(), "applied %d", &acked); err != nil {
				t.Fatalf("child: %q", lines.Text())
			}
		}
		_ = cmd.Wait() // it was killed
		k := open(t, dir)
		s := k.Status()
		if acked == 0 || s.Version < acked || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || len(s.Files.Aside) > 0 {
			t.Fatalf("acked %d, then %+v", acked, s)
		}
		k.Close()
	}
}

func applyForEver(t *testing.T, dir string) {
	k := open(t, dir)
	for {
		e := edit(t, k)
		add(t, e, credential(int(k.Status().Active.Version)+10_000))
		apply(t, k, sign(t, e))
		fmt.Println("applied", k.Status().Version)
	}
}
