package keyring

import "sync"

// witnessed is the time that a witness has signed, in unix s, apart from what
// lists say. An issuer's key alone can't move it: days are counted by it, and a
// list raises the floor by a day beyond it at most. It waits for no disk.
type witnessed struct {
	mu sync.Mutex
	witnessedMarks
}

// witnessedMarks is what is kept of it on disk.
type witnessedMarks struct {
	At int64 `json:"witnessed,omitempty"` // highest; where no witness was heard yet, of the first list; 0: none
	// A gateway that was away missed the lists of those days, and one that has
	// refused a list goes on missing it. Both may take a share for each day since.
	Left    int64 `json:"left,omitempty"`    // before the last absence of more than a day
	Back    int64 `json:"back,omitempty"`    // when it was over
	Refused int64 `json:"refused,omitempty"` // since when a list waits
}

func (w *witnessed) load(m witnessedMarks) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.witnessedMarks = m
}

func (w *witnessed) marks() witnessedMarks {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.witnessedMarks
}

func (w *witnessed) now() int64 { return w.marks().At }

// hear takes a time that a witness has signed.
func (w *witnessed) hear(unix int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if unix <= w.At {
		return
	}
	if w.At > 0 && unix-w.At > dayOfTime {
		w.Left, w.Back = w.since(), unix
	}
	w.At = unix
}

// hearList takes the time of a list and returns how much of it is believed. The
// first of all is believed where no witness was heard before.
func (w *witnessed) hearList(issued int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.At == 0 {
		w.At = issued
	}
	return min(issued, w.At+dayOfTime)
}

// since is from when on lists may have been missed. An absence counts for a day
// after it: by then the lists of that time are here, or one was refused.
func (w *witnessed) since() int64 {
	switch {
	case w.Refused != 0:
		return w.Refused
	case w.Back != 0 && w.At < w.Back+dayOfTime:
		return w.Left
	}
	return w.At
}

// days are those of which the next list may bring the changes, at least 1.
func (w *witnessed) days() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 1 + int((w.At-w.since())/dayOfTime)
}

// refuse notes that a list waits.
func (w *witnessed) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Refused = w.since()
}

// caughtUp notes that a list is in force.
func (w *witnessed) caughtUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.Left, w.Back, w.Refused = 0, 0, 0
}
