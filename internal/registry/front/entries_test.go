package front

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// clockedScene is a scene whose front goes by a clock that the test sets.
func clockedScene(t testing.TB, at time.Time) (*scene, *atomic.Int64) {
	s := &scene{rig: newRig(t)}
	s.g = s.gateway("g1", 7)
	var now atomic.Int64
	now.Store(at.UnixMilli())
	link, make := newMemory()
	s.link = link
	s.front = s.start(Options{Link: make, Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	if _, err := s.front.client.PutHouse(t.Context(), s.house(1, s.g)); err != nil {
		t.Fatal(err)
	}
	return s, &now
}

// pass is a card at the door at a true time, as a clock that is wrong by `off` had
// it.
func (s *scene) pass(truth time.Time, off time.Duration, clock wire.ClockQuality, sinceBoot time.Duration) {
	s.g.add(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front",
		Wall: truth.Add(off).UnixMilli(), Clock: clock, BootTime: uint64(sinceBoot)}, true)
}

// TestEntryOfAnUnsetClock: a card that opened while the gateway's clock was unset
// is found by whoever asks for that day, before and after the clock was set,
// marked, and with the time at which the registry got it.
func TestEntryOfAnUnsetClock(t *testing.T) {
	day := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	s, now := clockedScene(t, day.Add(9*time.Hour))
	s.pass(day.Add(-3*time.Hour), 0, wire.ClockNTP, time.Hour)
	s.ask(wire.TypeBatch, s.g.batch(0, 1))
	s.g.boot = 2
	in1970 := -day.Sub(time.Unix(0, 0))
	s.pass(day.Add(9*time.Hour), in1970, wire.ClockUnset, time.Minute)
	now.Store(day.Add(9*time.Hour + time.Second).UnixMilli())
	s.ask(wire.TypeBatch, s.g.batch(1, 1))
	find := func(from, to time.Time) (found []api.Entry) {
		t.Helper()
		for _, e := range s.entries(api.EntryFilter{From: from, To: to}) {
			if e.Sequence == 1 {
				found = append(found, e)
			}
		}
		return found
	}
	got := find(day, day.Add(24*time.Hour))
	if len(got) != 1 || !got[0].Unsure || got[0].NotBefore == nil || !got[0].NotBefore.Equal(day.Add(-3*time.Hour)) ||
		got[0].NotAfter == nil || !got[0].NotAfter.Equal(day.Add(9*time.Hour+time.Second)) || !got[0].Received.Equal(*got[0].NotAfter) {
		t.Fatalf("on its day: %+v", got)
	}
	if got := find(day.Add(10*time.Hour), time.Time{}); len(got) != 0 {
		t.Errorf("after it was stored: %+v", got)
	}
	if got := find(time.Time{}, day.Add(-4*time.Hour)); len(got) != 0 {
		t.Errorf("before the entry before it: %+v", got)
	}
	// Five minutes later the same run of the daemon has the time: then it tells, by
	// the time since boot, when the card was there.
	s.pass(day.Add(9*time.Hour+5*time.Minute), 0, wire.ClockNTP, 6*time.Minute)
	s.ask(wire.TypeBatch, s.g.batch(2, 1))
	got = find(day.Add(9*time.Hour-10*time.Second), day.Add(9*time.Hour+10*time.Second))
	if len(got) != 1 || !got[0].Unsure || got[0].NotBefore.Before(day.Add(9*time.Hour-2*time.Second)) || got[0].NotAfter.After(day.Add(9*time.Hour+2*time.Second)) {
		t.Errorf("by the time since boot: %+v", got)
	}
	if got := find(day, day.Add(8*time.Hour)); len(got) != 0 {
		t.Errorf("hours before: %+v", got)
	}
}

// TestEntriesGoOn: a list that stops says so, and goes on behind where it
// stopped, in both orders, without a gap or a double.
func TestEntriesGoOn(t *testing.T) {
	day := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	s, now := clockedScene(t, day)
	for i := range 20 {
		s.pass(day.Add(time.Duration(i)*time.Second), 0, wire.ClockNTP, time.Hour)
	}
	for i := range 4 {
		now.Store(day.Add(time.Duration(i/2) * time.Hour).UnixMilli()) // two batches share a time
		s.ask(wire.TypeBatch, s.g.batch(5*i, 5))
	}
	for _, newest := range []bool{false, true} {
		var seen []uint64
		f := api.EntryFilter{Limit: 3, Newest: newest}
		for more := "-"; more != ""; f.After = more {
			var err error
			n := 0
			more, err = s.front.client.Entries(context.Background(), f, func(e api.Entry) error { n++; seen = append(seen, e.Sequence); return nil })
			if err != nil || n > 3 || more != "" && n != 3 {
				t.Fatalf("%d entries, %q, %v", n, more, err)
			}
		}
		if len(seen) != 20 {
			t.Fatalf("newest %v: %v", newest, seen)
		}
		for i, seq := range seen {
			if want := uint64(i); !newest && seq != want || newest && seq != 19-want {
				t.Fatalf("newest %v: %v", newest, seen)
			}
		}
	}
	if more, err := s.front.client.Entries(context.Background(), api.EntryFilter{Limit: 20}, func(api.Entry) error { return nil }); more != "" || err != nil {
		t.Errorf("all were shown, and there is %q, %v", more, err)
	}
	for _, after := range []string{"x", "b1/g1:7", "b1/g1:0000000000000007:x", "b1/g1:0000000000000007:3:4", "b1:7:3"} {
		if _, err := s.front.client.Entries(context.Background(), api.EntryFilter{After: after}, func(api.Entry) error { return nil }); err == nil {
			t.Errorf("after %q is taken", after)
		}
	}
}

// TestEveryEntryIsFound: whatever the gateway's clock did, who asks for the
// minute in which something happened finds it, and the bounds that are told hold.
func TestEveryEntryIsFound(t *testing.T) {
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	s, now := clockedScene(t, start)
	nonce := uint64(8)
	rapid.Check(t, func(rt *rapid.T) {
		g := s.gateway("g1", nonce)
		g.key = s.g.key
		s.g, nonce = g, nonce+1
		truth, boot, off, clock, stored := start, time.Hour, time.Duration(0), wire.ClockNTP, 0
		var times []time.Time
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			d := time.Duration(rapid.Int64Range(1, int64(6*time.Hour)).Draw(rt, "later"))
			truth, boot = truth.Add(d), boot+d
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0: // it starts again, in 1970
				g.boot, boot, clock, off = g.boot+1, time.Second, wire.ClockUnset, -truth.Sub(time.Unix(0, 0))
			case 1: // it leaps, and knows
				clock, off = wire.ClockFloor, time.Duration(rapid.Int64Range(-int64(400*24*time.Hour), int64(400*24*time.Hour)).Draw(rt, "leap"))
			case 2:
				clock, off = wire.ClockNTP, 0
			default:
				s.pass(truth, off, clock, boot)
				times = append(times, truth)
			}
			if n := len(times) - stored; n > 0 && rapid.Bool().Draw(rt, "send") {
				now.Store(truth.Add(time.Second).UnixMilli())
				s.at(s.ask(wire.TypeBatch, g.batch(stored, n)), g.epoch, uint64(len(times)))
				stored = len(times)
			}
		}
		for n := 0; n < min(stored, 3); n++ {
			seq := rapid.IntRange(0, stored-1).Draw(rt, "which")
			s.findAt(rt, g.epoch, uint64(seq), times[seq])
		}
	})
}

// findAt asks for half a minute around a true time.
func (s *scene) findAt(rt *rapid.T, epoch, seq uint64, truth time.Time) {
	id := fmt.Sprintf("%016x", epoch)
	for _, newest := range []bool{false, true} {
		found := 0
		for _, e := range s.entries(api.EntryFilter{From: truth.Add(-15 * time.Second), To: truth.Add(15 * time.Second), Newest: newest, Limit: 100_000}) {
			if e.Epoch != id || e.Sequence != seq {
				continue
			}
			found++
			if e.Unsure && (e.NotAfter.Add(time.Millisecond).Before(truth) || e.NotBefore != nil && e.NotBefore.Add(-time.Millisecond).After(truth)) {
				rt.Fatalf("entry %d is of %v, and is told as %+v", seq, truth, e)
			}
		}
		if found != 1 {
			rt.Fatalf("entry %d of %v is found %d times", seq, truth, found)
		}
	}
}
