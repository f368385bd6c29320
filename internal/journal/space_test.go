package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"

	"gatehouse/internal/journal/audit"
	"gatehouse/sync/wire"
)

// fill appends until the journal has rotated over its cap, and lets the keeper
// look at it.
func fill(r *rig, n int) {
	for i := range n {
		r.append(granted(), somebody(byte(i)))
	}
	poke(r.j.files.work)
}

func TestCapDeletesTheOldestFile(t *testing.T) {
	for _, uplink := range []bool{false, true} {
		r := newRig(t, func(o *Options) { o.MaxEntries, o.MaxBytes, o.Uplink = 20, 400<<10, uplink })
		r.start()
		r.append(granted(), somebody(1))
		epoch := r.j.Status().Epoch
		if uplink {
			if err := r.j.Ack(place(epoch, 1)); err != nil {
				t.Fatal(err)
			}
		}
		fill(r, 300)
		eventually(t, "oldest file goes", func() bool { return r.j.Status().Oldest.Sequence > 0 })
		eventually(t, "directory is below its cap", func() bool {
			poke(r.j.files.work)
			s := r.j.Status()
			return s.Bytes <= r.o.MaxBytes && s.Bytes*100 >= 30*r.o.MaxBytes
		})
		kind, count := wire.KindSpace, uint64(0)
		if uplink {
			kind, count = wire.KindGap, 20 // of the second file that goes: of the first the registry has one entry
		}
		eventually(t, fmt.Sprintf("uplink %v: a %v entry says what went", uplink, kind), func() bool {
			poke(r.j.files.work)
			return slices.ContainsFunc(find(r.headers(), kind), func(h wire.Header) bool {
				return h.Reason == wire.ReasonPruned && h.Count == count && bytes.HasPrefix(h.Detail, audit.Numbers(epoch)) &&
					binary.BigEndian.Uint64(h.Detail[16:])-binary.BigEndian.Uint64(h.Detail[8:]) == 20
			})
		})
		if _, _, err := r.j.Entries(context.Background(), place(epoch, 0), 1); err != nil {
			t.Errorf("reading from a deleted place: %v", err)
		}
		if _, _, err := r.j.Entries(context.Background(), place(epoch+1, 0), 1); !errors.Is(err, ErrGone) {
			t.Errorf("reading from an unknown epoch: %v", err)
		}
		r.stop()
	}
}

// What goes first, one file at a time: in a house with a registry what that has
// or what stands again in a later epoch, and only then, with a gap entry that
// counts it, what it lacks; in a house without one simply the oldest.
func TestWhatGoesFirst(t *testing.T) {
	const lost, kept = wire.KindGap, wire.KindSpace
	for name, c := range map[string]struct {
		uplink bool
		acked  int // of 100 entries in files of 20
		again  int // place from which they are appended again; 0 for not
		want   []wire.Kind
		counts []uint64
	}{
		"no registry":             {false, 0, 0, []wire.Kind{kept, kept, kept}, []uint64{0, 0, 0}},
		"it left the registry":    {false, 40, 0, []wire.Kind{kept, kept, kept}, []uint64{0, 0, 0}},
		"never reached":           {true, 0, 0, []wire.Kind{lost, lost, lost}, []uint64{20, 20, 20}},
		"two files acked":         {true, 40, 0, []wire.Kind{kept, kept, lost}, []uint64{0, 0, 20}},
		"half a file more":        {true, 47, 0, []wire.Kind{kept, kept, lost}, []uint64{0, 0, 13}},
		"all acked":               {true, 100, 0, []wire.Kind{kept, kept, kept}, []uint64{0, 0, 0}},
		"appended again, acked":   {true, 40, 40, []wire.Kind{kept, kept, kept, kept, kept}, []uint64{0, 0, 0, 0, 0}},
		"appended again, unacked": {true, 0, 60, []wire.Kind{kept, kept, kept, lost}, []uint64{0, 0, 0, 20}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(o *Options) { o.MaxEntries, o.Uplink = 20, c.uplink })
			r.start()
			for i := range 100 { // and the boot entry
				r.append(granted(), somebody(byte(i)))
			}
			epoch := r.j.Status().Epoch
			if err := r.j.Ack(place(epoch, uint64(c.acked))); c.acked > 0 && err != nil {
				t.Fatal(err)
			}
			if c.again > 0 {
				r.newEpoch(place(epoch, uint64(c.again)))
			}
			for i, want := range c.want {
				if err := r.j.space.prune(context.Background(), r.o.MaxBytes+512<<20+1); err != nil {
					t.Fatal(err)
				}
				list := r.headers()
				last := list[len(list)-1]
				if last.Kind != want || last.Reason != wire.ReasonPruned || last.Count != c.counts[i] {
					t.Errorf("file %d: %v, reason %v, count %d; want %v, count %d", i, last.Kind, last.Reason, last.Count, want, c.counts[i])
				}
			}
		})
	}
}

