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

// debt is what the registry owes a word on.
type debt int

const (
	entries debt = iota // a hello or batches
	changes             // a tenancy record
	debts
)

// alarm says in the journal that the registry does not confirm what it is sent.
// It changes nothing at the doors.
type alarm struct {
	owed   [debts]time.Time // since when it waits for an answer; zero: it does not
	raised wire.Reason      // ReasonNone: no alarm
}

// progress is called when the registry confirmed something. The one kind does
// not pay for the other: the alarm's own entry must not end the alarm.
func (a *actor) progress(of debt) {
	a.owed[of] = time.Time{}
	if other := a.owed[1-of]; other.IsZero() || time.Since(other) < noAnswerAfter {
		a.clear()
	}
}

// judge raises the alarm and takes it back. A hello that is answered is no
// progress while entries wait: a broker may let the one through and not the other.
func (a *actor) judge(_ context.Context, now time.Time) (next time.Time) {
	waits := [debts]bool{
		entries: !a.up || !a.ready || len(a.flight) > 0 || a.raised != wire.ReasonNone && !a.inStep(),
		changes: len(a.records) > 0,
	}
	for d := range debts {
		switch due := a.due(d); {
		case !waits[d]:
			a.progress(d)
		case a.owed[d].IsZero():
			a.owed[d] = now
			next = now.Add(time.Second)
		case now.Before(due):
			next = earlier(next, due)
		case a.raised == wire.ReasonNone && a.up:
			a.raise(wire.ReasonNoAnswer)
		case a.raised == wire.ReasonNone:
			a.raise(wire.ReasonNoLink)
		}
	}
	return next
}

// due is when a debt becomes an alarm.
func (a *actor) due(d debt) time.Time {
	if !a.up {
		return a.owed[d].Add(noLinkAfter)
	}
	since := a.owed[d]
	if a.upSince.After(since) {
		since = a.upSince
	}
	return since.Add(noAnswerAfter)
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// inStep says whether the registry has all that is here.
func (a *actor) inStep() bool { return a.o.Journal.Status().Position == a.cursor }

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
