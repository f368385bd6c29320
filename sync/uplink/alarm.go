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
	// quiet is an alarm that came of entries alone: in a house where nobody walked it
	// would not be there yet. Owners are told when a hello of the hours isn't answered.
	quiet bool
}

// EntriesAlone is the source of an entry about an alarm that is quiet: it says when
// somebody came, and is not for owners.
const EntriesAlone = "entries"

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
			a.quiet = d == entries && a.inTouch && !a.hoursMissed(now)
			a.raise(wire.ReasonNoAnswer)
		case a.raised == wire.ReasonNone:
			a.raise(wire.ReasonNoLink)
		case a.quiet && !a.up:
			a.tell(wire.ReasonNoLink)
		case a.quiet && (d == changes || !a.inTouch || a.hoursMissed(now)):
			a.tell(wire.ReasonNoAnswer)
		}
	}
	if a.quiet {
		next = earlier(next, a.hours(now).Add(noAnswerAfter))
	}
	return next
}

// hours is the next time at which a hello is said in any case, whoever walked: they
// stand still from the connect on.
func (a *actor) hours(now time.Time) time.Time {
	passed := now.Sub(a.upSince) / greetEvery * greetEvery
	return a.upSince.Add(passed + greetEvery)
}

// hoursMissed reports whether the last of these was not answered in time.
func (a *actor) hoursMissed(now time.Time) bool {
	last := a.hours(now).Add(-greetEvery)
	return a.settledAt.Before(last) && now.Sub(last) >= noAnswerAfter
}

// tell makes a quiet alarm one that everybody sees.
func (a *actor) tell(why wire.Reason) {
	a.quiet, a.raised = false, wire.ReasonNone
	a.raise(why)
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
	a.o.Journal.Queue(wire.Header{Kind: wire.KindUplink, Outcome: wire.OutcomeActive, Reason: why, Source: a.source()}, wire.Who{})
}

func (a *actor) source() string {
	if a.quiet {
		return EntriesAlone
	}
	return ""
}

func (a *actor) clear() {
	if a.raised == wire.ReasonNone {
		return
	}
	a.o.Log.Info().Str("reason", a.raised.String()).Msg("the registry confirms again")
	a.o.Journal.Queue(wire.Header{Kind: wire.KindUplink, Outcome: wire.OutcomeIdle, Reason: a.raised, Source: a.source()}, wire.Who{})
	a.raised, a.quiet = wire.ReasonNone, false
}
