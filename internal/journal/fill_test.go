package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/buffer"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// crashed returns a rig for a copy of the directory as it stands.
func (r *rig) crashed() *rig {
	r.t.Helper()
	other := &rig{t: r.t, o: r.o, ahead: r.ahead}
	other.o.Dir = filepath.Join(r.t.TempDir(), "journal")
	r.j.files.upkeep.Lock()
	defer r.j.files.upkeep.Unlock()
	if err := copyDirectory(other.o.Dir, r.o.Dir); err != nil {
		r.t.Fatal(err)
	}
	return other
}

func (r *rig) aheadFile() string { return filepath.Join(r.o.Dir, ahead.Name) }

// frames reads the write-ahead file.
func (r *rig) frames() []ahead.Frame {
	r.t.Helper()
	frames, err := ahead.Read(r.aheadFile())
	if err != nil {
		r.t.Fatal(err)
	}
	return frames
}

// several appends entries one by one.
func (r *rig) several(n int) (refs []wire.Ref) {
	r.t.Helper()
	for i := range n {
		refs = append(refs, r.append(granted(), somebody(byte(i))))
	}
	return refs
}

// hasAll: each entry can be read once, and the journal is in that epoch; zero: in another than before.
func (r *rig) hasAll(epoch uint64, refs []wire.Ref) {
	r.t.Helper()
	n := readable(r)
	for _, ref := range refs {
		if n[ref] != 1 {
			r.t.Errorf("%v can be read %d times", ref, n[ref])
		}
	}
	if s := r.j.Status(); s.Epoch != epoch {
		r.t.Errorf("epoch %016x, want %016x", s.Epoch, epoch)
	}
	next := map[uint64]uint64{}
	for _, e := range r.all() {
		if from, seen := next[e.Epoch]; seen && e.Sequence != from {
			r.t.Errorf("entry %v follows %d", e.Position, from)
		}
		next[e.Epoch] = e.Sequence + 1
	}
	s := r.j.Status()
	if root, err := r.j.Root(context.Background(), s.Position); err != nil || root != s.Root {
		r.t.Errorf("root %v, %v; status says %v", root, err, s.Root)
	}
}

// sameAs: what both have has the same bytes under the same number.
func sameAs(t *testing.T, before, after []Entry) {
	t.Helper()
	at := map[Position][]byte{}
	for _, e := range after {
		at[e.Position] = e.Encode()
	}
	for _, e := range before {
		if b, ok := at[e.Position]; !ok || !bytes.Equal(b, e.Encode()) {
			t.Errorf("entry %v is not what it was (there: %t)", e.Position, ok)
		}
	}
}

// The version before locks a file, which is not to be had while the write-ahead file may have entries;
// after an orderly stop it is. While that version runs this one waits.
func TestVersionBeforeIsKeptOut(t *testing.T) {
	r := newRig(t, nil)
	path := filepath.Join(r.o.Dir, buffer.OldLock)
	r.start()
	r.several(2)
	if lock, err := durable.TakeLock(path); err == nil {
		lock.Free()
		t.Error("the version before can lock a journal that is written to")
	}
	r.stop()
	lock, err := durable.TakeLock(path)
	if err != nil {
		t.Fatalf("after the stop: %v", err)
	}
	r.start()
	eventually(t, "it waits for the version before", func() bool { return r.j.Status().Degraded })
	lock.Free()
	eventually(t, "it goes on", func() bool { return !r.j.Status().Degraded && r.j.Status().Queued == 0 })
}

// What is durable is in the write-ahead file until that is full, then in the entry file, and the
// write-ahead file begins again; the stop empties it.
func TestWriteAhead(t *testing.T) {
	r := newRig(t, nil)
	r.ahead = 2000
	r.start()
	refs := r.several(3)
	epoch := r.j.Status().Epoch
	if f := r.frames(); len(f) == 0 || f[0].Epoch != epoch || f[len(f)-1].End() != r.j.Status().Sequence {
		t.Errorf("%d entries, and in the write-ahead file %v", r.j.Status().Sequence, f)
	}
	refs = append(refs, r.several(40)...)
	if f := r.frames(); len(f) == 0 || f[0].First < 20 || f[len(f)-1].End() != r.j.Status().Sequence {
		t.Errorf("%d entries, and in the write-ahead file %v", r.j.Status().Sequence, f)
	}
	r.hasAll(epoch, refs)
	before := r.all()
	r.stop()
	b, err := os.ReadFile(r.aheadFile())
	if err != nil || !bytes.Equal(b, make([]byte, 2000)) {
		t.Errorf("after the stop: %d bytes, zero: %t, %v", len(b), bytes.Equal(b, make([]byte, len(b))), err)
	}
	r.start()
	r.hasAll(epoch, append(refs, r.several(1)...))
	sameAs(t, before, r.all())
}

