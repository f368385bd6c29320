// Package timing has the waits that the parts of the uplink share.
package timing

import "time"

// Waits for an answer go from FirstWait to LongWait.
const (
	FirstWait = 5 * time.Second
	LongWait  = time.Minute
)

// Backoff returns twice the wait, and at least low and at most high.
func Backoff(wait, low, high time.Duration) time.Duration {
	return min(max(2*wait, low), high)
}

// Earlier returns the earlier of two times; a zero one is none.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
