package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// failTimes makes the n-th and later passes of a point fail, times over.
func failTimes(point string, after, times int64, err error) (func(string) error, *atomic.Int64) {
	var passes atomic.Int64
	return func(p string) error {
		if p != point {
			return nil
		}
		if n := passes.Add(1); n > after && n <= after+times {
			return err
		}
		return nil
	}, &passes
}

// readable returns the refs of all entries with how often each can be read.
func readable(r *rig) map[wire.Ref]int {
	r.t.Helper()
	n := map[wire.Ref]int{}
	for _, h := range r.headers() {
		n[wire.Ref{Boot: h.Boot, Counter: h.Counter}]++
	}
	return n
}

func find(list []wire.Header, kind wire.Kind) (found []wire.Header) {
	for _, h := range list {
		if h.Kind == kind {
			found = append(found, h)
		}
	}
	return found
}

// Without a write-ahead file an I/O error leaves open whether the commit is there. Both ways, every
// acknowledged entry can be read exactly once, in a new epoch that cites the
// old one at the size that was acknowledged; also after a restart.
func TestIOErrorBeginsAnEpoch(t *testing.T) {
	for _, point := range []string{"commit", "committed"} {
		t.Run(point, func(t *testing.T) {
			r := newRig(t, nil)
			r.ahead = -1
			r.open()
			r.j.files.fault, _ = failTimes(point, 5, 1, syscall.EIO)
			r.run()
			var refs []wire.Ref
			for i := range 12 {
				refs = append(refs, r.append(granted(), somebody(byte(i))))
			}
			check := func() {
				t.Helper()
				n := readable(r)
				for _, ref := range refs {
					if n[ref] != 1 {
						t.Errorf("%v can be read %d times", ref, n[ref])
					}
				}
				epochs := find(r.headers(), wire.KindEpoch)
				if len(epochs) != 1 || epochs[0].Reason != wire.ReasonIO {
					t.Fatalf("epoch entries %+v, want one", epochs)
				}
				old := r.all()[0].Epoch
				d := epochs[0].Detail
				size := binary.BigEndian.Uint64(d[8:])
				root, err := r.j.Root(context.Background(), place(old, size))
				if err != nil || binary.BigEndian.Uint64(d) != old || tlog.Hash(d[16:]) != root {
					t.Errorf("the new epoch cites %x, want %x, %d, %v (%v)", d, old, size, root, err)
				}
			}
			check()
			r.stop()
			r.start()
			refs = append(refs, r.append(granted(), somebody(9)))
			check()
		})
	}
}

func TestDeadDiskDegradesAndRecovers(t *testing.T) {
	r := newRig(t, nil)
	r.open()
	var dead atomic.Bool
	r.fault(func(string) error {
		if dead.Load() {
			return syscall.EIO
		}
		return nil
	})
	r.run()
	r.append(granted(), somebody(1))
	dead.Store(true)
	ref, err := r.j.Append(context.Background(), granted(), somebody(2))
	if !errors.Is(err, ErrDegraded) {
		t.Fatalf("Append on a dead disk without deadline: %v, want ErrDegraded", err)
	}
	begin := time.Now()
	if _, err := r.j.Append(context.Background(), granted(), somebody(3)); !errors.Is(err, ErrDegraded) {
		t.Fatalf("Append while degraded: %v", err)
	}
	if s := r.j.Status(); !s.Degraded || s.Reason != wire.ReasonIO || s.Queued < 2 || s.Problem == "" {
		t.Errorf("status %+v", s)
	}
	t.Logf("degraded Append took %v", time.Since(begin))
	dead.Store(false)
	eventually(t, "recovers", func() bool { s := r.j.Status(); return !s.Degraded && s.Queued == 0 })
	r.append(granted(), somebody(4))
	if readable(r)[ref] != 1 {
		t.Error("an entry that was queued on the dead disk is missing or twice there")
	}
	list := find(r.headers(), wire.KindJournal)
	if len(list) != 2 || list[0].Outcome != wire.OutcomeActive || list[1].Outcome != wire.OutcomeIdle {
		t.Errorf("journal entries %+v, want active and idle", list)
	}
}

