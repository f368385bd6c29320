package uplink

import "time"

// Waits for an answer go from firstWait to longWait.
const (
	firstWait = 5 * time.Second
	longWait  = time.Minute
)

// backoff doubles a wait from low to high.
func backoff(wait, low, high time.Duration) time.Duration {
	return min(max(2*wait, low), high)
}

// earlier returns the earlier of two times; the zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
