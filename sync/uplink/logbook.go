package uplink

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

// logbook writes the uplink's own events into the journal and the log.
type logbook struct {
	journal  entries.Journal
	log      zerolog.Logger
	alarm    alarm
	refusals refusals
}

func (l *logbook) record(list []wire.Header) {
	for _, h := range list {
		l.journal.Queue(h, wire.Who{})
	}
}

func (l *logbook) refuse(source string, err error) {
	if l.refusals.add(source, reasonOf(err)) {
		l.log.Warn().Err(err).Str("type", source).Msg("message refused")
	}
}

// refused records refused messages, and the messages of newcomers that no document has explained in
// time. It returns when to be called again.
func (l *logbook) refused(n *newcomers, now time.Time) time.Time {
	list, again := n.unexplained(now)
	for _, u := range list {
		for range u.n {
			l.refuse(u.kind, u.why)
		}
	}
	due, next := l.refusals.due(now)
	l.record(due)
	return timing.Earlier(next, again)
}

// proved records that a list is active, and before it the lists that were refused.
func (l *logbook) proved(proof []wire.Header, now time.Time) {
	if proof != nil {
		l.record(l.refusals.ofLists(now))
		l.record(proof)
	}
}

func (l *logbook) confirmed(of reply, now time.Time) { l.tell(l.alarm.progress(of, now)) }

func (l *logbook) differs(why wire.Reason) { l.tell(l.alarm.differ(why)) }

func (l *logbook) judge(c *connection, waits [replies]bool, now time.Time) time.Time {
	acts, next := l.alarm.judge(c, waits, now)
	l.tell(acts)
	return next
}

func (l *logbook) tell(list []wire.Header) {
	for _, h := range list {
		if h.Outcome == wire.OutcomeActive {
			l.log.Error().Str("reason", h.Reason.String()).Msg("the registry does not confirm what is sent to it")
		} else {
			l.log.Info().Str("reason", h.Reason.String()).Msg("the registry confirms again")
		}
	}
	l.record(list)
}
