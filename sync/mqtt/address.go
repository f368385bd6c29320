package mqtt

import (
	"slices"
	"time"
)

// Waits before another address of the broker is tried again. They never end: a
// registry that came back to an old one is found within the hour.
const (
	otherFirst = time.Minute
	otherMost  = time.Hour
)

// book picks the address of an attempt: the one that was up last, and when that
// fails one of the others in between.
type book struct {
	current endpoint
	tries   map[endpoint]tries // of those that are not current
}

type tries struct {
	failed int
	due    time.Time
}

// pick returns the address to try now. What it was up with last counts until it
// is in the list no more.
func (b *book) pick(list []endpoint) endpoint {
	if !slices.Contains(list, b.current) {
		b.current = list[0]
	}
	return b.current
}

// other returns the first of the others that is due.
func (b *book) other(list []endpoint, now time.Time) (endpoint, bool) {
	for _, e := range list {
		if e != b.current && !now.Before(b.tries[e].due) {
			return e, true
		}
	}
	return endpoint{}, false
}

// failed puts off the next try of one of the others.
func (b *book) failed(e endpoint, now time.Time) {
	if b.tries == nil {
		b.tries = map[endpoint]tries{}
	}
	t := b.tries[e]
	t.due = now.Add(min(otherFirst<<min(t.failed, 10), otherMost))
	t.failed++
	b.tries[e] = t
}

// good makes an address the one that is tried first.
func (b *book) good(e endpoint) {
	if b.current != e {
		b.current, b.tries = e, nil
	}
}
