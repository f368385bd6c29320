package journal

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/sync/wire"
)

// hold makes the writer stop before its n-th write, at which held is closed, until
// release is called.
func hold(r *rig, n int64) (held <-chan struct{}, release func()) {
	gate, at := make(chan struct{}), make(chan struct{})
	seen := int64(0)
	r.fault(func(point string) error {
		if point == "ahead" {
			if seen++; seen == n {
				close(at)
				<-gate
			}
		}
		return nil
	})
	return at, func() { close(gate) }
}

func TestOverflowDropsDenialsFirst(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Queue = 20 })
	r.open()
	stopped, release := hold(r, 2)
	r.run()
	eventually(t, "first commit", func() bool { return r.j.Status().Sequence == 1 })
	held := r.j.Queue(granted(), somebody(0))
	<-stopped // the writer holds it
	keep := []wire.Ref{held}
	lost := map[wire.Ref]bool{}
	for i := range 30 {
		lost[r.j.Queue(denied(), somebody(byte(i)))] = true
	}
	for i := range 15 {
		keep = append(keep, r.j.Queue(granted(), somebody(byte(i))))
	}
	release()
	r.append(granted(), somebody(99))
	got := readable(r)
	for _, ref := range keep {
		if got[ref] != 1 {
			t.Errorf("granted entry %v can be read %d times", ref, got[ref])
		}
	}
	missing := uint64(0)
	for ref := range lost {
		if ref != (wire.Ref{}) && got[ref] == 0 {
			missing++
		}
	}
	gaps := find(r.headers(), wire.KindGap)
	if len(gaps) != 1 || gaps[0].Count != missing || gaps[0].Reason != wire.ReasonQueueFull || missing == 0 {
		t.Errorf("gaps %+v, want one that counts %d", gaps, missing)
	}
	if s := r.j.Status(); s.Dropped != missing {
		t.Errorf("status says %d dropped, want %d", s.Dropped, missing)
	}
	counters := []uint64{}
	for _, h := range r.headers() {
		counters = append(counters, h.Counter)
	}
	if !slices.IsSorted(counters) {
		t.Errorf("counters in the file are not in order: %v", counters)
	}
}

func TestOverflowOfGrantedDropsTheOldest(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Queue = 10 })
	r.open()
	var refs []wire.Ref
	for i := range 40 {
		refs = append(refs, r.j.Queue(granted(), somebody(byte(i))))
	}
	r.run()
	r.append(granted(), wire.Who{})
	got := readable(r)
	sum := uint64(0)
	for _, h := range find(r.headers(), wire.KindGap) {
		sum += h.Count
	}
	lost := uint64(1) // the boot entry was the oldest
	for i, ref := range refs {
		if got[ref] == 0 {
			lost++
			if i > 31 {
				t.Errorf("entry %d of 40 was dropped, older ones were not", i)
			}
		}
	}
	if sum != lost || lost == 0 {
		t.Errorf("gaps count %d, %d are missing", sum, lost)
	}
}

// The caller's deadline, not the disk, decides how long a door waits; then
// nobody waits until a commit succeeds. Time is that of the test bubble.
func TestSlowCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.open()
		_, release := hold(r, 2)
		r.run()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
		defer cancel()
		begin := time.Now()
		slow, err := r.j.Append(ctx, granted(), somebody(1))
		if took := time.Since(begin); !errors.Is(err, ErrQueued) || took != 250*time.Millisecond {
			t.Fatalf("Append on a slow disk: %v after %v", err, took)
		}
		late, err := r.j.Append(ctx, wire.Header{Kind: wire.KindReleasedLate, Door: "front", Ref: &slow}, wire.Who{})
		if !errors.Is(err, ErrDegraded) || time.Since(begin) != 250*time.Millisecond {
			t.Fatalf("Append while degraded: %v after %v", err, time.Since(begin))
		}
		if s := r.j.Status(); !s.Degraded || s.Reason != wire.ReasonSlowDisk || s.Queued != 3 {
			t.Errorf("status %+v", s)
		}
		release()
		synctest.Wait()
		if s := r.j.Status(); s.Degraded || s.Queued != 0 {
			t.Errorf("status after the commit %+v", s)
		}
		got := readable(r)
		if got[slow] != 1 || got[late] != 1 {
			t.Errorf("entries are there %d and %d times", got[slow], got[late])
		}
		// A caller that goes away for another reason says nothing about the disk.
		gone, cancelGone := context.WithCancel(context.Background())
		cancelGone()
		if _, err := r.j.Append(gone, granted(), somebody(2)); err != nil && !errors.Is(err, ErrQueued) {
			t.Errorf("Append of a caller that left: %v", err)
		}
		synctest.Wait()
		if r.j.Status().Degraded {
			t.Error("a caller that left made the journal degraded")
		}
		r.stop()
	})
}

func TestDenialsGetHalfWhileSpaceIsShort(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.looked() // that look finds room on the disk
	r.append(granted(), somebody(0))
	r.j.in.Tight(true)
	for range 100 {
		r.j.Queue(denied(), somebody(1))
	}
	for range 10 {
		r.append(granted(), somebody(2))
		r.j.Queue(denied(), somebody(1))
	}
	r.append(granted(), somebody(3))
	list := r.headers()
	low, high := 0, 0
	for _, h := range list {
		if h.Outcome == wire.OutcomeDenied {
			low++
		} else if h.Outcome == wire.OutcomeGranted {
			high++
		}
	}
	sum := 0
	for _, h := range find(list, wire.KindGap) {
		sum += int(h.Count)
	}
	if high != 12 || low > 12+8 || low+sum != 110 || low == 0 {
		t.Errorf("%d granted, %d denied, gaps of %d; want 12, at most 20, and 110 denied in all", high, low, sum)
	}
}
