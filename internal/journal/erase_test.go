package journal

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

const day = 24 * time.Hour

// after is a period for all who parts, and 7 days for those that are kept briefly.
func after(all time.Duration) erasing.After {
	return func() (time.Duration, time.Duration) { return all, 7 * day }
}

// old is a journal with closed files, at a clock that the test moves.
type old struct {
	*rig
	clock *testClock
}

func newOld(t *testing.T, uplink bool) *old {
	o := &old{clock: newClock()}
	o.rig = newRig(t, func(opts *Options) { opts.MaxEntries, opts.Clock, opts.Uplink = 20, o.clock.stamp, uplink })
	o.start()
	for i := range 50 {
		o.append(granted(), somebody(byte(i+1)))
	}
	o.rounds()
	return o
}

// pass lets days go by in steps, as they do, on the clocks that go.
func (o *old) pass(d time.Duration, wall, boot bool) {
	o.t.Helper()
	for ; d > 0; d -= day {
		if wall {
			o.clock.wall.Add(day.Milliseconds())
		}
		if boot {
			o.clock.boot.Add(uint64(day))
		}
		o.rounds()
	}
}

// traces returns for which of the people of the first 50 entries any byte of the
// directory still speaks.
func (o *old) traces() (found []int) {
	o.t.Helper()
	all := directoryBytes(o.t, o.o.Dir)
	for i := range 50 {
		w := somebody(byte(i + 1))
		for _, b := range all {
			if bytes.Contains(b, w.Credential[:]) || bytes.Contains(b, w.Tenancy[:]) {
				found = append(found, i)
				break
			}
		}
	}
	return found
}

// closedPeople are those in files that are closed: the open one still has them.
func (o *old) inClosed() int {
	list := files(o.t, o.o.Dir, "*-*.db")
	_, first, _ := segment.ParseName(filepath.Base(list[len(list)-1]))
	return int(first) - 1 // the boot entry names nobody
}

// TestPeriodsChange: a period that becomes shorter while the journal is open counts from the next round on.
func TestPeriodsChange(t *testing.T) {
	o := &old{clock: newClock()}
	var days atomic.Int64
	days.Store(30)
	o.rig = newRig(t, func(opts *Options) {
		opts.MaxEntries, opts.Clock = 20, o.clock.stamp
		opts.EraseAfter = func() (all, brief time.Duration) { return time.Duration(days.Load()) * day, 7 * day }
	})
	o.start()
	for i := range 50 {
		o.append(granted(), somebody(byte(i+1)))
	}
	o.rounds()
	n := o.inClosed()
	o.pass(12*day, true, true)
	if got := o.traces(); len(got) != 50 {
		t.Fatalf("%d people after 12 of 30 days", len(got))
	}
	days.Store(10)
	o.pass(4*day, true, true) // one file a round
	for _, i := range o.traces() {
		if i < n {
			t.Errorf("person %d, of a file that is closed for 16 days, is there after 10", i)
		}
	}
}

// TestWhoPartsGo: 30 days after a file is closed no byte in the directory tells who came,
// the tree is as it was, and the entries can be read.
func TestWhoPartsGo(t *testing.T) {
	o := newOld(t, false)
	n := o.inClosed()
	if got := o.traces(); len(got) != 50 || n < 30 {
		t.Fatalf("%d people before, %d in closed files", len(got), n)
	}
	at := o.j.Status().Position
	root, err := o.j.Root(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	o.pass(29*day, true, true)
	if got := o.traces(); len(got) != 50 {
		t.Fatalf("%d people after 29 days", len(got))
	}
	o.pass(4*day, true, true) // one file a round
	for _, i := range o.traces() {
		if i < n {
			t.Errorf("person %d, of a file that is closed for 33 days, is there", i)
		}
	}
	if got, err := o.j.Root(t.Context(), at); err != nil || got != root {
		t.Errorf("the tree of %d entries has another root: %v", at.Sequence, err)
	}
	erased := 0
	for _, e := range o.all() {
		if e.Erased {
			erased++
		}
	}
	told := find(o.headers(), wire.KindSpace)
	count := uint64(0)
	for _, h := range told {
		if h.Reason == wire.ReasonWhosErased {
			count += h.Count
		}
	}
	if erased != n || count != uint64(n) {
		t.Errorf("%d entries erased, %d told of, want %d", erased, count, n)
	}
	for _, path := range files(t, o.o.Dir, "*-*.db") {
		if _, err := segment.Verify(path); err != nil && path != files(t, o.o.Dir, "*-*.db")[len(files(t, o.o.Dir, "*-*.db"))-1] {
			t.Error(err)
		}
	}
	o.stop()
	o.start() // reads all of it again
	o.append(granted(), somebody(1))
	if len(find(o.headers(), wire.KindDamaged)) > 0 {
		t.Error("an erased file counts as damaged")
	}
}

// TestQuietHouseErases: where nobody comes any more the open file is closed after a
// week, and its people go as well.
func TestQuietHouseErases(t *testing.T) {
	o := newOld(t, false)
	eventually(t, "all are gone", func() bool {
		o.clock.wall.Add(day.Milliseconds())
		o.clock.boot.Add(uint64(day))
		o.j.in.Poke() // what the minute's tick does
		o.rounds()
		return len(o.traces()) == 0
	})
	if days := time.Duration(o.clock.boot.Load()) / day; days > 7+30+10 {
		t.Errorf("it took %d days", days)
	}
}

// TestNothingIsErased: by one clock alone, by a clock that is not trusted, or before
// the registry has it and can't lose it.
func TestNothingIsErased(t *testing.T) {
	keep := func(name string, uplink bool, do func(*old)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOld(t, uplink)
			do(o)
			if got := o.traces(); len(got) != 50 {
				t.Errorf("%d people of 50 are left", len(got))
			}
		})
	}
	keep("the wall clock leaps", false, func(o *old) { o.clock.wall.Add((400 * day).Milliseconds()); o.rounds(); o.pass(20*day, false, true) })
	keep("only the wall clock goes", false, func(o *old) { o.pass(40*day, true, false) })
	keep("only the other goes", false, func(o *old) { o.pass(40*day, false, true) })
	keep("not trusted", false, func(o *old) { o.clock.untrusted.Store(true); o.pass(70*day, true, true) })
	keep("not acked", true, func(o *old) { o.pass(70*day, true, true) })
	keep("acked, not safe", true, func(o *old) {
		o.ack()
		o.pass(50*day, true, true)
	})
	keep("never", false, func(o *old) {
		o.stop()
		o.o.EraseAfter = after(-1)
		o.start()
		o.append(granted(), somebody(1))
		o.pass(40*day, true, true)
	})
}

