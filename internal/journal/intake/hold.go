package intake

import (
	"time"

	"gatehouse/sync/wire"
)

// Each sync wears an SD card, and of a passage somebody waits for one only: that of the grant. What follows it
// (the lock moved, the door opened and closed) rides with the next sync, whoever brings that, and waits
// for holdMost at most. A power cut may take the entries of that time: a boot without a stop before
// it says so.

// holdMost is a second for whoever opens, and a quarter more for the filter of the door's contact (0.1 s unless
// the site says otherwise) and a machine that is busy: an opening within the second after the release rides with it.
const holdMost = 1250 * time.Millisecond

// held is the wait of the entries that ride with the next sync.
type held struct {
	wake  chan struct{} // to the writer
	due   bool          // what is queued is to be written now
	until uint64        // ns since boot: when the oldest one is due; 0: none waits
	timer *time.Timer   // of the same moment; nil before the first
}

// mayWait reports whether an entry may ride with the next sync: the lock moved, the door closed, or it
// opened for a grant, to which its entry refers. A lock that did not move, a release by fire and an
// opening that no grant explains are told at once, as all else is.
func mayWait(h wire.Header) bool {
	switch h.Kind {
	case wire.KindReleased, wire.KindSecured:
		return h.Outcome == 0 && h.Reason != wire.ReasonFire && h.Reason != wire.ReasonFireLatch
	case wire.KindOpened:
		return h.Ref != nil
	}
	return h.Kind == wire.KindClosed
}

// arrived wakes the writer for a queued entry, or lets the entry wait. The caller holds mu.
//
// The timer does not run while the machine sleeps; the time since boot does, and counts.
func (in *Intake) arrived(it *Item) {
	h, now := &in.held, it.Header.BootTime
	switch {
	case it.done != nil || !mayWait(it.Header) || h.until != 0 && now >= h.until:
		in.hurry()
	case h.until == 0 && !h.due:
		h.until = now + uint64(holdMost)
		if h.timer == nil {
			h.timer = time.AfterFunc(holdMost, in.overdue)
		} else {
			h.timer.Reset(holdMost)
		}
	}
}

// hurry has everything written that is queued. The caller holds mu.
func (in *Intake) hurry() {
	in.held.due = true
	in.Poke()
}

func (in *Intake) overdue() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.held.until != 0 {
		in.hurry()
	}
}

// emptied ends the wait: nothing is queued any more. The caller holds mu.
func (in *Intake) emptied() {
	h := &in.held
	if h.until != 0 {
		h.timer.Stop()
	}
	h.due, h.until = false, 0
}
