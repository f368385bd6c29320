package gateway

import (
	"context"
	"sync/atomic"

	"gatehouse/internal/journal/catalogue"
)

// verify checks a file of the journal, as journal.Options.Verify.
type verify func(ctx context.Context, path string) error

// early is a check of the journal's newest file that goes on while the keys and the list are read. The
// state directory belongs to this process, so that nobody changes the file before the journal uses it.
type early struct {
	check verify
	path  string
	asked atomic.Bool   // its result is used once: a check that is repeated is another one
	done  chan struct{} // closed when err is set
	err   error
	stop  context.CancelFunc
}

// checkEarly begins the check of the newest file in a directory; it checks nothing where there is none.
func checkEarly(dir string, check verify) *early {
	ctx, stop := context.WithCancel(context.Background())
	e := &early{check: check, done: make(chan struct{}), stop: stop}
	if d, err := catalogue.Scan(dir); err == nil {
		f, _ := d.Current()
		e.path = f.Path
	}
	if e.path == "" {
		close(e.done)
		return e
	}
	go func() {
		defer close(e.done)
		e.err = check(ctx, e.path)
	}()
	return e
}

// verify waits for the check that has begun, if it is of this file, and checks any other itself.
func (e *early) verify(ctx context.Context, path string) error {
	if path != e.path || e.asked.Swap(true) {
		return e.check(ctx, path)
	}
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end stops a check that nobody waits for any more. It returns when it has ended.
func (e *early) end() {
	e.stop()
	<-e.done
}
