package uplink

import (
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

const noLinkAfter = 10 * time.Minute

// debt is what the registry owes a word on.
type debt int

const (
	owesAck    debt = iota // of a hello or of batches
	owesRecord             // of a tenancy record
	debts
)

// alarm says in the journal that the registry does not confirm what it is sent.
// It changes nothing at the doors. Its methods return the entries that are to be
// made, in order.
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

// progress notes that the registry confirmed something of one kind. An overdue word of the
// other keeps the alarm: its own entry must not end it.
func (a *alarm) progress(of debt, now time.Time) []wire.Header {
	a.owed[of] = time.Time{}
	if other := a.owed[1-of]; other.IsZero() || now.Sub(other) < noAnswerAfter {
		return a.clear()
	}
	return nil
}

// judge raises the alarm and takes it back, and returns when to ask again. A hello
// that is answered is no progress while entries wait: a broker may let the one
// through and not the other.
func (a *alarm) judge(c *connection, waits [debts]bool, now time.Time) (acts []wire.Header, next time.Time) {
	for d := range debts {
		due := a.due(d, c)
		switch {
		case !waits[d]:
			acts = append(acts, a.progress(d, now)...)
		case a.owed[d].IsZero():
			a.owed[d] = now
			next = now.Add(time.Second)
		case now.Before(due):
			next = timing.Earlier(next, due)
		default:
			acts = append(acts, a.overdue(d, c, now)...)
		}
	}
	if a.quiet {
		next = timing.Earlier(next, c.hours(now).Add(noAnswerAfter))
	}
	return acts, next
}

// overdue raises the alarm for a word that has not come in time.
func (a *alarm) overdue(d debt, c *connection, now time.Time) []wire.Header {
	entriesAlone := d == owesAck && c.phase != greeting && !c.hoursMissed(now)
	switch {
	case a.raised == wire.ReasonNone && c.up:
		a.quiet = entriesAlone
		return a.raise(wire.ReasonNoAnswer)
	case a.raised == wire.ReasonNone:
		return a.raise(wire.ReasonNoLink)
	case a.quiet && !c.up:
		return a.tell(wire.ReasonNoLink)
	case a.quiet && !entriesAlone:
		return a.tell(wire.ReasonNoAnswer)
	}
	return nil
}

// tell raises an alarm that everybody sees, also where there is a quiet one.
func (a *alarm) tell(why wire.Reason) []wire.Header {
	a.quiet, a.raised = false, wire.ReasonNone
	return a.raise(why)
}

// due is when a debt becomes an alarm.
func (a *alarm) due(d debt, c *connection) time.Time {
	since := a.owed[d]
	if !c.up {
		return since.Add(noLinkAfter)
	}
	if c.since.After(since) {
		since = c.since
	}
	return since.Add(noAnswerAfter)
}

// raise raises it, unless it is up for the same reason.
func (a *alarm) raise(why wire.Reason) []wire.Header {
	if a.raised == why {
		return nil
	}
	a.raised = why
	return []wire.Header{{Kind: wire.KindUplink, Outcome: wire.OutcomeActive, Reason: why, Source: a.source()}}
}

// differ raises it because the registry has another copy of the journal.
func (a *alarm) differ(why wire.Reason) []wire.Header {
	a.quiet = false
	return a.raise(why)
}

func (a *alarm) source() string {
	if a.quiet {
		return EntriesAlone
	}
	return ""
}

func (a *alarm) clear() []wire.Header {
	if a.raised == wire.ReasonNone {
		return nil
	}
	end := wire.Header{Kind: wire.KindUplink, Outcome: wire.OutcomeIdle, Reason: a.raised, Source: a.source()}
	a.raised, a.quiet = wire.ReasonNone, false
	return []wire.Header{end}
}
