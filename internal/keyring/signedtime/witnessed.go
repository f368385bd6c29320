package signedtime

import "sync"

// Day is a day, in s.
const Day = 24 * 60 * 60

// witnessed is the time that a witness has signed, in unix s, apart from what
// lists say: an issuer's key alone can't move it. And it is for how long no witness
// was heard, in s of the machine's own clock (Options.Elapsed): no signature can
// move that, so a thief of both keys gains no days of removals.
type witnessed struct {
	mu sync.Mutex
	WitnessedMarks
}

// WitnessedMarks is what is kept of it on disk.
type WitnessedMarks struct {
	At     int64   `json:"witnessed,omitempty"` // highest; where no witness was heard yet, of the first list; 0: none
	Absent Absence `json:"absent,omitzero"`
}

// Absence says when lists may have been missed, in s of the machine's own clock. A
// gateway that was away missed those of that time, and one that has refused a list
// goes on missing it. Both may take a share for each day since.
type Absence struct {
	Heard   int64 `json:"heard,omitempty"`   // a witness, last
	Left    int64 `json:"left,omitempty"`    // before the last absence of more than a day
	Back    int64 `json:"back,omitempty"`    // when it was over
	Refused int64 `json:"refused,omitempty"` // since when a list waits
}

// load takes what is on disk.
func (w *witnessed) load(m WitnessedMarks) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.WitnessedMarks = m
}

// marks is what is kept on disk.
func (w *witnessed) marks() WitnessedMarks {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.WitnessedMarks
}

// hear takes a time that a witness has signed, at a second of the own clock.
func (w *witnessed) hear(unix, own int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.At = max(w.At, unix)
	a := &w.Absent
	if a.Heard > 0 && own-a.Heard > Day {
		a.Left, a.Back = a.since(a.Heard), own
	}
	a.Heard = max(a.Heard, own)
}

// lower takes back what a false key has said.
func (w *witnessed) lower(unix int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.At = min(w.At, unix)
}

// hearList takes the time of a list and returns how much of it is believed. The
// first of all is believed where no witness was heard before.
func (w *witnessed) hearList(issued int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.At == 0 {
		w.At = issued
	}
	return min(issued, w.At+Day)
}

// since is from when on lists may have been missed. An absence counts for a day
// after it: by then the lists of that time are here, or one was refused.
func (a Absence) since(own int64) int64 {
	switch {
	case a.Refused != 0:
		return a.Refused
	case a.Back != 0 && own < a.Back+Day:
		return a.Left
	case a.Heard != 0:
		return a.Heard
	}
	return own
}

// days are those of which the next list may bring the changes, at least 1.
func (w *witnessed) days(own int64) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 1 + int(max(own-w.Absent.since(own), 0)/Day)
}

// refuse notes that a list waits.
func (w *witnessed) refuse(own int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Absent.Refused = max(w.Absent.since(own), 1)
}

// caughtUp notes that a list is in force: what was missed until now is here.
func (w *witnessed) caughtUp(own int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Absent = Absence{Heard: max(w.Absent.Heard, own)}
}
