package hints

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/sync/wire/journaled"
)

func place(epoch, sequence uint64) journaled.Position {
	return journaled.Position{Epoch: epoch, Sequence: sequence}
}

// opened is the hints file of a journal whose files are open.
func opened(t *testing.T, dir string) (*File, *catalogue.Current) {
	t.Helper()
	f, cat, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cat.Change(func(c *catalogue.Catalogue) { c.Files = []catalogue.File{{Epoch: 7}} })
	return f, cat
}

func savedIn(t *testing.T, dir string) catalogue.Hints {
	t.Helper()
	h, err := Saved(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func keep(t *testing.T, f *File) {
	t.Helper()
	if err := f.Keep(); err != nil {
		t.Fatal(err)
	}
}

// TestSavedRarely: in a run the first is saved at once, then what 1,000 entries, five minutes or
// another epoch make due.
func TestSavedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, cat := opened(t, dir)
		for _, step := range []struct {
			passes time.Duration
			hears  catalogue.Hints
			saved  bool
		}{
			{0, catalogue.Hints{}, false},
			{0, catalogue.Hints{Acked: place(7, 3)}, true},
			{0, catalogue.Hints{Acked: place(7, 4), Safe: place(7, 4), Cosigned: "a"}, false},
			{every - 1, catalogue.Hints{Acked: place(7, 1002), Safe: place(7, 900), Cosigned: "b"}, false},
			{1, catalogue.Hints{Acked: place(7, 1002), Safe: place(7, 900), Cosigned: "b"}, true},
			{time.Hour, catalogue.Hints{Acked: place(7, 1002), Safe: place(7, 900), Cosigned: "b"}, false},
			{0, catalogue.Hints{Acked: place(7, 1002), Safe: place(7, 900), Cosigned: "c"}, true},
			{0, catalogue.Hints{Acked: place(7, 2001)}, false},
			{0, catalogue.Hints{Acked: place(7, 2002)}, true},
			{0, catalogue.Hints{Acked: place(8, 1)}, true},
			{time.Second, catalogue.Hints{Acked: place(8, 2)}, false},
		} {
			before := savedIn(t, dir)
			time.Sleep(step.passes)
			cat.Change(func(c *catalogue.Catalogue) { c.Hints = step.hears })
			keep(t, f)
			want := before
			if step.saved {
				want = step.hears
			}
			if got := savedIn(t, dir); got != want {
				t.Errorf("after %v, with %+v: the file has %+v, want %+v", step.passes, step.hears, got, want)
			}
		}
		if err := f.Save(); err != nil || savedIn(t, dir).Acked != place(8, 2) {
			t.Errorf("saved: %+v, %v", savedIn(t, dir), err)
		}
		if _, cat := opened(t, dir); cat.Load().Acked != place(8, 2) {
			t.Errorf("the next run begins with %+v", cat.Load().Hints)
		}
	})
}