func TestStopOnADeadDisk(t *testing.T) {
	r := newRig(t, nil)
	r.open()
	r.fault(func(string) error { return syscall.EIO })
	r.run()
	r.j.Queue(granted(), somebody(1))
	eventually(t, "degraded", func() bool { return r.j.Status().Degraded })
	done := make(chan struct{})
	go func() { r.stop(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("Run does not end on a dead disk")
	}
}

// The disk is full when an entry is committed, or when the entry file is to grow for many that are
// durable already.
func TestFullDiskTakesTheBallast(t *testing.T) {
	t.Run("commit", func(t *testing.T) { takesTheBallast(t, -1, 3) })
	t.Run("fill", func(t *testing.T) { takesTheBallast(t, 700, 1) })
}

func takesTheBallast(t *testing.T, ahead, after int64) {
	r := newRig(t, func(o *Options) { o.Ballast = 1 << 16 })
	r.ahead = ahead
	r.open()
	r.j.files.fault, _ = failTimes("commit", after, 1, syscall.ENOSPC)
	var free atomic.Int64
	free.Store(1 << 30)
	r.j.space.free = func(string) (int64, int, error) { return free.Load(), 50, nil }
	r.run()
	ballast := filepath.Join(r.o.Dir, ballastName)
	eventually(t, "ballast is made", func() bool { _, err := os.Stat(ballast); return err == nil })
	epoch := r.j.Status().Epoch
	if r.j.Status().Spent {
		t.Error("the ballast is there and said to be spent")
	}
	free.Store(1 << 16) // what the ballast gave
	for i := range 6 {
		r.append(granted(), somebody(byte(i)))
	}
	poke(r.j.files.work)
	if s := r.j.Status(); s.Degraded || s.Epoch != epoch || !s.Spent {
		t.Errorf("status %+v, want the same epoch, not degraded, and the ballast spent", s)
	}
	free.Store(1 << 30)
	if list := find(r.headers(), wire.KindSpace); len(list) != 1 || list[0].Reason != wire.ReasonDiskFull {
		t.Errorf("space entries %+v", list)
	}
	poke(r.j.files.work)
	eventually(t, "ballast is made again", func() bool { _, err := os.Stat(ballast); return err == nil })
	eventually(t, "and not said to be spent", func() bool { poke(r.j.files.work); return !r.j.Status().Spent })
}

// What a landlord's directory may look like after a bad night: the journal starts
// with every one of these, keeps the bad file, says so, and gives no sequence
// number of the old epoch again.
func TestStartWithADamagedFile(t *testing.T) {
	for name, harm := range map[string]func(path string, whole []byte) error{
		"cut short":   func(path string, whole []byte) error { return os.Truncate(path, int64(len(whole)/3)) },
		"empty":       func(path string, _ []byte) error { return os.Truncate(path, 0) },
		"overwritten": func(path string, whole []byte) error { return os.WriteFile(path, garble(whole), 0o600) },
		"garbage": func(path string, whole []byte) error {
			return os.WriteFile(path, bytes.Repeat([]byte{0xa5}, len(whole)), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			needChild(t)
			t.Setenv(childEnv, "verify")
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			r := newRig(t, func(o *Options) { o.Verify = segment.VerifyBy(self) })
			r.start()
			for i := range 300 {
				r.j.Queue(granted(), somebody(byte(i)))
			}
			r.append(granted(), wire.Who{})
			old := r.j.Status().Epoch
			r.stop()
			path := files(t, r.o.Dir, "*-*.db")[0]
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := harm(path, whole); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.append(granted(), somebody(1))
			s := r.j.Status()
			aside := files(t, r.o.Dir, "*.bad-1")
			if s.Epoch == old || s.Degraded || len(aside) != 1 {
				t.Fatalf("status %+v, set aside: %v", s, aside)
			}
			eventually(t, "damage is journaled", func() bool { return len(find(r.headers(), wire.KindDamaged)) == 1 })
			list := r.headers()
			bad := find(list, wire.KindDamaged)
			if len(bad) != 1 || string(bad[0].Detail) != filepath.Base(aside[0]) {
				t.Errorf("damaged entries %+v, want one with the file's name", bad)
			}
			if list[0].Kind != wire.KindEpoch || binary.BigEndian.Uint64(list[0].Detail) != old {
				t.Errorf("the new epoch begins with %+v, want it to cite %x", list[0], old)
			}
		})
	}
}

// garble overwrites the second half of every page but the two meta pages.
func garble(whole []byte) []byte {
	b := bytes.Clone(whole)
	page := os.Getpagesize()
	for at := 2 * page; at+page <= len(b); at += page {
		copy(b[at+page/2:at+page], bytes.Repeat([]byte{0x5a}, page/2))
	}
	return b
}

// cut makes a journal with 500 entries in its file and one only in the write-ahead file, and cuts the
// file short under it. It returns the state before, and the last entry.
func cut(t *testing.T, ahead int64) (*rig, Status, wire.Ref) {
	r := newRig(t, nil)
	r.ahead = ahead
	r.open()
	for i := range 500 { // more than a small write-ahead file takes
		r.j.Queue(granted(), somebody(byte(i)))
	}
	r.run()
	eventually(t, "all are durable", func() bool { return r.j.Status().Queued == 0 })
	last := r.append(granted(), wire.Who{})
	s := r.j.Status()
	if err := os.Truncate(files(t, r.o.Dir, "*-*.db")[0], int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	return r, s, last
}

// goesOn: the cut file is set aside and told of, once, and the epoch goes on: what was not in the
// file yet is there, under its number, and so is what came since.
func goesOn(t *testing.T, r *rig, before Status, refs ...wire.Ref) {
	t.Helper()
	eventually(t, "damage is journaled", func() bool { return len(find(r.headers(), wire.KindDamaged)) == 1 })
	s := r.j.Status()
	if bad := files(t, r.o.Dir, "*.bad-*"); len(bad) != 1 || s.Epoch != before.Epoch || s.Sequence <= before.Sequence || len(find(r.headers(), wire.KindEpoch)) > 0 {
		t.Errorf("set aside: %v; status %+v, want epoch %016x", bad, s, before.Epoch)
	}
	n := readable(r)
	for _, ref := range refs {
		if n[ref] != 1 {
			t.Errorf("%v is there %d times", ref, n[ref])
		}
	}
	if first := r.all()[0]; first.Position != place(before.Epoch, before.Sequence-1) {
		t.Errorf("the first is %v, want %d", first.Position, before.Sequence-1)
	}
}

// The file is cut while it is in use: the next commit or read faults in the
// memory map. The process lives, and nothing is lost that was in memory.
func TestFileCutWhileRunning(t *testing.T) {
	r, s, last := cut(t, 2000)
	if _, _, err := r.j.Entries(context.Background(), Position{}, 300); err == nil {
		t.Error("reading a cut file gave no error")
	}
	next := r.append(granted(), somebody(3))
	goesOn(t, r, s, last, next)
	r.stop()
	r.start()
	goesOn(t, r, s, last, next, r.append(granted(), somebody(4)))
}

// Two readers find the same damage, and one of them says so when the writer has
// long gone on in a new file: that one is good and stays, though it has the name of the other.
func TestSlowReaderOfADamagedFile(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.append(granted(), somebody(1))
	at, err := r.j.cat.Load().Locate(Position{})
	if err != nil || !at.Last {
		t.Fatalf("last %v, %v", at.Last, err)
	}
	r.j.files.isSuspect(at)
	eventually(t, "goes on in a new file", func() bool { now := r.j.cat.Load(); return now.Open != nil && now.Open != at.Open })
	ref := r.append(granted(), somebody(2))
	r.j.files.isSuspect(at)
	r.append(granted(), somebody(3))
	if bad := files(t, r.o.Dir, "*.bad-*"); len(bad) != 1 || readable(r)[ref] != 1 || r.j.Status().Epoch != at.File.Epoch {
		t.Errorf("set aside: %v; the entry after it is there %d times", bad, readable(r)[ref])
	}
}

// The cut shows when the file is to be filled.
func TestFileCutBeforeItIsFilled(t *testing.T) {
	r, s, last := cut(t, 2000)
	refs := []wire.Ref{last}
	for i := range 30 {
		refs = append(refs, r.append(granted(), somebody(byte(i))))
	}
	goesOn(t, r, s, refs...)
	verifyAll(t, r)
}

func TestFileCutBeforeACommit(t *testing.T) {
	r, s, _ := cut(t, -1)
	ref := r.append(granted(), somebody(3))
	if bad := files(t, r.o.Dir, "*.bad-1"); readable(r)[ref] != 1 || len(bad) != 1 || r.j.Status().Epoch == s.Epoch {
		t.Errorf("the entry is not there once, or the file was not set aside: %v", bad)
	}
}

func TestClosedFileDamaged(t *testing.T) {
	r := newRig(t, func(o *Options) { o.MaxEntries = 20 })
	r.start()
	for i := range 60 {
		r.append(granted(), somebody(byte(i)))
	}
	r.stop()
	list := files(t, r.o.Dir, "*-*.db")
	if err := os.Truncate(list[1], 5000); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.append(granted(), somebody(1))
	var seqs []uint64
	for _, e := range r.all() {
		seqs = append(seqs, e.Sequence)
	}
	if slices.Contains(seqs, 25) || !slices.Contains(seqs, 5) || !slices.Contains(seqs, 45) {
		t.Errorf("read sequences %v, want all but 20 to 39", seqs)
	}
	eventually(t, "damage is journaled", func() bool { return len(find(r.headers(), wire.KindDamaged)) == 1 })
	if s := r.j.Status(); s.Epoch != r.all()[0].Epoch {
		t.Error("a damaged closed file began a new epoch")
	}
}

// A meta page that rots makes bbolt go back by one commit without a word: the
// epoch must end there, so that no sequence number is given twice.
func TestOneMetaPageIsNotEnough(t *testing.T) {
	for meta := range 2 {
		r := newRig(t, nil)
		r.start()
		for range 5 {
			r.append(granted(), somebody(1))
		}
		old := r.j.Status()
		r.stop()
		path := files(t, r.o.Dir, "*-*.db")[0]
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xff}, int64(meta*os.Getpagesize()+60)); err != nil {
			t.Fatal(err)
		}
		f.Close()
		r.start()
		r.append(granted(), somebody(2))
		if s := r.j.Status(); s.Epoch == old.Epoch || len(files(t, r.o.Dir, "*.bad-1")) != 0 {
			t.Errorf("meta %d: status %+v, want a new epoch and nothing set aside", meta, s)
		}
		if n := len(find(r.headers(), wire.KindAccess)); n < 5 {
			t.Errorf("meta %d: %d access entries can be read", meta, n)
		}
	}
}

