// Package reception is the desk of a house on the page: one visit at a time, step by step, each
// step with its own form. A person's data stay in memory, for that visit only.
//
// It never returns a name, the number of a document or a PIN: they go only to the daemon. It never
// does a step twice: a form that was sent again, or from an earlier page, changes nothing.
package reception

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
)

// Idle is how long a visit may be unused before it ends, and its data are wiped.
const Idle = 10 * time.Minute

// answerTimeout is the timeout of requests to the daemon that wait for no person.
const answerTimeout = 20 * time.Second

// ErrUnfinished means that this session has another unfinished visit.
var ErrUnfinished = errors.New("another visit of this session is not finished")

// Counter has the page's visit, if there is one. It is safe for concurrent use.
type Counter struct {
	daemon *control.Client

	mu    sync.Mutex
	visit *Visit
}

// NewCounter returns a Counter without a visit.
func NewCounter(daemon *control.Client) *Counter { return &Counter{daemon: daemon} }

// Of returns the visit of a session and restarts its Idle time; nil if it has none.
func (c *Counter) Of(session string) *Visit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if session == "" || c.visit == nil || c.visit.session != session {
		return nil
	}
	c.visit.idle.Reset(Idle)
	return c.visit
}

// Taken reports whether there is a visit, whoever's.
func (c *Counter) Taken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.visit != nil
}

// Begin opens a visit of a session for a purpose and a tenancy (empty for a check-in), and ends the
// session's earlier one, unless that is for the same, which is then returned. The error is
// ErrUnfinished, or the daemon's: with Conflict somebody else is at the desk.
func (c *Counter) Begin(ctx context.Context, session string, p Purpose, tenancy string, takeOver bool) (*Visit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if old := c.visit; old != nil && old.session == session && old.Step() != Done {
		switch {
		case old.is(p, tenancy):
			return old, nil
		case old.begun():
			return nil, ErrUnfinished
		}
		c.drop(ctx)
	}
	v := newVisit(c.daemon, session, p, caller.Of(ctx))
	if tenancy != "" {
		t, err := c.daemon.Tenancy(ctx, tenancy)
		if err != nil {
			return nil, err
		}
		v.state.change.Tenancy, v.state.tenancy = t.ID, t
	}
	d, err := c.daemon.OpenDesk(ctx, control.DeskRequest{TakeOver: takeOver})
	if err != nil {
		return nil, err
	}
	c.drop(ctx)
	v.state.desk = d
	c.sit(v)
	return v, nil
}

// sit makes a visit the present one, until it is idle. The caller holds mu.
func (c *Counter) sit(v *Visit) {
	v.idle = time.AfterFunc(Idle, func() { c.expire(v) })
	c.visit = v
}

// End ends the visit of a session with a token (empty: whichever it is), whatever its state.
func (c *Counter) End(ctx context.Context, session, token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.visit != nil && c.visit.session == session && (token == "" || c.visit.Token == token) {
		c.drop(ctx)
	}
}

// Close ends the present visit, since the page ends.
func (c *Counter) Close(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(ctx)
}

// expire wipes a visit that was idle. The daemon ends its own by itself.
func (c *Counter) expire(v *Visit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.visit == v {
		c.visit = nil
		v.forget()
	}
}

// drop ends the present visit, here and at the daemon. The caller holds mu.
func (c *Counter) drop(ctx context.Context) {
	v := c.visit
	if v == nil {
		return
	}
	c.visit = nil
	v.idle.Stop()
	v.leave(ctx)
	v.forget()
}

func newVisit(daemon *control.Client, session string, p Purpose, by caller.Caller) *Visit {
	ctx, cancel := context.WithCancel(context.Background())
	v := &Visit{Token: rand.Text(), session: session, daemon: daemon, by: by, purpose: p, turn: make(chan struct{}, 1), over: ctx, end: cancel}
	v.state.change.Action = actions[p]
	return v
}
