package uplink

import (
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

const noLinkAfter = 10 * time.Minute

// reply is a kind of answer that the registry has to give.
type reply int

const (
	replyAck    reply = iota // of a hello or of batches
	replyRecord              // of a tenancy record
	replies
)

// alarm says in the journal that the registry does not confirm what it is sent. It changes nothing
// at the doors. Its methods return the entries to be made, in order.
type alarm struct {
	since  [replies]time.Time // since when an answer is awaited; zero: none is
	raised wire.Reason        // ReasonNone: no alarm
	// quiet marks an alarm that entries alone have raised: without passages in the house it would
	// not have been raised yet. Owners are told only when a scheduled hello isn't answered.
	quiet bool
}

// EntriesAlone is the source of the entry of a quiet alarm. Such an entry says when somebody came,
// so it is not shown to owners.
const EntriesAlone = "entries"

// progress notes that the registry gave one kind of answer. An overdue answer of the other kind
// keeps the alarm: its own entry must not end it.
func (a *alarm) progress(of reply, now time.Time) []wire.Header {
	a.since[of] = time.Time{}
	if other := a.since[1-of]; other.IsZero() || now.Sub(other) < noAnswerAfter {
		return a.clear()
	}
	return nil
}

// judge raises and ends the alarm, and returns when to ask again. An answered hello is no progress
// while entries wait: a broker may pass the one and not the other.
func (a *alarm) judge(c *connection, waits [replies]bool, now time.Time) (acts []wire.Header, next time.Time) {
	for d := range replies {
		due := a.due(d, c)
		switch {
		case !waits[d]:
			acts = append(acts, a.progress(d, now)...)
		case a.since[d].IsZero():
			a.since[d] = now
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

// overdue raises the alarm for an answer that has not come in time.
func (a *alarm) overdue(d reply, c *connection, now time.Time) []wire.Header {
	entriesAlone := d == replyAck && c.phase != greeting && !c.hoursMissed(now)
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

// tell raises an alarm that everybody sees, also in place of a quiet one.
func (a *alarm) tell(why wire.Reason) []wire.Header {
	a.quiet, a.raised = false, wire.ReasonNone
	return a.raise(why)
}

// due returns when a missing answer becomes an alarm.
func (a *alarm) due(d reply, c *connection) time.Time {
	since := a.since[d]
	if !c.up {
		return since.Add(noLinkAfter)
	}
	if c.since.After(since) {
		since = c.since
	}
	return since.Add(noAnswerAfter)
}

func (a *alarm) raise(why wire.Reason) []wire.Header {
	if a.raised == why {
		return nil
	}
	a.raised = why
	return []wire.Header{{Kind: wire.KindUplink, Outcome: wire.OutcomeActive, Reason: why, Source: a.source()}}
}

// differ raises the alarm because the registry has another copy of the journal.
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
