package uplink

import (
	"slices"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// maxNotices bounds the alarms that wait; what falls out comes in its batch.
const maxNotices = 64

// noticeWaits are the pauses between the repeats of a notice; the last goes on.
var noticeWaits = [...]time.Duration{5 * time.Second, 15 * time.Second, time.Minute}

// notices are alarms that the registry should hear of before the backlog. They are
// repeated until the cursor has passed their entries.
type notices struct {
	waiting []notice // in order
}

type notice struct {
	at     journaled.Position
	header []byte
	told   int
	due    time.Time
}

// add takes one more; where there are too many, the oldest falls out.
func (n *notices) add(one notice) {
	if len(n.waiting) == maxNotices {
		n.waiting = slices.Delete(n.waiting, 0, 1)
	}
	n.waiting = append(n.waiting, one)
}

// again has all that wait sent now, as after a connect.
func (n *notices) again(now time.Time) {
	for i := range n.waiting {
		n.waiting[i].due = now
	}
}

// due returns those that are to be sent now, in order, and when to ask again.
func (n *notices) due(now time.Time) (list []message, next time.Time) {
	for i := range n.waiting {
		one := &n.waiting[i]
		if !now.Before(one.due) {
			list = append(list, message{kind: wire.TypeNotice, body: wire.Notice{Epoch: one.at.Epoch, Sequence: one.at.Sequence, Header: one.header}})
			one.due = now.Add(noticeWaits[min(one.told, len(noticeWaits)-1)])
			one.told++
		}
		next = timing.Earlier(next, one.due)
	}
	return list, next
}

// passed forgets those whose entries the cursor has passed on its way, or that stand
// in an epoch that it has left.
func (n *notices) passed(from, to journaled.Position) {
	n.waiting = slices.DeleteFunc(n.waiting, func(one notice) bool {
		if one.at.Epoch == to.Epoch {
			return one.at.Sequence < to.Sequence
		}
		return one.at.Epoch == from.Epoch
	})
}

// forget forgets all.
func (n *notices) forget() { n.waiting = nil }