// An entry file that can't be filled is left, and the epoch goes on in another: no number changes its
// bytes, whether the failed commit is there or not, and if the power goes then.
func TestFillFails(t *testing.T) {
	for _, point := range []string{"commit", "committed"} {
		for _, after := range []int64{0, 1, 2, 3} { // commits: two for each time it is filled
			t.Run(fmt.Sprint(point, after), func(t *testing.T) {
				r := newRig(t, nil)
				r.ahead = 2000
				r.open()
				var crashed atomic.Pointer[rig]
				var acked, had atomic.Int64 // entries that were acknowledged, now and before the crash; no fault before there are some
				fail, _ := failTimes(point, after, 1, syscall.EIO)
				r.fault(func(p string) error {
					if acked.Load() == 0 {
						return nil
					}
					err := fail(p)
					if err != nil {
						had.Store(acked.Load())
						crashed.Store(r.crashed())
					}
					return err
				})
				r.run()
				refs := r.several(5)
				before := r.all()
				acked.Store(5)
				for crashed.Load() == nil {
					refs = append(refs, r.several(1)...)
					acked.Store(int64(len(refs)))
				}
				crash := crashed.Load()
				epoch := r.j.Status().Epoch
				r.hasAll(epoch, refs)
				sameAs(t, before, r.all())
				crash.start()
				more := crash.several(1)
				crash.hasAll(epoch, append(slices.Clone(refs[:had.Load()]), more...))
				sameAs(t, before, crash.all())
				before = r.all()
				r.stop()
				r.start()
				r.hasAll(epoch, append(refs, r.several(20)...))
				sameAs(t, before, r.all())
			})
		}
	}
}