func (o *old) ack() {
	o.t.Helper()
	if err := o.j.Ack(o.j.Status().Position); err != nil {
		o.t.Fatal(err)
	}
}

// TestErasedWhenSafe: the registry's word that it can't lose them counts, also over
// a restart; without it 30 days more.
func TestErasedWhenSafe(t *testing.T) {
	for name, days := range map[string]int{"safe": 33, "never safe": 63} {
		t.Run(name, func(t *testing.T) {
			o := newOld(t, true)
			n := o.inClosed()
			o.ack()
			if days == 33 {
				for _, p := range []Position{place(o.j.Status().Epoch, 45), place(o.j.Status().Epoch, 10), place(77, 1000)} { // forward only
					o.j.Safe(p)
				}
			}
			o.pass(15*day, true, true)
			o.stop()
			o.start() // what has passed is kept
			o.append(granted(), somebody(200))
			o.pass(time.Duration(days-15)*day, true, true)
			if i := slices.IndexFunc(o.traces(), func(i int) bool { return i < n }); i >= 0 {
				t.Errorf("people of closed files are left: %v", o.traces())
			}
		})
	}
}

// TestErasedBesideANewEpoch: an epoch that begins while a file is rewritten does not take the copy
// away, and the people of the file are erased in time.
func TestErasedBesideANewEpoch(t *testing.T) {
	var armed atomic.Bool
	erasing, begun := make(chan struct{}), make(chan struct{})
	o := &old{clock: newClock()}
	o.rig = newRig(t, func(opts *Options) {
		opts.MaxEntries, opts.Clock = 20, o.clock.stamp
		opts.Verify = func(_ context.Context, path string) error {
			if strings.HasSuffix(path, segment.PackSuffix) && armed.CompareAndSwap(true, false) {
				close(erasing)
				<-begun
			}
			_, err := segment.Verify(path)
			return err
		}
	})
	o.start()
	for i := range 50 {
		o.append(granted(), somebody(byte(i+1)))
	}
	o.rounds()
	o.pass(29*day, true, true)
	armed.Store(true)
	o.clock.wall.Add((2 * day).Milliseconds())
	o.clock.boot.Add(uint64(2 * day))
	poke(o.j.files.work)
	<-erasing
	epoch := o.j.Status().Epoch
	if _, err := o.j.NewEpoch(t.Context(), place(epoch, 45), headOf(place(epoch, 0))); err != nil {
		t.Error(err)
	}
	close(begun)
	for range 3 {
		o.rounds() // one file a round, and no day goes by
	}
	if got := o.traces(); slices.Min(got) < 18 {
		t.Errorf("31 days after their file was closed these people are there: %v", got)
	}
}

