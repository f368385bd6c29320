// Package watch has the daemon's status for all screens that show it, and what they count in it.
//
// It refuses to ask the daemon more often the more pages are open.
package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/backoff"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
)

// Watch asks the daemon for its status, once for all pages that show it: twenty open pages cost the
// daemon as much as one.
type Watch struct {
	daemon func(context.Context) (control.Status, error)

	mu      sync.Mutex
	at      time.Time
	status  control.Status
	err     error
	changed chan struct{} // closed when there is a newer status
	viewers int
	wake    chan struct{}
}

// Fresh is the most age of a status that a page shows; Look is how often a live page asks for it.
const (
	Fresh = time.Second
	Look  = 2 * time.Second
)

// New returns a Watch that asks with daemon: a client's Status, or a test's.
func New(daemon func(context.Context) (control.Status, error)) *Watch {
	return &Watch{daemon: daemon, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Now returns the status of the gateway, at most Fresh old.
func (w *Watch) Now(ctx context.Context) (control.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && time.Since(w.at) < Fresh {
		return w.status, w.err
	}
	return w.ask(ctx)
}

// ask asks the daemon. The caller holds mu. The result is dropped if ctx was cancelled.
func (w *Watch) ask(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, Wait)
	defer cancel()
	st, err := w.daemon(caller.With(ctx, caller.Caller{Role: caller.Page})) // on behalf of all viewers
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return st, err
	}
	w.at, w.status, w.err = time.Now(), st, err
	close(w.changed)
	w.changed = make(chan struct{})
	return st, err
}

// Forget makes the next Now ask again, since something was just done.
func (w *Watch) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = time.Time{}
}

// Next waits for a newer status; false when ctx has ended.
func (w *Watch) Next(ctx context.Context) bool {
	w.mu.Lock()
	w.viewers++
	changed := w.changed
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	defer func() {
		w.mu.Lock()
		w.viewers--
		w.mu.Unlock()
	}()
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// Run asks every Look as long as Next has callers, until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		if !backoff.Sleep(ctx, Look) {
			return
		}
		w.mu.Lock()
		if w.viewers > 0 {
			_, _ = w.ask(ctx)
		}
		w.mu.Unlock()
	}
}

// Wait is the timeout of requests to the daemon that wait for no person.
const Wait = 10 * time.Second

// ToDo returns the to-do list of a status. A daemon from before there were codes has only
// sentences.
func ToDo(st control.Status) []control.ToDo {
	list := st.ToDo
	if len(list) == 0 {
		for _, text := range st.Problems {
			list = append(list, control.ToDo{Text: text})
		}
	}
	return list
}

// Alarms returns the number of doors that need attention.
func Alarms(st control.Status) (n int) {
	for _, d := range st.Doors {
		if d.State != DoorNormal {
			n++
		}
	}
	return n
}

// DoorNormal is the state of a door without a fault or alarm, whoever goes through it.
const DoorNormal = "normal"
