package osdp

import (
	"testing"
	"time"
)

// TestBackoff: the first new attempt comes at once, the next ones ever later, and
// with the fourth in vain the reader can't be used.
func TestBackoff(t *testing.T) {
	now := time.Unix(1e9, 0)
	const ms = time.Millisecond
	var p presence
	for i, wait := range []time.Duration{0, 250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 8000 * ms} {
		due, lost := p.backoff(now)
		if due != now.Add(wait) || lost != (i+1 >= lostAttempts) {
			t.Errorf("attempt %d: again after %v, lost %v; want %v", i+1, due.Sub(now), lost, wait)
		}
	}
	for silence, want := range map[time.Duration]bool{offlineAfter: false, offlineAfter + 1: true} {
		p := presence{standing: online, polled: now}
		if _, lost := p.backoff(now.Add(silence)); lost != want {
			t.Errorf("silent for %v: lost %v", silence, lost)
		}
	}
}
