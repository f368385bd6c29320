package uplink

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// maxNotices bounds the alarms that wait; what falls out comes in its batch.
const maxNotices = 64

// noticeWaits are the pauses between the repeats of a notice; the last goes on.
var noticeWaits = [...]time.Duration{5 * time.Second, 15 * time.Second, time.Minute}

// notices are alarms that the registry should hear of before the backlog.
type notices struct {
	pendingNotices []notice
}

type notice struct {
	at     journal.Position
	header []byte
	told   int
	due    time.Time
}

// sighting is what watch saw in the journal.
type sighting struct {
	notice  *notice // an alarm
	tenancy bool    // a record was made at the desk
}

// watch follows the journal's end, beside the backlog. It returns when ctx ends.
func watch(ctx context.Context, j *journal.Journal, out chan<- sighting) {
	at := j.Status().Position
	for ctx.Err() == nil {
		changed := j.Changed()
		if at.Epoch == 0 {
			at = j.Status().Position // it opens after us; what is old comes with the backlog
		}
		var list []journal.Entry
		var err error
		if at.Epoch != 0 {
			var next journal.Position
			if list, next, err = j.Entries(ctx, at, 256); err == nil {
				at = next
			}
		}
		if err != nil {
			at = j.Status().Position // new epoch, or a sick disk: go on at the end
			changed = nil
		}
		if !sift(ctx, list, out) {
			return
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(retryWatch(changed)):
		}
	}
}

func retryWatch(changed <-chan struct{}) time.Duration {
	if changed == nil {
		return time.Second
	}
	return time.Hour
}

func sift(ctx context.Context, list []journal.Entry, out chan<- sighting) bool {
	for _, e := range list {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			continue
		}
		var s sighting
		switch {
		case h.Kind == wire.KindTenancy:
			s.tenancy = true
		case h.Alarm():
			s.notice = &notice{at: e.Position, header: e.Header}
		default:
			continue
		}
		select {
		case out <- s:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (a *actor) saw(s sighting) {
	if s.tenancy {
		a.recordsSoon()
	}
	if s.notice == nil {
		return
	}
	if len(a.pendingNotices) == maxNotices {
		a.pendingNotices = slices.Delete(a.pendingNotices, 0, 1)
	}
	a.pendingNotices = append(a.pendingNotices, *s.notice)
}

// announceAgain sends the notices that wait after a connect.
func (a *actor) announceAgain(now time.Time) {
	for i := range a.pendingNotices {
		a.pendingNotices[i].due = now
	}
}

// announce sends the notices that are due, in order.
func (a *actor) announce(ctx context.Context, now time.Time) (next time.Time) {
	if !a.up {
		return time.Time{}
	}
	for i := range a.pendingNotices {
		n := &a.pendingNotices[i]
		if !now.Before(n.due) {
			a.publish(ctx, wire.TypeNotice, a.place.Up(wire.TypeNotice), wire.Notice{Epoch: n.at.Epoch, Sequence: n.at.Sequence, Header: n.header})
			n.due = now.Add(noticeWaits[min(n.told, len(noticeWaits)-1)])
			n.told++
		}
		next = earlier(next, n.due)
	}
	return next
}

// passed forgets notices whose entries the cursor has passed, or that stand in
// an epoch that it has left.
func (a *actor) passed(before journal.Position) {
	a.pendingNotices = slices.DeleteFunc(a.pendingNotices, func(n notice) bool {
		if n.at.Epoch == a.cursor.Epoch {
			return n.at.Sequence < a.cursor.Sequence
		}
		return n.at.Epoch == before.Epoch
	})
}
