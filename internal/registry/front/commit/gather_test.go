package commit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestGather: messages that are being checked come into the transaction of those that were, one that
// does not come is waited for one millisecond in all, and where none is expected nothing waits.
func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		expected int
		come     []time.Duration // when those that are expected are submitted
		jobs     int
		after    time.Duration // when the transaction is begun
	}{
		"none expected": {jobs: 1},
		"one comes":     {expected: 1, come: []time.Duration{400 * time.Microsecond}, jobs: 2, after: 400 * time.Microsecond},
		"two come":      {expected: 2, come: []time.Duration{400 * time.Microsecond, 900 * time.Microsecond}, jobs: 3, after: 900 * time.Microsecond},
		"one is late":   {expected: 2, come: []time.Duration{400 * time.Microsecond, 1100 * time.Microsecond}, jobs: 2, after: time.Millisecond},
		"none comes":    {expected: 3, jobs: 1, after: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := New(Options{})
				o.Expect(int64(c.expected))
				o.Submit(t.Context(), Job{})
				for _, at := range c.come {
					time.AfterFunc(at, func() {
						o.Expect(-1)
						o.Submit(context.Background(), Job{})
					})
				}
				began := time.Now()
				jobs := o.gather(t.Context(), nil)
				if took := time.Since(began); len(jobs) != c.jobs || took != c.after {
					t.Errorf("%d jobs after %v, not %d after %v", len(jobs), took, c.jobs, c.after)
				}
				time.Sleep(time.Second) // for what is late
			})
		})
	}
}
