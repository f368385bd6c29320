package entries

import (
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// holdMost is how long an entry of a passage waits for those that follow it, so that a passage is
// one or two batches and not five. With the journal's own 1.25 s, and one message lost and
// repeated (repeatAfter), each is at the registry within 5 s, as GB 50396 asks.
const holdMost = 2 * time.Second

// hold decides when a batch that is not full is made: not before the sender has nothing in flight,
// and not before the entries that follow had time to come. Only entries that were seen as they came
// are held: a backlog is not, nor what else than a passage happened, such as an alarm.
type hold struct {
	gather time.Duration // for entries that are stored in the same moment
	live   bool          // all that came before was packed
	until  time.Time     // zero: not held
	asked  time.Time     // when the sender was first idle; zero: it is busy
}

// came notes entries that were read behind others that wait.
func (h *hold) came(list []journaled.Entry, behind int, now time.Time) {
	if len(list) > 0 && behind == 0 && h.live {
		h.until = now.Add(holdMost)
	}
	for _, e := range list {
		if !ofPassage(e.Header) {
			h.until = time.Time{}
		}
	}
}

// caughtUp notes that everything was packed.
func (h *hold) caughtUp() { h.live = true }

// packed begins anew for the entries behind a batch; full: there was more than fits into it.
func (h *hold) packed(full bool) { *h = hold{gather: h.gather, live: !full} }

// idle notes that the sender has nothing in flight.
func (h *hold) idle(now time.Time) {
	if h.asked.IsZero() {
		h.asked = now
	}
}

// end returns when the batch is to be made; zero: not before the sender is idle.
func (h *hold) end() time.Time {
	if h.asked.IsZero() {
		return time.Time{}
	}
	if h.until.After(h.asked) {
		return h.until.Add(h.gather)
	}
	return h.asked.Add(h.gather)
}

// over reports whether the batch is to be made.
func (h *hold) over(now time.Time) bool {
	end := h.end()
	return !end.IsZero() && !now.Before(end)
}

// ofPassage reports whether an entry tells of somebody's way through a door, which is no alarm and
// has others before or behind it.
func ofPassage(header []byte) bool {
	switch g, _ := journaled.Glance(header); g.Kind {
	case wire.KindAccess, wire.KindRepeated, wire.KindReleased, wire.KindReleasedLate, wire.KindSecured, wire.KindOpened, wire.KindClosed, wire.KindExit, wire.KindTold:
		return true
	}
	return false
}
