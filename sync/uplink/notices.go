package uplink

import (
	"slices"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// maxNotices bounds the waiting alarms; dropped ones still arrive in their batch.
const maxNotices = 64

// noticeWaits are the pauses between repeats of a notice; the last one repeats.
var noticeWaits = [...]time.Duration{5 * time.Second, 15 * time.Second, time.Minute}

// notices are alarms that are sent ahead of the backlog. Each is repeated until the cursor has
// passed its entry.
type notices struct {
	waiting []notice // in order
}

type notice struct {
	at     journaled.Position
	header []byte
	told   int
	due    time.Time
}

// add queues an alarm; when too many wait, the oldest is dropped.
func (n *notices) add(one notice) {
	if len(n.waiting) == maxNotices {
		n.waiting = slices.Delete(n.waiting, 0, 1)
	}
	n.waiting = append(n.waiting, one)
}

// again makes all waiting alarms due now, as after a connect.
func (n *notices) again(now time.Time) {
	for i := range n.waiting {
		n.waiting[i].due = now
	}
}

// due returns the alarms to be sent now, in order, and when to be called again.
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

// passed drops the alarms whose entries the cursor has passed, or that are in an epoch that it has
// left.
func (n *notices) passed(from, to journaled.Position) {
	n.waiting = slices.DeleteFunc(n.waiting, func(one notice) bool {
		if one.at.Epoch == to.Epoch {
			return one.at.Sequence < to.Sequence
		}
		return one.at.Epoch == from.Epoch
	})
}

func (n *notices) forget() { n.waiting = nil }
