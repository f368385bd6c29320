// Package watchdog proves that every door's loop goes round: each loop ticks by itself, and the
// service manager is fed only when all of them have ticked since the last time.
//
// It refuses to watch anything else: a stuck reader, network or disk is out of order, and no reason
// to restart a daemon whose doors are served.
package watchdog

import (
	"context"
	"time"
)

// Watchdog feeds the service manager. Make it with New, have every loop watched, then run it
// once with Run.
type Watchdog struct {
	within time.Duration
	feed   func()
	loops  []chan struct{} // each holds a tick at most
}

// New makes a Watchdog for a service manager that must be fed at least once within a time. feed
// must not block for long.
func New(within time.Duration, feed func()) *Watchdog { return &Watchdog{within: within, feed: feed} }

// Each returns the period at which a loop has to tick: short enough that one late tick does not end
// the daemon. 0 without a watchdog.
func (w *Watchdog) Each() time.Duration {
	if w == nil {
		return 0
	}
	return w.within / 4
}

// Loop registers a further loop and returns its tick, which never blocks. It must be called before
// Run. Without a watchdog the tick does nothing.
func (w *Watchdog) Loop() (tick func()) {
	if w == nil {
		return func() {}
	}
	ticked := make(chan struct{}, 1)
	w.loops = append(w.loops, ticked)
	return func() {
		select {
		case ticked <- struct{}{}:
		default: // it has ticked already since the last feeding
		}
	}
}

// Run feeds until ctx ends, for the first time when every loop has ticked once.
func (w *Watchdog) Run(ctx context.Context) {
	if w == nil {
		return
	}
	for w.round(ctx) {
		w.feed()
		select {
		case <-time.After(w.within / 8): // a busy door ticks far more often than needed
		case <-ctx.Done():
		}
		w.forget()
	}
}

// round waits until every loop has ticked; false: ctx ended before.
func (w *Watchdog) round(ctx context.Context) bool {
	for _, ticked := range w.loops {
		select {
		case <-ticked:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// forget drops ticks that came before the next round.
func (w *Watchdog) forget() {
	for _, ticked := range w.loops {
		select {
		case <-ticked:
		default:
		}
	}
}
