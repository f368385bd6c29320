package web

import (
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
)

// watch asks the daemon how it is, once for all pages that want to know: twenty open
// pages cost the daemon what one does.
type watch struct {
	daemon *control.Client

	mu      sync.Mutex
	at      time.Time
	status  control.Status
	err     error
	changed chan struct{} // closed when there is something new
	viewers int
	wake    chan struct{}
}

// fresh is how old an answer may be that a page shows; look is how often a page that is
// live looks.
const (
	fresh = time.Second
	look  = 2 * time.Second
)

func newWatch(daemon *control.Client) *watch {
	return &watch{daemon: daemon, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// now returns the state of the gateway, at most `fresh` old.
func (w *watch) now(ctx context.Context) (control.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && time.Since(w.at) < fresh {
		return w.status, w.err
	}
	return w.ask(ctx)
}

// ask asks the daemon. The caller holds mu. A caller who went away is no answer.
func (w *watch) ask(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	st, err := w.daemon.Status(caller.With(ctx, caller.Caller{Role: caller.Page})) // for all who look
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return st, err
	}
	w.at, w.status, w.err = time.Now(), st, err
	close(w.changed)
	w.changed = make(chan struct{})
	return st, err
}

// next waits until there is a newer state, or ctx ends.
func (w *watch) next(ctx context.Context) bool {
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

// run looks while somebody is looking, until ctx ends.
func (w *watch) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
		w.mu.Lock()
		if w.viewers > 0 {
			_, _ = w.ask(ctx)
		}
		w.mu.Unlock()
	}
}

// wait is how long the page waits for an answer of the daemon that waits for nobody.
const wait = 10 * time.Second

// toDoOf is the list of a status. A daemon from before there were codes has sentences alone.
func toDoOf(st control.Status) []control.ToDo {
	list := st.ToDo
	if len(list) == 0 {
		for _, text := range st.Problems {
			list = append(list, control.ToDo{Text: text})
		}
	}
	return list
}
