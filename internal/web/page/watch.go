package page

import (
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
)

// Watch asks the daemon how it is, once for all pages that want to know: twenty open
// pages cost the daemon what one does.
type Watch struct {
	daemon func(context.Context) (control.Status, error)

	mu      sync.Mutex
	at      time.Time
	status  control.Status
	err     error
	changed chan struct{} // closed when there is something new
	viewers int
	wake    chan struct{}
}

// Fresh is how old an answer may be that a page shows; Look is how often a page that is
// live looks.
const (
	Fresh = time.Second
	Look  = 2 * time.Second
)

// NewWatch asks by a client's Status, or what a test has for it.
func NewWatch(daemon func(context.Context) (control.Status, error)) *Watch {
	return &Watch{daemon: daemon, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// Now returns the state of the gateway, at most Fresh old.
func (w *Watch) Now(ctx context.Context) (control.Status, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at.IsZero() && time.Since(w.at) < Fresh {
		return w.status, w.err
	}
	return w.ask(ctx)
}

// ask asks the daemon. The caller holds mu. A caller who went away is no answer.
func (w *Watch) ask(ctx context.Context) (control.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, Wait)
	defer cancel()
	st, err := w.daemon(caller.With(ctx, caller.Caller{Role: caller.Page})) // for all who look
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return st, err
	}
	w.at, w.status, w.err = time.Now(), st, err
	close(w.changed)
	w.changed = make(chan struct{})
	return st, err
}

// Forget has the next page that looks ask anew: something was just done.
func (w *Watch) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = time.Time{}
}

// Next waits until there is a newer state, or ctx ends.
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

// Run looks while somebody is looking, until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(Look):
		}
		w.mu.Lock()
		if w.viewers > 0 {
			_, _ = w.ask(ctx)
		}
		w.mu.Unlock()
	}
}

// Wait is how long the page waits for an answer of the daemon that waits for nobody.
const Wait = 10 * time.Second

// ToDo is the list of a status. A daemon from before there were codes has sentences alone.
func ToDo(st control.Status) []control.ToDo {
	list := st.ToDo
	if len(list) == 0 {
		for _, text := range st.Problems {
			list = append(list, control.ToDo{Text: text})
		}
	}
	return list
}

// Alarms counts the doors that somebody should look at.
func Alarms(st control.Status) (n int) {
	for _, d := range st.Doors {
		if d.State != DoorNormal {
			n++
		}
	}
	return n
}

// DoorNormal is the state of a door at which nothing is wrong, whoever goes through it.
const DoorNormal = "normal"
