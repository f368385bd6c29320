package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/internal/journal/catalogue"
	"gatehouse/sync/wire"
)

// Whatever fails and whenever: the journal is as it was, or the new epoch is
// whole; and so it is for whoever starts on the directory as it stood then.
func TestNewEpochFails(t *testing.T) {
	for _, point := range []string{"copy", "move", "moved"} {
		for after := range 3 {
			for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
				t.Run(fmt.Sprint(point, after, errno), func(t *testing.T) { newEpochFails(t, point, after, errno) })
			}
		}
	}
}

// copyDirectory copies one moment of a directory in which others are at work. A copy
// during which files came, went or changed is of no moment: it is made again.
func copyDirectory(to, from string) error {
	for {
		before, err := statDirectory(from)
		if err != nil {
			return err
		}
		files := make(map[string][]byte, len(before))
		for _, f := range before {
			b, err := os.ReadFile(filepath.Join(from, f.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			files[f.Name()] = b
		}
		after, err := statDirectory(from)
		if err != nil {
			return err
		}
		if slices.EqualFunc(before, after, sameFile) {
			return writeDirectory(to, files)
		}
	}
}

func statDirectory(dir string) (list []os.FileInfo, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			continue // keeps out the version before
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	return list, err
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Name() == b.Name() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func writeDirectory(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func newEpochFails(t *testing.T, point string, after int, errno error) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 700 })
	r.start()
	for i := range 1800 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(0))
	before, epoch := r.all(), r.j.Status().Epoch
	crashed := filepath.Join(t.TempDir(), "crashed")
	hit := 0
	r.fault(func(p string) error {
		if p != point {
			return nil
		}
		if hit++; hit != after+1 {
			return nil
		}
		r.j.files.upkeep.Lock()
		defer r.j.files.upkeep.Unlock()
		if err := copyDirectory(crashed, r.o.Dir); err != nil {
			t.Error(err)
		}
		return errno
	})
	began, err := r.j.NewEpoch(context.Background(), place(epoch, 100), headOf(Position{}))
	failed := hit == after+1 && point != "moved" // after the epochs file nothing can go back
	if failed != errors.Is(err, errno) || !failed && err != nil {
		t.Fatalf("NewEpoch: %v", err)
	}
	check := func(r *rig, moved bool) {
		t.Helper()
		r.append(granted(), somebody(3))
		if moved {
			checkMoved(t, r, before, 100, place(r.j.Status().Epoch, 0))
		} else if list := r.all(); list[len(list)-1].Epoch != epoch || !bytes.Equal(bytes.Join(stored(list[:len(before)]), nil), bytes.Join(stored(before), nil)) {
			t.Error("the journal is not as it was")
		}
		if more := files(t, r.o.Dir, "*"+catalogue.NextSuffix+"*"); len(more) > 0 {
			t.Errorf("left over: %v", more)
		}
		verifyAll(t, r)
	}
	check(r, !failed)
	if !failed && r.j.Status().Epoch != began.Epoch {
		t.Error("it goes on in another epoch")
	}
	if hit > after {
		other := &rig{t: t, o: r.o}
		other.o.Dir = crashed
		other.start()
		check(other, !failed)
	}
	r.start()
	r.append(granted(), somebody(4))
	r.newEpoch(Position{}) // and it can be done (again)
}

// The caller gives up: before the writer has it nothing happens.
func TestNewEpochIsCancelled(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	for i := range 5000 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(0))
	epoch := r.j.Status().Epoch
	ctx, cancel := context.WithCancel(context.Background())
	passes := 0
	r.fault(func(p string) error {
		if p == "copy" {
			if passes++; passes == 3 {
				cancel()
			}
		}
		return nil
	})
	if _, err := r.j.NewEpoch(ctx, Position{}, headOf(Position{})); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	if s := r.j.Status(); s.Epoch != epoch || len(files(t, r.o.Dir, "*"+catalogue.NextSuffix+"*")) > 0 {
		t.Errorf("status %+v", s)
	}
}

// An I/O error of the door's own commit while the tail is copied begins an
// epoch too: the copy goes on over it.
func TestNewEpochOverAnIOError(t *testing.T) {
	r := newRig(t, nil)
	r.ahead = -1
	r.start()
	for i := range 2500 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(0))
	before, epoch := r.all(), r.j.Status().Epoch
	var once sync.Once
	var broken atomic.Bool
	r.fault(func(p string) error {
		if p == "copy" {
			once.Do(func() {
				broken.Store(true)
				if _, err := r.j.Append(context.Background(), denied(), somebody(7)); err != nil {
					t.Error(err)
				}
			})
		}
		if p == "commit" && broken.Swap(false) {
			return syscall.EIO
		}
		return nil
	})
	began := r.newEpoch(place(epoch, 50))
	checkMoved(t, r, before, 50, began)
	if list := find(r.headers(), wire.KindEpoch); len(list) != 2 || list[1].Reason != wire.ReasonIO {
		t.Errorf("epoch entries %+v", list)
	}
	r.stop()
	r.start()
	r.append(granted(), somebody(1))
	checkMoved(t, r, before, 50, began)
}

// The file that is copied from is cut: nothing of the copy counts, the journal
// goes on, and the next attempt begins with what is left.
func TestNewEpochFromADamagedFile(t *testing.T) {
	t.Run("the copy finds it", func(t *testing.T) { newEpochFromADamagedFile(t, func(*rig) {}) })
	t.Run("the writer finds it", func(t *testing.T) {
		newEpochFromADamagedFile(t, func(r *rig) {
			for len(files(t, r.o.Dir, "*.bad-1")) == 0 {
				r.append(denied(), somebody(2))
			}
		})
	})
}

// newEpochFromADamagedFile lets found see to it that somebody finds the damage while the copy waits.
func newEpochFromADamagedFile(t *testing.T, found func(*rig)) {
	r := newRig(t, nil)
	r.ahead = 2000 // some ten entries: the others are in the file
	r.start()
	for i := range 2500 {
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.append(granted(), somebody(0))
	old := r.j.Status()
	passes := 0
	r.fault(func(p string) error {
		if p == "copy" {
			if passes++; passes == 2 {
				err := os.Truncate(files(t, r.o.Dir, "*-*.db")[0], int64(2*os.Getpagesize()))
				found(r)
				return err
			}
		}
		return nil
	})
	if p, err := r.j.NewEpoch(context.Background(), place(old.Epoch, 10), headOf(old.Position)); err == nil {
		t.Fatalf("began at %v with half of the tail", p)
	}
	ref := r.append(granted(), somebody(1))
	if s := r.j.Status(); s.Epoch != old.Epoch || len(files(t, r.o.Dir, "*.bad-1")) != 1 || len(files(t, r.o.Dir, "*"+catalogue.NextSuffix+"*")) > 0 {
		t.Errorf("status %+v, files %v", s, files(t, r.o.Dir, "*"))
	}
	if _, err := r.j.NewEpoch(context.Background(), place(old.Epoch, 10), headOf(old.Position)); !errors.Is(err, ErrGone) {
		t.Errorf("from what is gone: %v, want ErrGone", err)
	}
	r.newEpoch(r.j.Status().Oldest)
	if readable(r)[ref] != 1 {
		t.Error("an entry is missing or twice there")
	}
}
