package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/athand"
	"gatehouse/internal/web/page"
)

// keyWatch is what a session knows its watch of exit buttons by.
const keyWatch = "watch"

// watch is that of the session.
func (e entry) watch(v *page.Visit) string { return e.Sessions.GetString(v.Context(), keyWatch) }

// hold begins to watch for an exit button that somebody holds, in the place of the code. The session
// gets another token: who knew the one before has no part in it.
func (e entry) hold(v *page.Visit) error {
	s, found := e.hand.Of(e.watch(v))
	switch {
	case e.Accounts.Claimed():
		return e.owned(v)
	case found && s.Waiting, e.hand.Proved(e.watch(v)):
		v.Redirect("/welcome/exit")
		return nil
	case !e.Tries.Allow(v.RemoteAddr, ""):
		return v.ShowStatus(http.StatusTooManyRequests, "welcome", e.first(v, "page.too_fast"))
	}
	id, err := e.hand.Begin(v.Context(), func(ctx context.Context) (control.ExitHeld, error) {
		return control.WatchExit(caller.With(ctx, caller.Caller{Role: caller.Page}), e.Daemon)
	})
	if errors.Is(err, athand.ErrBusy) {
		return v.ShowStatus(http.StatusConflict, "welcome", e.first(v, "entry.exit_busy"))
	}
	if err == nil {
		err = e.Sessions.RenewToken(v.Context())
	}
	if err != nil {
		return err
	}
	e.Sessions.Put(v.Context(), keyWatch, id)
	v.Redirect("/welcome/exit")
	return nil
}

// exitView is a watch as the page shows it.
type exitView struct {
	Waiting bool
	Left    int // seconds
	Stuck   bool
	Said    *page.Advice // why there was no watch
}

// Done is for how many seconds it goes on already.
func (x exitView) Done() int { return x.All() - x.Left }

// All is how long it may go on, in seconds.
func (x exitView) All() int { return int(control.ExitWatch / time.Second) }

func (e entry) exitView(v *page.Visit, s athand.State) exitView {
	out := exitView{Waiting: s.Waiting, Left: int((s.Left + time.Second - 1) / time.Second), Stuck: s.Stuck, Said: v.Advice(s.Err, 0)}
	if told := (*socket.Error)(nil); s.Err != nil && !errors.As(s.Err, &told) { // it broke off
		out.Said = v.Words("entry.exit_cut", 0)
	}
	return out
}

// exit shows a watch, and leads on from one that proved something.
func (e entry) exit(v *page.Visit) error {
	s, found := e.hand.Of(e.watch(v))
	switch {
	case e.Accounts.Claimed():
		return e.owned(v)
	case !found, e.hand.Proved(e.watch(v)):
		v.Redirect("/welcome")
		return nil
	case s.Held:
		return v.ShowStatus(http.StatusUnprocessableEntity, "welcome", e.first(v, "entry.exit_over"))
	}
	return v.Show("exit", e.exitView(v, s))
}

// exitEach is how often a page that is live looks at its watch.
const exitEach = time.Second

// exitLive sends how long the watch goes on, and at its end where to look.
func (e entry) exitLive(v *page.Visit) error {
	ended := false
	look := func() (any, bool) {
		s, _ := e.hand.Of(e.watch(v))
		ended = !s.Waiting
		return e.exitView(v, s), true
	}
	return v.Live("exit", look, func() bool {
		select {
		case <-time.After(exitEach):
			return !ended
		case <-v.Context().Done():
			return false
		}
	})
}
