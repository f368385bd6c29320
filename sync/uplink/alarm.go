package uplink

import (
	"context"
	"time"

	"gatehouse/sync/wire"
)

const (
	noAnswerAfter = 30 * time.Second
	noLinkAfter   = 10 * time.Minute
)

// alarm says in the journal that the registry does not confirm what it is sent.
// It changes nothing at the doors.
type alarm struct {
	owed   time.Time   // since when something waits for an answer
	raised wire.Reason // ReasonNone: no alarm
}

// progress is called when the registry confirmed something.
func (a *actor) progress() {
	a.owed = time.Time{}
	a.clear()
}

// judge raises the alarm and takes it back. A hello that is answered is no
// progress while entries wait: a broker may let the one through and not the other.
func (a *actor) judge(_ context.Context, now time.Time) time.Time {
	if a.up && a.ready && len(a.flight) == 0 && !a.delivering() && (a.raised == wire.ReasonNone || a.inStep()) {
		a.progress()
		return time.Time{}
	}
	if a.owed.IsZero() {
		a.owed = now
	}
	long := a.owed.Add(noLinkAfter)
	if a.up {
		long = later(a.owed, a.upSince).Add(noAnswerAfter)
	}
	switch {
	case now.Before(long):
		return long
	case a.raised != wire.ReasonNone:
		return time.Time{}
	case a.up:
		a.raise(wire.ReasonNoAnswer)
	default:
		a.raise(wire.ReasonNoLink)
	}
	return time.Time{}
}

// inStep says whether the registry has all that is here.
func (a *actor) inStep() bool { return a.o.Journal.Status().Position == a.cursor }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (a *actor) raise(why wire.Reason) {
	if a.raised == why {
		return
	}
	a.raised = why
	a.o.Log.Error().Str("reason", why.String()).Msg("the registry does not confirm what is sent to it")
	a.o.Journal.Queue(wire.Header{Kind: wire.KindUplink, Outcome: wire.OutcomeActive, Reason: why}, wire.Who{})
}

func (a *actor) clear() {
	if a.raised == wire.ReasonNone {
		return
	}
	a.o.Log.Info().Str("reason", a.raised.String()).Msg("the registry confirms again")
	a.o.Journal.Queue(wire.Header{Kind: wire.KindUplink, Outcome: wire.OutcomeIdle, Reason: a.raised}, wire.Who{})
	a.raised = wire.ReasonNone
}
