package watchdog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const within = 10 * time.Second

// TestOneHangsNobodyFeeds: with every loop ticking, also when nothing happens, the manager
// is fed in time; from the moment at which one hangs it is not fed again, however often the
// others tick.
func TestOneHangsNobodyFeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fed []time.Time
		w := New(within, func() { fed = append(fed, time.Now()) })
		ctx, stop := context.WithCancel(t.Context())
		hang := make(chan struct{})
		loop := func(tick func(), every time.Duration, until <-chan struct{}) {
			for t := time.NewTicker(every); ; {
				tick()
				select {
				case <-t.C:
				case <-until:
					return
				case <-ctx.Done():
					return
				}
			}
		}
		go loop(w.Loop(), w.Each(), hang)
		go loop(w.Loop(), w.Each(), nil)
		go loop(w.Loop(), 100*time.Millisecond, nil) // a busy door
		ended := make(chan struct{})
		go func() { defer close(ended); w.Run(ctx) }()
		begin := time.Now()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		last := begin
		for _, at := range fed {
			if gap := at.Sub(last); gap > within/2 {
				t.Fatalf("not fed for %v", gap)
			}
			last = at
		}
		if len(fed) == 0 || len(fed) > 8*60 {
			t.Errorf("fed %d times in ten minutes", len(fed))
		}
		if !fed[0].Equal(begin) {
			t.Errorf("fed first after %v: the manager hears late that the doors are served", fed[0].Sub(begin))
		}
		close(hang)
		synctest.Wait()
		hung := time.Now()
		time.Sleep(time.Hour)
		synctest.Wait()
		// What it ticked before it hung may feed once more.
		if late := fed[len(fed)-1].Sub(hung); late > within/2 {
			t.Errorf("fed %v after a door hung", late)
		}
		stop()
		<-ended
	})
}

// TestNeverFedBeforeAllTicked: a door that has not come to its loop is not served.
func TestNeverFedBeforeAllTicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fed := 0
		w := New(within, func() { fed++ })
		first, second := w.Loop(), w.Loop()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); w.Run(ctx) }()
		for range 100 {
			first()
			time.Sleep(time.Second)
		}
		if fed != 0 {
			t.Errorf("fed %d times before the second door's loop began", fed)
		}
		second()
		synctest.Wait()
		if fed != 1 {
			t.Errorf("fed %d times when both had ticked", fed)
		}
		stop()
		<-ended
	})
}

// TestNone: without a watchdog loops tick for nothing.
func TestNone(t *testing.T) {
	var w *Watchdog
	w.Loop()()
	w.Run(t.Context())
	if w.Each() != 0 {
		t.Error(w.Each())
	}
}