func TestNothingIsDeletedWhileTheClockIsNotTrusted(t *testing.T) {
	clock := newClock()
	clock.untrusted.Store(true)
	r := newRig(t, func(o *Options) { o.MaxEntries, o.MaxBytes, o.Clock = 20, 100<<10, clock.stamp })
	r.start()
	fill(r, 100)
	eventually(t, "over the cap", func() bool { poke(r.j.files.work); return r.j.Status().Bytes > r.o.MaxBytes })
	r.rounds()
	if s := r.j.Status(); s.Oldest.Sequence != 0 {
		t.Errorf("entries before %d were deleted", s.Oldest.Sequence)
	}
	clock.untrusted.Store(false)
	eventually(t, "deleted once the clock is trusted", func() bool { poke(r.j.files.work); return r.j.Status().Oldest.Sequence > 0 })
}

func TestSpaceWarnsOnceACrossing(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.append(granted(), somebody(1))
	s := &space{files: r.j.files} // the keeper looks with its own
	for _, percent := range []int{10, 79, 80, 84, 79, 81, 95, 99, 94, 96, 85, 96, 60, 82} {
		s.warn(percent, 0)
	}
	r.append(granted(), somebody(2))
	var counts []uint64
	for _, h := range find(r.headers(), wire.KindSpace) {
		counts = append(counts, h.Count)
	}
	want := []uint64{80, 95, 96, 82}
	if len(counts) != len(want) {
		t.Fatalf("warned at %v, want %v", counts, want)
	}
	for i := range want {
		if counts[i] != want[i] {
			t.Fatalf("warned at %v, want %v", counts, want)
		}
	}
}

func TestClockLeaps(t *testing.T) {
	clock := newClock()
	clock.untrusted.Store(true)
	r := newRig(t, func(o *Options) { o.Clock = clock.stamp })
	r.start()
	start := clock.wall.Load()
	for _, leap := range []int64{0, 10 * 365 * 86_400_000, -start, start} {
		clock.wall.Store(start + leap)
		r.append(granted(), somebody(1))
	}
	if n := len(files(t, r.o.Dir, "*-*.db")); n != 1 {
		t.Errorf("an untrusted clock made %d files", n)
	}
	clock.wall.Store(start)
	clock.untrusted.Store(false)
	r.append(granted(), somebody(1)) // from here on the age of the file is known
	clock.wall.Store(start - 365*86_400_000)
	r.append(granted(), somebody(1))
	if n := len(files(t, r.o.Dir, "*-*.db")); n != 1 {
		t.Errorf("a clock that went back made %d files", n)
	}
	clock.wall.Store(start + 8*86_400_000)
	r.append(granted(), somebody(1))
	if n := len(files(t, r.o.Dir, "*-*.db")); n != 2 {
		t.Errorf("%d files after 8 days, want 2", n)
	}
}

// mount puts a small file system at dir, which takes root.
func mount(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options)
	need(t, "mount", err == nil)
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// A disk that is really full: the reserve carries the log on, then it is
// degraded and keeps what it has, and comes back when there is room.
func TestReallyFullDisk(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Ballast = 256 << 10 })
	r.realDisk = true
	mount(t, r.o.Dir, "size=2m")
	r.start()
	r.append(granted(), somebody(1))
	eventually(t, "ballast", func() bool { _, err := os.Stat(r.j.files.path(ballastName)); return err == nil })
	hog := r.j.files.path("hog")
	f, err := os.Create(hog)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	f.Close()
	acked := map[wire.Ref]bool{}
	sawDegraded := false
	for i := range 20_000 {
		ref, err := r.j.Append(context.Background(), granted(), somebody(byte(i))) // no deadline: that would be another reason
		if err == nil {
			acked[ref] = true
			continue
		}
		if sawDegraded = errors.Is(err, ErrDegraded); sawDegraded {
			break
		}
	}
	if !sawDegraded || len(acked) == 0 {
		t.Fatalf("%d entries went onto the full disk by the reserve, degraded: %v", len(acked), sawDegraded)
	}
	if s := r.j.Status(); s.Reason != wire.ReasonDiskFull {
		t.Errorf("status %+v", s)
	}
	t.Logf("the reserve took %d entries", len(acked))
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	eventually(t, "goes on when there is room", func() bool { return !r.j.Status().Degraded && r.j.Status().Queued == 0 })
	got := readable(r)
	for ref := range acked {
		if got[ref] != 1 {
			t.Fatalf("%v was acknowledged and can be read %d times", ref, got[ref])
		}
	}
}

// A card that the kernel has made read-only: degraded, no end, no crash, and
// back when it can be written again; with the journal running and at its start.
func TestReadOnlyDisk(t *testing.T) {
	r := newRig(t, nil)
	mount(t, r.o.Dir, "size=4m")
	r.start()
	first := r.append(granted(), somebody(1))
	r.stop()
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", r.o.Dir, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	r.start()
	if r.j.Status().Boot < 1<<32 {
		t.Errorf("boot number %d, want a random one", r.j.Status().Boot)
	}
	ref, err := r.j.Append(context.Background(), granted(), somebody(2))
	if !errors.Is(err, ErrDegraded) {
		t.Fatalf("Append on a read-only disk: %v", err)
	}
	remount(0)
	eventually(t, "recovers", func() bool { return !r.j.Status().Degraded && r.j.Status().Queued == 0 })
	got := readable(r)
	if got[first] != 1 || got[ref] != 1 {
		t.Errorf("entries can be read %d and %d times", got[first], got[ref])
	}
	if bad := files(t, r.o.Dir, "*.bad*"); len(bad) > 0 {
		t.Errorf("a read-only disk made it set aside %v", bad)
	}
}
