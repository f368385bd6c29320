// Package backoff spaces the attempts at something that fails.
package backoff

import (
	"context"
	"time"
)

// Backoff is how long to wait before the next attempt: twice as long each time. For
// one goroutine.
type Backoff struct {
	first, most, next time.Duration
}

// New returns a Backoff whose waits begin with first, which is above 0, and grow to
// most.
func New(first, most time.Duration) *Backoff {
	return &Backoff{first: first, most: most, next: first}
}

// Reset begins with the shortest wait again: after an attempt that lasted.
func (b *Backoff) Reset() { b.next = b.first }

// Next returns how long to wait now, and lengthens the wait after it.
func (b *Backoff) Next() time.Duration {
	d := b.next
	b.next = min(2*d, b.most)
	return d
}

// Wait waits for as long as Next says, or until ctx ends, and reports whether there is
// to be a next attempt: whether ctx has not ended.
func (b *Backoff) Wait(ctx context.Context) bool {
	return Sleep(ctx, b.Next())
}

// Sleep waits for d, or until ctx ends, and reports whether ctx has not ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
