package intake

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// The entries of a door, those that may wait first.
var (
	grant   = &wire.Ref{Boot: 1}
	patient = []wire.Header{
		{Kind: wire.KindReleased, Reason: wire.ReasonCard, Ref: grant},
		{Kind: wire.KindReleased, Reason: wire.ReasonExit},
		{Kind: wire.KindOpened, Ref: grant},
		{Kind: wire.KindClosed},
		{Kind: wire.KindSecured, Reason: wire.ReasonTimer},
	}
	pressing = []wire.Header{
		{Kind: wire.KindForced, Outcome: wire.OutcomeActive},
		{Kind: wire.KindOpened},
		{Kind: wire.KindReleased, Reason: wire.ReasonFire},
		{Kind: wire.KindReleased, Reason: wire.ReasonFireLatch},
		{Kind: wire.KindReleased, Outcome: wire.OutcomeRefused, Reason: wire.ReasonCard, Ref: grant},
		{Kind: wire.KindSecured, Outcome: wire.OutcomeRefused, Reason: wire.ReasonTimer},
		{Kind: wire.KindReleasedLate, Ref: grant},
		{Kind: wire.KindHeld, Outcome: wire.OutcomeActive},
		{Kind: wire.KindFire, Outcome: wire.OutcomeActive},
		{Kind: wire.KindExit, Outcome: wire.OutcomeActive},
		{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Reason: wire.ReasonUnknown},
		{Kind: wire.KindFault, Outcome: wire.OutcomeActive},
		{Kind: wire.KindOffline},
		{Kind: wire.KindCommand, Outcome: wire.OutcomeDone},
		{Kind: wire.KindStop},
	}
)

// written is an entry that the writer got, and when.
type written struct {
	counter uint64
	at      time.Time
}

// bench is an intake with a writer whose syncs take a while; its time is that of the test's bubble.
type bench struct {
	in    *Intake
	syncs int
	got   []written
	ended chan struct{}
	stop  context.CancelFunc

	began time.Time
	slept atomic.Int64 // ns that the machine slept: they are in the time since boot, and no timer runs in them
	leapt atomic.Int64 // ms by which the wall clock is wrong
}

// stamp is that of the machine's clocks.
func (b *bench) stamp() journaled.Stamp {
	now := time.Since(b.began) + time.Duration(b.slept.Load())
	return journaled.Stamp{BootTime: uint64(now), Wall: max(0, 1_795_392_000_000+now.Milliseconds()+b.leapt.Load())}
}

func newBench(sync time.Duration) *bench {
	b := &bench{ended: make(chan struct{}), began: time.Now()}
	b.in = New(1, 1000, b.stamp, zerolog.Nop())
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	go b.write(ctx, sync)
	return b
}

// write is the writer's loop.
func (b *bench) write(ctx context.Context, sync time.Duration) {
	defer close(b.ended)
	for {
		stopping := ctx.Err() != nil
		batch := b.in.Take(100, stopping)
		if len(batch) > 0 {
			b.syncs++
			for _, it := range batch {
				b.got = append(b.got, written{it.Ref.Counter, time.Now()})
			}
			time.Sleep(sync)
			b.in.Committed()
			continue
		}
		if stopping {
			return
		}
		select {
		case <-b.in.Wake():
		case <-ctx.Done():
		}
	}
}

// end stops the writer, as the journal does.
func (b *bench) end() {
	b.stop()
	<-b.ended
}

// TestWhoMayWait: what may wait is what truth D2 says, and nothing else.
func TestWhoMayWait(t *testing.T) {
	for _, h := range patient {
		if !mayWait(h) {
			t.Errorf("%v %v %v is not held", h.Kind, h.Outcome, h.Reason)
		}
	}
	for _, h := range pressing {
		if mayWait(h) {
			t.Errorf("%v %v %v is held", h.Kind, h.Outcome, h.Reason)
		}
	}
	for k := wire.Kind(1); k < 64; k++ {
		switch k {
		case wire.KindReleased, wire.KindSecured, wire.KindOpened, wire.KindClosed:
		default:
			if mayWait(wire.Header{Kind: k, Ref: grant, Reason: wire.ReasonCard}) {
				t.Errorf("kind %v is held", k)
			}
		}
	}
}

// arrival is an entry that comes after a wait.
type arrival struct {
	wait  time.Duration
	slept time.Duration // of the machine, at the end of that
	leap  time.Duration // of the wall clock
	held  bool
	h     wire.Header
}