// TestAgesAreOnlyAHint: a file of ages that is lost or garbage erases nothing sooner.
func TestAgesAreOnlyAHint(t *testing.T) {
	for name, text := range map[string]string{"lost": "", "garbage": "x\n-1 -2 y\n"} {
		t.Run(name, func(t *testing.T) {
			o := newOld(t, false)
			o.pass(20*day, true, true)
			o.stop()
			if err := os.WriteFile(filepath.Join(o.o.Dir, erasing.AgedName), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			o.start()
			o.append(granted(), somebody(200))
			o.pass(20*day, true, true)
			if got := o.traces(); len(got) != 50 {
				t.Errorf("%d people of 50 are left", len(got))
			}
		})
	}
}

// TestClockAheadWhenClosed: a file that was made while a trusted clock was a year
// ahead is closed and erased by the days that pass.
func TestClockAheadWhenClosed(t *testing.T) {
	o := &old{clock: newClock()}
	o.rig = newRig(t, func(opts *Options) { opts.MaxEntries, opts.Clock = 20, o.clock.stamp })
	o.clock.wall.Add((365 * day).Milliseconds())
	o.start()
	for i := range 50 {
		o.append(granted(), somebody(byte(i+1)))
	}
	o.rounds()
	o.clock.wall.Add(-(365 * day).Milliseconds())
	o.rounds()
	for range 50 {
		o.clock.wall.Add(day.Milliseconds())
		o.clock.boot.Add(uint64(day))
		o.j.in.Poke()
		o.rounds()
	}
	if got := o.traces(); len(got) > 0 {
		t.Errorf("%d people are left", len(got))
	}
}

// TestPreservedStays: what is preserved is not erased with the rest of its file, over a restart, and goes by itself when
// it is preserved no more.
func TestPreservedStays(t *testing.T) {
	var over atomic.Bool
	o := &old{clock: newClock()}
	o.rig = newRig(t, func(opts *Options) {
		opts.MaxEntries, opts.Clock = 20, o.clock.stamp
		opts.Preserved = func(h wire.Header) bool { return !over.Load() && h.Counter%3 == 0 }
	})
	o.start()
	for i := range 50 {
		o.append(granted(), somebody(byte(i+1)))
	}
	o.rounds()
	n, kept := o.inClosed(), []int(nil)
	for i, e := range o.all()[1:] {
		if h, err := wire.DecodeHeader(e.Header); err == nil && h.Counter%3 == 0 && i < n {
			kept = append(kept, i)
		}
	}
	o.pass(40*day, true, true)
	closed := func() []int { return slices.DeleteFunc(o.traces(), func(i int) bool { return i >= n }) }
	if got := closed(); !slices.Equal(got, kept) || len(kept) < 10 {
		t.Errorf("after 40 days these people are there: %v, preserved are %v", got, kept)
	}
	told := uint64(0)
	for _, h := range o.headers() {
		if h.Reason == wire.ReasonWhosErased {
			told += h.Count
		}
	}
	if told != uint64(n-len(kept)) {
		t.Errorf("the log tells of %d", told)
	}
	o.stop()
	o.start()
	o.append(granted(), somebody(200))
	o.pass(2*day, true, true)
	if got := closed(); !slices.Equal(got, kept) {
		t.Errorf("after a restart these people are there: %v", got)
	}
	over.Store(true)
	o.pass(3*day, true, true)
	if got := closed(); len(got) > 0 {
		t.Errorf("nothing is preserved any more, and these people are there: %v", got)
	}
}

// TestKeptBriefly: who parts that are kept briefly go a week after their file was closed, only these, once a registry can't
// lose them; the others in their time.
func TestKeptBriefly(t *testing.T) {
	for name, uplink := range map[string]bool{"standalone": false, "with a registry": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, brief := &old{clock: newClock()}, map[wire.ID]bool{}
			o.rig = newRig(t, func(opts *Options) {
				opts.MaxEntries, opts.Clock, opts.Uplink = 20, o.clock.stamp, uplink
				opts.Brief = func(w wire.Who) bool { return brief[*w.Tenancy] }
			})
			for i := range 50 {
				brief[*somebody(byte(i + 1)).Tenancy] = i%4 == 0
			}
			o.start()
			for i := range 50 {
				o.append(granted(), somebody(byte(i+1)))
			}
			o.rounds()
			n := o.inClosed()
			if uplink {
				o.pass(10*day, true, true)
				if got := o.traces(); len(got) != 50 {
					t.Errorf("%d people are left of what no registry has", len(got))
				}
				o.ack()
				o.pass(2*day, true, true)
				if got := o.traces(); len(got) != 50 {
					t.Errorf("%d people are left of what a registry may lose", len(got))
				}
				o.j.Safe(o.j.Status().Position)
			}
			o.pass(6*day, true, true)
			if got := o.traces(); !uplink && len(got) != 50 {
				t.Errorf("%d people after 6 days", len(got))
			}
			o.stop()
			o.start()
			o.append(granted(), somebody(200))
			o.pass(5*day, true, true)
			for i := range n {
				if there := slices.Contains(o.traces(), i); there == (i%4 == 0) {
					t.Errorf("after two weeks person %d is there: %v", i, there)
				}
			}
			o.pass(24*day, true, true)
			if i := slices.IndexFunc(o.traces(), func(i int) bool { return i < n }); i >= 0 {
				t.Errorf("in the end: %v", o.traces())
			}
		})
	}
}
