package backoff

import (
	"context"
	"time"
)

// Retry repeats an attempt that failed, until it succeeds. It is safe for concurrent use.
type Retry struct {
	failed chan struct{}
}

// NewRetry returns a Retry for which nothing has failed.
func NewRetry() Retry { return Retry{make(chan struct{}, 1)} }

// Failed says that an attempt has failed. It never waits.
func (r Retry) Failed() {
	select {
	case r.failed <- struct{}{}:
	default:
	}
}

// The shortest and the longest wait before an attempt is repeated.
const (
	retryFirst = time.Second
	retryMost  = time.Minute
)

// Run repeats each attempt that failed after 1 s, then after twice as long each time up to a
// minute, until try returns nil. It returns when ctx ends.
func (r Retry) Run(ctx context.Context, try func() error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.failed:
		}
		for wait := New(retryFirst, retryMost); wait.Wait(ctx) && try() != nil; {
		}
	}
}
