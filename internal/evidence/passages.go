package evidence

import (
	"errors"
	"slices"
	"time"

	"gatehouse/sync/wire"
)

// Opening says what the log knows of what followed when a card was accepted. That a card was
// accepted is not that somebody went through.
type Opening uint8

// What is known of an opening.
const (
	NotAsked  Opening = iota // no card was accepted
	Seen                     // the contact saw the door open while the grant lasted, by nothing else
	Untied                   // the contact saw the door open, and something else may have been the reason
	NotSeen                  // the lock was secured again, or the run ended in order, and no opening was seen
	PowerLost                // unknown: the run ended without a word, and the last 1.25 s may be missing
	Dropped                  // unknown: entries after it were dropped
	CutShort                 // unknown: the file ends before
	NoContact                // the door has no contact
)

// Pin is a moment of a run whose true time is known.
type Pin struct {
	Boot     uint64 `json:"boot"`
	BootTime uint64 `json:"boottime_ns"` // CLOCK_BOOTTIME
	Wall     int64  `json:"wall_ms"`     // since 1970-01-01T00:00:00Z
	Within   uint64 `json:"within_ms"`   // that Wall can be off
	By       string `json:"by"`          // what told the time: ntp, registry
}

// clockNotes is the member with the pins.
type clockNotes struct {
	Pins []Pin `json:"pins"`
}

const maxWithin = 1 << 40 // ms: some thirty years

// explain adds to the entries what follows from others: corrected times, and openings.
func (r *Report) explain(clock []byte) error {
	var notes clockNotes
	err := decode(clock, &notes)
	if err == nil && slices.ContainsFunc(notes.Pins, func(p Pin) bool { return p.Within > maxWithin }) {
		err = errors.New("a pin that says nothing")
	}
	if err != nil {
		return refuse(BadClock, nameClock, err)
	}
	for i := range r.Entries {
		r.Entries[i].setTime(notes.Pins)
	}
	r.findOpenings()
	return nil
}

// setTime takes the recorded time where its clock was trusted, else that by the nearest pin of its
// run. A recorded time that no pin corrects stays, and its header says how good it was.
func (e *Entry) setTime(pins []Pin) {
	e.Time = e.Header.Time()
	if e.Header.Clock >= wire.ClockNTP {
		return
	}
	best := time.Duration(-1)
	for _, p := range pins {
		away := time.Duration(e.Header.BootTime - p.BootTime)
		if p.Boot == e.Header.Boot && (best < 0 || away.Abs() < best) {
			best = away.Abs()
			e.Time, e.Within, e.Pinned = time.UnixMilli(p.Wall).Add(away), time.Duration(p.Within)*time.Millisecond, true
		}
	}
}

// waiting are the cards of one run that were accepted and of which nothing more is known.
type waiting struct {
	entries []Entry
	at      map[string][]int // by door
	granted map[wire.Ref]int
	boot    uint64
}

// findOpenings says of each card that was accepted what followed.
func (r *Report) findOpenings() {
	hasContact := map[string]bool{}
	for _, d := range r.Manifest.Doors {
		hasContact[d.ID] = d.Contact
	}
	w := waiting{entries: r.Entries, at: map[string][]int{}, granted: map[wire.Ref]int{}}
	for i := range r.Entries {
		h := &r.Entries[i].Header
		if h.Boot != w.boot {
			w.settleAll(PowerLost)
			w.boot = h.Boot
			clear(w.granted)
		}
		w.take(i, h, hasContact)
	}
	w.settleAll(CutShort)
}

// take looks at one entry of the run.
func (w *waiting) take(i int, h *wire.Header, hasContact map[string]bool) {
	switch h.Kind {
	case wire.KindAccess:
		if h.Outcome != wire.OutcomeGranted {
			return
		}
		if !hasContact[h.Door] {
			w.entries[i].Opening = NoContact
			return
		}
		w.at[h.Door] = append(w.at[h.Door], i)
		w.granted[wire.Ref{Boot: h.Boot, Counter: h.Counter}] = i
	case wire.KindOpened:
		w.opened(h)
	case wire.KindSecured:
		w.settle(h.Door, NotSeen)
	case wire.KindStop:
		w.settleAll(NotSeen)
	case wire.KindGap:
		w.settleAll(Dropped)
	}
}

// opened ties an opening to its card, or to none.
func (w *waiting) opened(h *wire.Header) {
	if h.Ref != nil {
		if i, ok := w.granted[*h.Ref]; ok {
			w.entries[i].Opening = Seen
		}
		return
	}
	for _, i := range w.at[h.Door] {
		if w.entries[i].Opening == NotAsked {
			w.entries[i].Opening = Untied
		}
	}
}

// settle says what is known of all cards at a door of which nothing more can come.
func (w *waiting) settle(door string, o Opening) {
	for _, i := range w.at[door] {
		if w.entries[i].Opening == NotAsked {
			w.entries[i].Opening = o
		}
	}
	delete(w.at, door)
}

func (w *waiting) settleAll(o Opening) {
	for door := range w.at {
		w.settle(door, o)
	}
}
