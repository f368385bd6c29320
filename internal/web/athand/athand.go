// Package athand keeps who has shown at the first run, by an exit button, to have the gateway at hand:
// each browser its own watch, of which there is one at a time.
//
// It refuses a proof of another browser, one that is older than five minutes, and any once the house has
// its owner.
package athand

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/control"
)

// Good is for how long a proof is one.
const Good = 5 * time.Minute

// late is how much later than it should a daemon may answer.
const late = 10 * time.Second

// ErrBusy: somebody else's watch goes on.
var ErrBusy = errors.New("somebody else is asked already to hold an exit button")

// State is how a watch stands.
type State struct {
	Waiting bool
	Left    time.Duration // until it is over, while it waits
	control.ExitHeld
	Err error // why the daemon did not answer
}

// Watches are those of a page. The zero value has none. Safe for concurrent use.
type Watches struct {
	running sync.WaitGroup

	mu    sync.Mutex
	owned bool // the house has its owner
	now   *watch
	all   map[string]*watch // by their ids
}

// watch is one of them.
type watch struct {
	began  time.Time
	cancel context.CancelFunc
	over   time.Time // zero: it waits
	held   control.ExitHeld
	err    error
}

// Begin has the daemon watch, and returns the watch's id, which the browser that asked keeps to itself.
// ask waits for the daemon; its context is not that of the request which began it.
func (w *Watches) Begin(ctx context.Context, ask func(context.Context) (control.ExitHeld, error)) (id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now != nil || w.owned {
		return "", ErrBusy
	}
	for id, x := range w.all {
		if time.Since(x.over) > Good {
			delete(w.all, id)
		}
	}
	if w.all == nil {
		w.all = map[string]*watch{}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), control.ExitWatch+late)
	id, x := rand.Text(), &watch{began: time.Now(), cancel: cancel}
	w.now, w.all[id] = x, x
	w.running.Go(func() {
		defer cancel()
		held, err := ask(ctx)
		w.mu.Lock()
		defer w.mu.Unlock()
		x.held, x.err, x.over, w.now = held, err, time.Now(), nil
	})
	return id, nil
}

// Of is how a watch stands; false: there is none of that id.
func (w *Watches) Of(id string) (s State, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.all[id]
	if x == nil {
		return s, false
	}
	if x.over.IsZero() {
		return State{Waiting: true, Left: max(control.ExitWatch-time.Since(x.began), 0)}, true
	}
	return State{ExitHeld: x.held, Err: x.err}, true
}

// Proved reports whether the watch of an id has a proof that is good still.
func (w *Watches) Proved(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.all[id]
	return x != nil && x.held.Held && x.err == nil && time.Since(x.over) < Good
}

// End ends the watch that goes on, and every proof: the house has its owner, or the page ends. It does
// not wait; Close does.
func (w *Watches) End() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owned = true
	if w.now != nil {
		w.now.cancel()
	}
	clear(w.all)
}

// Close is End, and returns when nobody asks the daemon any more.
func (w *Watches) Close() {
	w.End()
	w.running.Wait()
}
