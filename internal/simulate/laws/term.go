package laws

import "time"

// Unsure is how much a clock may be off that is taken for right: what agrees to a
// minute is not held against each other.
const Unsure = 2 * time.Minute

// TooEarlyOrLate reports whether now lies outside a term.
func TooEarlyOrLate(from, until time.Time) bool {
	now := time.Now()
	return now.Before(from.Add(-Unsure)) || !now.Before(until.Add(Unsure))
}
