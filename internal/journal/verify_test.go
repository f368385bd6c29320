package journal

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// writtenFile makes a stopped journal and returns its directory and one file.
func writtenFile(t *testing.T, entries int) (dir, path string) {
	t.Helper()
	r := newRig(t, nil)
	r.start()
	for i := range entries - 2 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), wire.Who{})
	if entries >= flushTiles*segment.TileLeaves {
		eventually(t, "tiles", func() bool {
			f, err := r.j.files.tiles().Frontier(r.j.Status().Epoch)
			return err == nil && f.Size() > 0
		})
	}
	r.stop()
	return r.o.Dir, files(t, r.o.Dir, "*-*.db")[0]
}

// checkVerify states what an Options.Verify must answer.
func checkVerify(t *testing.T, verify func(context.Context, string) error) {
	ctx := context.Background()
	dir, path := writtenFile(t, 50)
	if err := verify(ctx, path); err != nil {
		t.Errorf("a good file: %v", err)
	}
	if err := verify(ctx, filepath.Join(dir, "absent")); err == nil || errors.Is(err, durable.ErrDamaged) {
		t.Errorf("an absent file: %v, want an error that is not ErrDamaged", err)
	}
	db, err := segment.OpenWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(ctx, path); err == nil || errors.Is(err, durable.ErrDamaged) {
		t.Errorf("a file in use: %v, want an error that is not ErrDamaged", err)
	}
	db.Close(nil)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": {}, "garbage": bytes.Repeat([]byte("garbage "), 9000), "cut": whole[:12288], "zeros": make([]byte, len(whole)),
	} {
		bad := filepath.Join(dir, name)
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := verify(ctx, bad); !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
	other := filepath.Join(dir, segment.Name(1, 0))
	if err := os.WriteFile(other, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := verify(ctx, other); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("a file under another's name: %v, want ErrDamaged", err)
	}
}

func TestVerify(t *testing.T) {
	checkVerify(t, func(_ context.Context, path string) error { _, err := segment.Verify(path); return err })
}

// Every changed bit of a stored entry must be found, wherever it stands.
func TestVerifyFindsEveryFlippedEntryByte(t *testing.T) {
	_, path := writtenFile(t, 40)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var entries [][]byte
	err = segment.View(path, func(f segment.Tx) error {
		return f.Each(0, 40, 40, func(_ uint64, stored []byte) error {
			entries = append(entries, bytes.Clone(stored))
			return nil
		})
	})
	if err != nil || len(entries) != 40 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	flips := 0
	temp := filepath.Join(t.TempDir(), "flipped.db")
	for _, e := range entries {
		// Free pages hold older copies of the same bytes: the entry is flipped in all.
		for at := 0; at < len(e); at += 1 + len(entries)/8 {
			flipped := bytes.Clone(e)
			flipped[at] ^= 1 << (at % 8)
			data := bytes.ReplaceAll(whole, e, flipped)
			if err := os.WriteFile(temp, data, 0o600); err != nil {
				t.Fatal(err)
			}
			flips++
			if _, err := segment.Verify(temp); !errors.Is(err, durable.ErrDamaged) {
				t.Fatalf("byte %d of an entry changed: %v, want ErrDamaged", at, err)
			}
		}
	}
	t.Logf("%d flips, all found", flips)
}

// A flip anywhere in the file is found, or changes nothing that can be read.
// Flipped page headers can fault, so each look has its own process.
func TestVerifyFlipsAnywhere(t *testing.T) {
	needChild(t)
	n := 150
	if testing.Short() {
		n = 20
	}
	_, path := writtenFile(t, 600)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good := contents(t, path)
	t.Setenv(childEnv, "verify")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := segment.VerifyBy(self)
	temp := filepath.Join(t.TempDir(), "flipped.db")
	found := 0
	for i := range n {
		data := bytes.Clone(whole)
		at := rand.IntN(len(data))
		if i%3 == 0 {
			at = os.Getpagesize()*rand.IntN(len(data)/os.Getpagesize()) + rand.IntN(32) // headers of pages
		}
		data[at] ^= 1 << rand.IntN(8)
		if err := os.WriteFile(temp, data, 0o600); err != nil {
			t.Fatal(err)
		}
		err := verify(context.Background(), temp)
		switch {
		case errors.Is(err, durable.ErrDamaged), errors.Is(err, segment.ErrOneMeta): // then bbolt may have gone back by one commit
			found++
		case err != nil:
			t.Fatalf("flip at %d: %v", at, err)
		case contents(t, temp) != good:
			t.Fatalf("flip at %d went unseen and changed what is read: %.200q", at, contents(t, temp))
		}
	}
	t.Logf("%d of %d flips found, the others were in free space", found, n)
}

func contents(t *testing.T, path string) string {
	t.Helper()
	var b bytes.Buffer
	err := segment.View(path, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		return t.Each(s.Start.Size(), s.Size, int(s.Size), func(_ uint64, stored []byte) error {
			b.Write(stored)
			return nil
		})
	})
	if err != nil {
		return err.Error() // not what was written: the caller compares
	}
	return b.String()
}

// Who rewrites an entry and the roots in its file is caught by the leaf tiles.
func TestTilesCatchARewrittenFile(t *testing.T) {
	dir, path := writtenFile(t, 1500)
	if r, err := segment.Verify(path); err != nil || r.Tiled < 1024 {
		t.Fatalf("compared %d leaves, %v", r.Tiled, err)
	}
	forged := filepath.Join(dir, "forged")
	err := segment.View(path, func(old segment.Tx) error {
		s, err := old.Segment()
		if err != nil {
			return err
		}
		var stored [][]byte
		err = old.Each(0, s.Size, int(s.Size), func(seq uint64, v []byte) error {
			v = bytes.Clone(v)
			if seq == 700 {
				v = bytes.Replace(v, []byte("street"), []byte("garden"), 1)
			}
			stored = append(stored, v)
			return nil
		})
		if err != nil {
			return err
		}
		return segment.Create(forged, segment.Segment{Epoch: s.Epoch}, stored)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := segment.Verify(forged); !errors.Is(err, durable.ErrDamaged) {
		t.Fatalf("a forged file: %v, want ErrDamaged", err)
	}
}