// TestHeldEntries: whatever comes when, the order is that of the counters, what may not wait goes
// to the writer as soon as that is free, nothing waits longer than a second for its sync, and entries
// that may wait cost no more than a sync a second of their own. The stop writes all. A wall clock that
// leaps changes nothing of it; what is overdue after the machine slept goes with the next arrival.
func TestHeldEntries(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		lasts := time.Duration(rapid.IntRange(0, 50).Draw(r, "sync")) * time.Millisecond
		var plan []arrival
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			a := arrival{held: rapid.IntRange(0, 3).Draw(r, "hold") > 0, h: rapid.SampledFrom(patient).Draw(r, "patient"),
				wait: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 40, 300, 999, 1000, 1001, 3000}).Draw(r, "wait")) * time.Millisecond}
			if rapid.IntRange(0, 4).Draw(r, "odd") == 0 {
				a.slept = rapid.SampledFrom([]time.Duration{0, holdMost / 2, holdMost, time.Hour}).Draw(r, "slept")
				a.leap = rapid.SampledFrom([]time.Duration{-400 * day, -time.Hour, -holdMost, holdMost, time.Hour, 400 * day}).Draw(r, "leap")
			}
			if !a.held {
				a.h = rapid.SampledFrom(pressing).Draw(r, "pressing")
			}
			plan = append(plan, a)
		}
		idle := time.Duration(rapid.IntRange(0, 2).Draw(r, "idle")) * time.Second
		var fault string
		synctest.Test(t, func(*testing.T) { fault = heldEntries(lasts, plan, idle) })
		if fault != "" {
			r.Fatal(fault)
		}
	})
}

// heldEntries plays a plan and returns which law it broke.
func heldEntries(lasts time.Duration, plan []arrival, idle time.Duration) string {
	b := newBench(lasts)
	began, urgent := time.Now(), 0
	var queued []time.Time
	var boot []uint64
	for _, a := range plan {
		time.Sleep(a.wait)
		synctest.Wait() // the timers of this moment are of before the sleep
		b.slept.Add(int64(a.slept))
		b.leapt.Add(a.leap.Milliseconds())
		if !a.held || a.slept > 0 {
			urgent++
		}
		queued, boot = append(queued, time.Now()), append(boot, b.stamp().BootTime)
		b.in.Queue(a.h, wire.Who{})
	}
	time.Sleep(idle)
	stopped := time.Now()
	b.end()
	if len(b.got) != len(plan) {
		return fmt.Sprintf("%d entries queued, %d written", len(plan), len(b.got))
	}
	for i, a := range plan {
		w, most := b.got[i], lasts
		if a.held {
			most += holdMost
		}
		if w.counter != uint64(i) {
			return fmt.Sprintf("entry %d was written where %d has its place", w.counter, i)
		}
		if late := w.at.Sub(queued[i]); late > most || w.at.After(stopped.Add(lasts)) {
			return fmt.Sprintf("entry %d (%v, held: %v) was taken after %v, a sync takes %v", i, a.h.Kind, a.held, late, lasts)
		}
		next := slices.IndexFunc(boot, func(at uint64) bool { return at >= boot[i]+uint64(holdMost) })
		if next >= 0 && w.at.Sub(queued[next]) > lasts {
			return fmt.Sprintf("entry %d, overdue by the time since boot, was taken %v after entry %d came", i, w.at.Sub(queued[next]), next)
		}
	}
	if most := urgent + int(stopped.Sub(began)/holdMost) + 2; b.syncs > most {
		return fmt.Sprintf("%d syncs for %d entries that may not wait in %v", b.syncs, urgent, stopped.Sub(began))
	}
	return ""
}

// TestPassageTakesThreeSyncs: the grant is one, and what follows it two. Somebody opens a second after the release,
// which the contact tells after its filter.
func TestPassageTakesThreeSyncs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(5 * time.Millisecond)
		for range 3 {
			before := b.syncs
			if _, err := b.in.Append(t.Context(), wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted}, wire.Who{}); err != nil {
				t.Fatal(err)
			}
			for i, h := range []wire.Header{patient[0], patient[2], patient[3], patient[4]} {
				time.Sleep(time.Duration([]int{0, 1100, 2900, 0}[i]) * time.Millisecond)
				b.in.Queue(h, wire.Who{})
			}
			time.Sleep(time.Minute)
			if n := b.syncs - before; n != 3 {
				t.Errorf("a passage took %d syncs, want 3", n)
			}
		}
		b.end()
	})
}

// TestWhoIsNotHeld: what somebody waits for wakes the writer, whatever it is, as does what the journal says of itself.
func TestWhoIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(0)
		began := time.Now()
		for _, h := range patient {
			if _, err := b.in.Append(t.Context(), h, wire.Who{}); err != nil {
				t.Fatal(err)
			}
		}
		b.in.Note(wire.Header{Kind: wire.KindSpace})
		synctest.Wait()
		if late := time.Since(began); late > 0 || len(b.got) != len(patient)+1 {
			t.Errorf("%d entries were written in %v, want %d at once", len(b.got), late, len(patient)+1)
		}
		b.end()
	})
}

// TestHeldOverSleep: entries are due by the time since boot. What comes first after a machine slept takes them along.
func TestHeldOverSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := time.Duration(0)
		in := New(1, 100, func() journaled.Stamp { return journaled.Stamp{BootTime: uint64(slept)} }, zerolog.Nop())
		in.Queue(patient[0], wire.Who{})
		slept = holdMost - 1
		in.Queue(patient[1], wire.Who{})
		if batch := in.Take(100, false); len(batch) > 0 {
			t.Fatalf("%d entries were taken before they are due", len(batch))
		}
		slept = holdMost
		in.Queue(patient[3], wire.Who{})
		select {
		case <-in.Wake():
		default:
			t.Error("the writer was not woken")
		}
		if batch := in.Take(100, false); len(batch) != 3 {
			t.Errorf("%d entries were taken, want 3", len(batch))
		}
	})
}
