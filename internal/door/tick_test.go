package door_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/door"
)

// stuck is a lock that, from a moment on, never comes back from being driven.
type stuck struct {
	device.Lock
	hangs atomic.Bool
	free  chan struct{}
}

func (s *stuck) Release() error {
	if s.hangs.Load() {
		<-s.free
	}
	return s.Lock.Release()
}

// TestTicks: the loop ticks also when nothing happens, as often as it is asked to, and goes
// on while a record waits for a dead disk; it does not tick any more when its lock hangs.
func TestTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ticks atomic.Int64
		var lock *stuck
		b := start(t, func(c *door.Config, p *door.Parts) {
			lock = &stuck{Lock: p.Lock, free: make(chan struct{})}
			c.Tick, p.Lock, p.Tick = 2*time.Second, lock, func() { ticks.Add(1) }
		})
		within := func(d time.Duration) int64 {
			before := ticks.Load()
			time.Sleep(d)
			synctest.Wait()
			return ticks.Load() - before
		}
		if n := within(time.Minute); n != 30 {
			t.Errorf("%d ticks in a quiet minute, want 30", n)
		}
		b.book.delay = time.Hour
		b.swipe("in", known)
		if n := within(time.Minute); n < 30 {
			t.Errorf("%d ticks in a minute in which a record waits for the disk, want 30", n)
		}
		lock.hangs.Store(true)
		b.input(device.InputExit, true)
		if n := within(time.Hour); n != 0 {
			t.Errorf("%d ticks while the lock hangs", n)
		}
		close(lock.free)
	})
}
