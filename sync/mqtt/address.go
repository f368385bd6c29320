package mqtt

import (
	"slices"
	"time"
)

// Waits before another address of the broker is tried again. The tries go on for ever, so that a
// registry that came back to an old address is found within the hour.
const (
	otherFirst = time.Minute
	otherMost  = time.Hour
)

// book chooses the address of each attempt: the one that was up last and, when that fails, one of
// the others in between.
type book struct {
	current endpoint
	tries   map[endpoint]tries // of the other addresses
}

type tries struct {
	failed int
	due    time.Time
}

// pick returns the address to try now. The address that was up last comes first for as long as it
// is in the list.
func (b *book) pick(list []endpoint) endpoint {
	if !slices.Contains(list, b.current) {
		b.current = list[0]
	}
	return b.current
}

// other returns the first of the other addresses whose wait is over.
func (b *book) other(list []endpoint, now time.Time) (endpoint, bool) {
	for _, e := range list {
		if e != b.current && !now.Before(b.tries[e].due) {
			return e, true
		}
	}
	return endpoint{}, false
}

// failed doubles the wait before an address is tried again.
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
