package journal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal/segment"
)

// reference hashes records with tlog's own storage.
type reference struct{ hashes []tlog.Hash }

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var list []tlog.Hash
	for _, i := range indexes {
		list = append(list, r.hashes[i])
	}
	return list, nil
}

func (r *reference) add(t interface{ Fatal(...any) }, n int64, leaf tlog.Hash) {
	more, err := tlog.StoredHashesForRecordHash(n, leaf, r)
	if err != nil {
		t.Fatal(err)
	}
	r.hashes = append(r.hashes, more...)
}

// rootWhenFree asks again while the keeper, on a slow disk, has tree.db to itself.
func rootWhenFree(r *rig, p Position) (root tlog.Hash, err error) {
	r.t.Helper()
	eventually(r.t, "tree.db is free", func() bool {
		root, err = r.j.Root(context.Background(), p)
		return !errors.Is(err, berrors.ErrTimeout)
	})
	return root, err
}

// The tree must come out the same from the running journal, from tiles, from
// entries alone, and from tlog; and a lost or damaged tree.db must come back.
func TestRoots(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 700 })
	r.start()
	const n = 3000
	for i := range n - 2 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(1))
	var ref reference
	list := r.all()
	for i, e := range list {
		ref.add(t, int64(i), tlog.RecordHash(e.Leaf()))
	}
	epoch := r.j.Status().Epoch
	check := func(when string) {
		t.Helper()
		for _, size := range []uint64{0, 1, 255, 256, 257, 1024, 2047, n - 1, n} {
			want, err := tlog.TreeHash(int64(size), &ref)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := rootWhenFree(r, place(epoch, size)); err != nil || got != want {
				t.Errorf("%s: root of %d is %v, %v; want %v", when, size, got, err, want)
			}
		}
	}
	tiled := func() bool {
		f, err := r.j.files.tiles().Frontier(epoch)
		return err == nil && f.Size() >= 2048
	}
	eventually(t, "tiles are written", tiled)
	check("running")
	r.stop()
	stored := filepath.Join(r.o.Dir, segment.TreeName)
	for name, harm := range map[string]func() error{
		"nothing": func() error { return nil },
		"lost":    func() error { return os.Remove(stored) },
		"cut":     func() error { return os.Truncate(stored, 8192) },
		"garbage": func() error { return os.WriteFile(stored, bytes.Repeat([]byte("garbage "), 9000), 0o600) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.append(granted(), somebody(2)) // the files are open after this
		check(name)
		poke(r.j.files.work)
		eventually(t, name+": tiles are there", tiled)
		check(name + ", tiles again")
		r.stop()
		if bad := files(t, r.o.Dir, "*-*.bad-*"); len(bad) > 0 {
			t.Errorf("%s: an entry file was set aside: %v", name, bad)
		}
	}
}

// Range says what it lacks instead of another tree.
func TestRangeOfWhatIsNotHere(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 20 })
	ctx := context.Background()
	if _, err := r.open().Range(ctx, place(1, 1)); err == nil || errors.Is(err, ErrGone) {
		t.Errorf("before the journal is open: %v", err)
	}
	r.run()
	for i := range 60 {
		r.append(granted(), somebody(byte(i)))
	}
	s := r.j.Status()
	if got, err := r.j.Range(ctx, place(s.Epoch, 61)); err != nil || got.Root() != s.Root || got.Size() != 61 {
		t.Errorf("of all entries: %v, %v", got.Root(), err)
	}
	if _, err := r.j.Range(ctx, place(s.Epoch, 62)); !errors.Is(err, ErrAhead) {
		t.Errorf("ahead of the journal: %v", err)
	}
	if _, err := r.j.Range(ctx, place(s.Epoch+1, 1)); !errors.Is(err, ErrGone) {
		t.Errorf("unknown epoch: %v", err)
	}
	r.stop()
	for _, path := range files(t, r.o.Dir, "*-*.db")[:2] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.append(granted(), somebody(1))
	if _, err := r.j.Range(ctx, place(s.Epoch, 10)); !errors.Is(err, ErrGone) {
		t.Errorf("deleted, with no tiles: %v", err)
	}
	if _, err := r.j.Range(ctx, place(s.Epoch, 41)); err != nil {
		t.Errorf("after what was deleted: %v", err)
	}
}