func TestSecondProcessWaits(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.append(granted(), somebody(1))
	second := &rig{t: t, o: r.o}
	second.start()
	eventually(t, "the second one is degraded", func() bool { return second.j.Status().Degraded })
	if s := second.j.Status(); s.Problem == "" || !bytes.Contains([]byte(s.Problem), []byte("another process holds it")) {
		t.Errorf("the second one says %q", s.Problem)
	}
	r.append(granted(), somebody(2))
	if bad := files(t, r.o.Dir, "*.bad*"); len(bad) > 0 {
		t.Errorf("the second one set aside %v", bad)
	}
	r.stop()
	eventually(t, "the second one goes on", func() bool { return !second.j.Status().Degraded })
	if n := len(find(second.headers(), wire.KindAccess)); n != 2 {
		t.Errorf("the second one reads %d access entries, want 2", n)
	}
}

// A directory that is removed while no file is open takes the lock with it: the next
// try makes both again.
func TestDirectoryGoneWhileOpening(t *testing.T) {
	r := newRig(t, nil)
	r.open()
	tries := 0
	r.fault(func(point string) error {
		if point != "open" {
			return nil
		}
		if tries++; tries == 1 {
			return os.RemoveAll(r.o.Dir)
		}
		return nil
	})
	r.run()
	eventually(t, "the journal works again", func() bool { s := r.j.Status(); return !s.Degraded && s.Sequence > 0 })
	r.append(granted(), somebody(1))
	if n := len(find(r.headers(), wire.KindAccess)); n != 1 {
		t.Errorf("%d access entries, want 1", n)
	}
	second := &rig{t: t, o: r.o}
	second.start()
	eventually(t, "a second one is kept out", func() bool { return second.j.Status().Degraded })
}