// Without a write-ahead file that can be written, entries go into the entry file at once.
func TestWriteAheadFails(t *testing.T) {
	for point, errno := range map[string]error{"make": syscall.ENOSPC, "ahead": syscall.EIO, "written ahead": syscall.EIO, "clear": syscall.EIO} {
		t.Run(point, func(t *testing.T) {
			r := newRig(t, nil)
			r.ahead = 2000
			r.open()
			var passes func() int64
			fail, n := failTimes(point, 0, 1, errno)
			passes = n.Load
			r.fault(fail)
			r.run()
			refs := r.several(20)
			epoch := r.j.Status().Epoch
			if passes() == 0 {
				t.Fatal("nothing failed")
			}
			if f := files(t, r.o.Dir, ahead.Name); len(f) > 0 && point != "clear" {
				t.Errorf("left: %v", f)
			}
			r.hasAll(epoch, refs)
			before := r.all()
			r.stop()
			r.start() // and tries it anew
			refs = append(refs, r.several(3)...)
			if len(r.frames()) == 0 {
				t.Error("it was not made again")
			}
			r.hasAll(epoch, refs)
			sameAs(t, before, r.all())
			if s := r.j.Status(); s.Degraded || len(find(r.headers(), wire.KindDamaged)) > 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// Somebody removes the write-ahead file, or all of the directory: what is in memory is not lost.
func TestWriteAheadRemoved(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	refs := r.several(5)
	epoch := r.j.Status().Epoch
	if err := os.Remove(r.aheadFile()); err != nil {
		t.Fatal(err)
	}
	refs = append(refs, r.several(2)...)
	r.hasAll(epoch, refs)
	crash := r.crashed()
	crash.start()
	crash.hasAll(epoch, append(slices.Clone(refs), crash.several(1)...))

	if err := r.j.Ack(place(epoch, 3)); err != nil {
		t.Fatal(err)
	}
	refs = append(refs, r.several(2)...)
	kept := r.all()[6:]                                                                         // in the write-ahead file alone
	eventually(t, "the directory is gone", func() bool { return os.RemoveAll(r.o.Dir) == nil }) // the journal may write into it
	refs = append(refs[6:], r.several(2)...)
	if now := r.j.Status().Epoch; now == epoch {
		t.Error("a new directory goes on in the old epoch")
	} else {
		r.hasAll(now, refs[len(refs)-4:])
	}
	if list := r.all(); len(list) < len(kept) {
		t.Errorf("%d entries, want the last %d and more", len(list), len(kept))
	}
}

// TestEntryFileRemoved: somebody removes the entry file while the journal runs. What is durable goes into another, after
// the next entry or within a minute, or stays in the write-ahead file for the next start where the stop comes first.
func TestEntryFileRemoved(t *testing.T) {
	for name, next := range map[string]func(r *rig) []wire.Ref{
		"an entry": func(r *rig) []wire.Ref {
			refs := r.several(1)
			eventually(t, "there is another", func() bool { return len(files(t, r.o.Dir, "*-*.db")) == 1 })
			return append(refs, r.several(2)...)
		},
		"nothing for a minute": func(r *rig) []wire.Ref {
			poke(r.j.files.work) // as a minute does
			eventually(t, "there is another", func() bool { return len(files(t, r.o.Dir, "*-*.db")) == 1 })
			return r.several(2)
		},
		"a full write-ahead file": func(r *rig) []wire.Ref { return r.several(20) },
		"the stop":                func(r *rig) []wire.Ref { r.stop(); r.start(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.ahead = 2000
			r.start()
			refs := r.several(3)
			for _, path := range files(t, r.o.Dir, "*-*.db") {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			refs = append(refs, next(r)...)
			r.stop()
			r.start()
			refs = append(refs, r.several(1)...)
			var there []wire.Ref
			for _, h := range find(r.headers(), wire.KindAccess) {
				there = append(there, wire.Ref{Boot: h.Boot, Counter: h.Counter})
			}
			if !slices.Equal(there, refs) {
				t.Errorf("entries %v, want %v", there, refs)
			}
		})
	}
}

// The file is emptied when nothing comes: where it is more than half full, or its oldest entry is
// half a day old.
func TestWriteAheadIsEmptiedInTime(t *testing.T) {
	clock := newClock()
	r := newRig(t, func(o *Options) { o.Clock = clock.stamp })
	r.ahead = 4000
	r.start()
	refs := r.several(2)
	r.j.in.Poke()
	r.j.in.Poke()
	if r.rounds(); len(r.frames()) == 0 {
		t.Error("emptied at once")
	}
	clock.boot.Add(uint64(12 * time.Hour))
	eventually(t, "an old one is emptied", func() bool { r.j.in.Poke(); return len(r.frames()) == 0 })
	for len(r.frames()) < 11 {
		refs = append(refs, r.several(1)...)
	}
	eventually(t, "a full one is emptied", func() bool { r.j.in.Poke(); return len(r.frames()) == 0 })
	r.hasAll(r.j.Status().Epoch, refs)
}

// TestStartAfterHarm: what a start finds after a power cut, if something is amiss besides. Of 25 entries
// some are in the entry file, and the others in the write-ahead file alone, each in a frame.
func TestStartAfterHarm(t *testing.T) {
	all := func(filled, total int) (from, to int) { return 0, 0 }
	one := func(n int) func(int, int) (int, int) {
		return func(filled, total int) (int, int) { return filled + n, filled + n + 1 }
	}
	last := func(filled, total int) (int, int) { return total - 1, total }
	file := func(filled, total int) (int, int) { return 0, filled }
	rest := func(filled, total int) (int, int) { return filled, total }
	for name, c := range map[string]struct {
		harm  func(h *harmed) error
		lost  func(filled, total int) (from, to int)
		same  bool // the epoch goes on
		told  wire.Reason
		aside string // what is set aside
	}{
		"nothing":      {func(*harmed) error { return nil }, all, true, 0, ""},
		"a torn frame": {func(h *harmed) error { return h.flip(h.frame(-1) + 60) }, last, true, 0, ""},
		"cut short":    {func(h *harmed) error { return os.Truncate(h.aheadFile(), int64(h.frame(-1)+20)) }, last, true, 0, ""},
		"a bad frame":  {func(h *harmed) error { return h.flip(h.frame(3) + 60) }, one(3), false, wire.ReasonDamaged, ahead.Name},
		"a bad first":  {func(h *harmed) error { return h.flip(60) }, one(0), false, wire.ReasonDamaged, ahead.Name},
		"half emptied": {func(h *harmed) error { return h.halfEmptied() }, all, true, 0, ""},
		"a directory": {func(h *harmed) error {
			return errors.Join(os.Remove(h.aheadFile()), os.Mkdir(h.aheadFile(), 0o700))
		}, rest, false, wire.ReasonDamaged, ahead.Name},
		"the entry file cut":         {func(h *harmed) error { return os.Truncate(h.db, 9000) }, file, false, wire.ReasonDamaged, "*.db"},
		"the entry file gone":        {func(h *harmed) error { return os.Remove(h.db) }, file, false, wire.ReasonMissing, ""},
		"the entry file rolled back": {func(h *harmed) error { return os.WriteFile(h.db, h.early, 0o600) }, file, false, wire.ReasonSetBack, ""},
		"epochs gone":                {func(h *harmed) error { return os.Remove(filepath.Join(h.o.Dir, "epochs")) }, all, false, wire.ReasonMissing, ""},
		"another journal's":          {func(h *harmed) error { return h.foreign() }, rest, true, wire.ReasonDamaged, ahead.Name},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarmed(t)
			if err := c.harm(h); err != nil {
				t.Fatal(err)
			}
			h.start()
			h.append(granted(), somebody(1))
			if now := h.j.Status(); (now.Epoch == h.epoch) != c.same {
				t.Errorf("the epoch goes on: %t", now.Epoch == h.epoch)
			}
			if c.told != 0 {
				eventually(t, "the loss is told", func() bool {
					return slices.ContainsFunc(find(h.headers(), wire.KindDamaged), func(e wire.Header) bool { return e.Reason == c.told })
				})
			} else if list := find(h.headers(), wire.KindDamaged); len(list) > 0 {
				t.Errorf("told: %+v", list)
			}
			if bad := files(t, h.o.Dir, "*.bad-*"); (c.aside != "") != (len(bad) == 1) || len(bad) == 1 && len(files(t, h.o.Dir, c.aside+".bad-1")) != 1 {
				t.Errorf("set aside: %v, want %q", bad, c.aside)
			}
			from, to := c.lost(h.filled, len(h.before))
			h.lacks(from, to)
			before := h.all()
			h.stop()
			h.start()
			h.append(granted(), somebody(2))
			sameAs(t, before, h.all())
			verifyAll(t, h.rig)
		})
	}
}

// harmed is a copy of a running journal's directory.
type harmed struct {
	*rig
	before []Entry // what the journal had
	filled int     // of these, what its entry file had
	epoch  uint64
	db     string
	early  []byte // the entry file before it was filled
	at     []int  // where the frames begin
}

func newHarmed(t *testing.T) *harmed {
	live := newRig(t, nil)
	live.ahead = 2000
	live.start()
	live.several(1)
	early, err := os.ReadFile(files(t, live.o.Dir, "*-*.db")[0])
	if err != nil {
		t.Fatal(err)
	}
	for len(live.all()) < 25 || len(live.frames()) < 6 {
		live.several(1)
	}
	copied := live.crashed()
	for !copied.nothingFilled() { // it was emptied meanwhile, since nothing else was to be done
		live.several(1)
		copied = live.crashed()
	}
	h := &harmed{before: live.all(), epoch: live.j.Status().Epoch, early: early, rig: copied}
	h.db = files(t, h.o.Dir, "*-*.db")[0]
	frames := h.frames()
	h.filled = int(frames[0].First)
	at := 0
	for _, f := range frames {
		h.at = append(h.at, at)
		at += (40 + len(f.Append(nil)) + 16 + 7) / 8 * 8
	}
	return h
}

// nothingFilled: the write-ahead file has six frames or more, and the entry file has none of them: between its
// filling and the emptying of the write-ahead file both have them, and harm to a frame loses nothing.
func (r *rig) nothingFilled() bool {
	r.t.Helper()
	frames := r.frames()
	filled, err := segment.Read(files(r.t, r.o.Dir, "*-*.db")[0])
	if err != nil {
		r.t.Fatal(err)
	}
	return len(frames) >= 6 && filled.Size == frames[0].First
}

// frame returns where a frame begins, -1 the last.
func (h *harmed) frame(n int) int { return h.at[(n+len(h.at))%len(h.at)] }

func (h *harmed) flip(at int) error {
	b, err := os.ReadFile(h.aheadFile())
	if err == nil {
		b[at] ^= 4
		err = os.WriteFile(h.aheadFile(), b, 0o600)
	}
	return err
}

// halfEmptied is what a power cut leaves that came while the file was emptied: the entry file has all
// of it, and of the zeros some were written.
func (h *harmed) halfEmptied() error {
	whole, err := os.ReadFile(h.aheadFile())
	if err != nil {
		return err
	}
	h.start()
	h.stop()
	clear(whole[h.frame(2):h.frame(4)])
	return os.WriteFile(h.aheadFile(), whole, 0o600)
}

// foreign puts another journal's file in the place of ours.
func (h *harmed) foreign() error {
	other := newRig(h.t, nil)
	other.start()
	other.several(3)
	b, err := os.ReadFile(other.aheadFile())
	if err != nil {
		return err
	}
	return os.WriteFile(h.aheadFile(), b, 0o600)
}

// lacks: of what the journal had those from one place to another are gone, and all others there once.
func (h *harmed) lacks(from, to int) {
	h.t.Helper()
	n := map[string]int{}
	for _, e := range h.all() {
		n[string(e.Encode())]++
	}
	for i, e := range h.before {
		want := 1
		if i >= from && i < to {
			want = 0
		}
		if got := n[string(e.Encode())]; got != want {
			h.t.Errorf("entry %d of %d, %d of them in the entry file, is there %d times, want %d", i, len(h.before), h.filled, got, want)
		}
	}
}