// TestNotOurs: nothing is written before the files of the journal are open, since another process may
// have the directory, nor where there is nothing to write.
func TestNotOurs(t *testing.T) {
	dir := t.TempDir()
	f, cat, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Cosigned(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a checkpoint: %v", err)
	}
	cat.Change(func(c *catalogue.Catalogue) { c.Cosigned = "a note" })
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	f, _ = opened(t, dir)
	if err := f.Save(); err != nil {
		t.Fatal(err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		t.Errorf("made: %v, %v", list, err)
	}
}

// TestVersionBefore: its files are taken over, also when it has run again since, and are gone then.
func TestVersionBefore(t *testing.T) {
	dir := t.TempDir()
	old := map[string]string{ackedName: "0000000000000007 20\n", safeName: "0000000000000007 10\n", checkpointName: "a note\n"}
	for _, before := range []catalogue.Hints{{}, {Acked: place(7, 15), Safe: place(7, 15), Cosigned: "another"}} {
		f, cat := opened(t, dir)
		cat.Change(func(c *catalogue.Catalogue) { c.Hints = before })
		keep(t, f)
		for name, text := range old {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want := catalogue.Hints{Acked: place(7, 20), Safe: place(7, 10), Cosigned: "a note\n"}
		if note, err := Cosigned(dir); err != nil || note != want.Cosigned {
			t.Errorf("the checkpoint of before: %q, %v", note, err)
		}
		f, cat = opened(t, dir)
		if got := cat.Load().Hints; got != want {
			t.Errorf("taken over: %+v, want %+v", got, want)
		}
		keep(t, f)
		if list, err := os.ReadDir(dir); err != nil || len(list) != 1 || list[0].Name() != Name || savedIn(t, dir) != want {
			t.Errorf("the directory has %v, and the file %+v", list, savedIn(t, dir))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ackedName), []byte("no place\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, cat, err := Open(dir); err == nil || cat.Load().Acked != place(7, 20) {
		t.Errorf("a bad file of before: %+v, %v", cat.Load().Hints, err)
	}
}

// TestRemovedAgain: where the files of before were not all removed they are removed the next time,
// though nothing has changed.
func TestRemovedAgain(t *testing.T) {
	dir := t.TempDir()
	f, cat := opened(t, dir)
	cat.Change(func(c *catalogue.Catalogue) { c.Acked = place(7, 20) })
	keep(t, f)
	path := filepath.Join(dir, ackedName)
	if err := os.WriteFile(path, []byte("0000000000000007 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ = opened(t, dir)
	keep(t, f)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is there: %v", path, err)
	}
}

// TestLost: whatever the file has become is told, counts as nothing, and is good after the next write.
func TestLost(t *testing.T) {
	other := func(path string) error {
		slots, _, err := durable.OpenSlots(path)
		return errors.Join(err, slots.Write([]byte("acked 12 34")))
	}
	for name, spoil := range map[string]func(path string) error{
		"zeros":        func(path string) error { return os.WriteFile(path, make([]byte, 8192), 0o600) },
		"short":        func(path string) error { return os.Truncate(path, 5000) },
		"another text": other,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, cat := opened(t, dir)
			cat.Change(func(c *catalogue.Catalogue) { c.Acked = place(7, 3) })
			keep(t, f)
			if err := spoil(filepath.Join(dir, Name)); err != nil {
				t.Fatal(err)
			}
			f, cat, err := Open(dir)
			if !errors.Is(err, durable.ErrDamaged) || cat.Load().Hints != (catalogue.Hints{}) {
				t.Errorf("%+v, %v", cat.Load().Hints, err)
			}
			cat.Change(func(c *catalogue.Catalogue) { c.Files, c.Acked = []catalogue.File{{Epoch: 7}}, place(7, 12) })
			keep(t, f)
			if got := savedIn(t, dir).Acked; got != place(7, 12) {
				t.Errorf("then the cursor is %v", got)
			}
		})
	}
}

func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Custom(func(t *rapid.T) journaled.Position {
			return place(rapid.Uint64().Draw(t, "epoch"), rapid.Uint64().Draw(t, "sequence"))
		})
		want := catalogue.Hints{Acked: at.Draw(t, "acked"), Safe: at.Draw(t, "safe"), Cosigned: rapid.String().Draw(t, "note")}
		if got, err := decode(encode(want)); err != nil || got != want {
			t.Fatalf("%+v, %v; want %+v", got, err, want)
		}
	})
}

// FuzzText: what is read as hints is what they are written as, to the byte.
func FuzzText(f *testing.F) {
	f.Add(encode(catalogue.Hints{Acked: place(1, 2), Safe: place(3, 4), Cosigned: "a\n\nb"}))
	f.Add("")
	f.Add("acked 0000000000000001 2\nsafe 0000000000000001 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if h, err := decode(text); err == nil && encode(h) != text {
			t.Fatalf("%q became %+v", text, h)
		}
	})
}
