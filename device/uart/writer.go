package uart

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// writeTime is how long the kernel may take to accept a write: it has room for
	// thousands of bytes, so that a device which takes none of them for so long hangs.
	writeTime = time.Second
	freeTime  = 100 * time.Millisecond // for a write to end once there is room
	endTime   = 20 * time.Millisecond  // and for one that is as good as done
)

// writer writes in a goroutine of its own, so that a device that hangs does not
// hold up who talks to it. For one goroutine, but busy, gone and drop.
type writer struct {
	flush func()
	quit  <-chan struct{}
	ended chan struct{} // closed when its goroutine is gone
	in    chan []byte
	done  chan written
	timer *time.Timer
	buf   []byte // of the write under way
	stuck bool   // a write is still under way

	busy  atomic.Bool // a write is under way: a goroutine that had no turn for long waits for none
	given atomic.Bool // and was given up
}

type written struct {
	n   int
	err error
}

// newWriter starts a writer that ends when quit is closed, or later, when the
// kernel lets its write go; flush makes it do so where the driver can.
func newWriter(write func([]byte) (int, error), flush func(), quit <-chan struct{}) *writer {
	w := &writer{flush: flush, quit: quit, ended: make(chan struct{}), in: make(chan []byte), done: make(chan written, 1),
		timer: time.NewTimer(writeTime)}
	go func() {
		defer close(w.ended)
		for {
			select {
			case b := <-w.in:
				n, err := w.all(write, b)
				if w.given.Load() {
					flush() // the rest of it, which found room behind the first flush
				}
				w.busy.Store(false)
				w.done <- written{n, err}
			case <-quit:
				return
			}
		}
	}()
	return w
}

// gone waits until its goroutine is gone, up to d.
func (w *writer) gone(d time.Duration) bool {
	select {
	case <-w.ended:
		return true
	default:
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.ended:
		return true
	case <-timer.C:
		return false
	}
}

// send writes b. It returns os.ErrDeadlineExceeded when that takes too long, and
// os.ErrClosed when quit is closed.
func (w *writer) send(b []byte) (int, error) {
	if w.stuck {
		select {
		case <-w.done:
			w.stuck = false
		default:
			return 0, os.ErrDeadlineExceeded
		}
	}
	w.buf = append(w.buf[:0], b...)
	w.given.Store(false)
	w.busy.Store(true)
	select {
	case w.in <- w.buf:
	case <-w.quit:
		w.busy.Store(false)
		return 0, os.ErrClosed
	}
	w.timer.Reset(writeTime)
	defer w.timer.Stop()
	select {
	case r := <-w.done:
		return r.n, r.err
	case <-w.timer.C:
		w.free()
		return 0, os.ErrDeadlineExceeded
	case <-w.quit:
		return 0, os.ErrClosed
	}
}

// drop gives the write under way up: what the kernel has of it, and what it will
// have, however late its goroutine is.
func (w *writer) drop() {
	w.given.Store(true)
	w.flush()
}

// free drops the write under way and waits for its end.
func (w *writer) free() {
	w.drop()
	w.timer.Reset(freeTime)
	select {
	case <-w.done:
	case <-w.timer.C:
		w.stuck = true
	}
}

// all goes on where the library wrote once, and a signal or a full buffer cut
// that short.
func (w *writer) all(write func([]byte) (int, error), b []byte) (int, error) {
	for done := 0; ; {
		select {
		case <-w.quit: // the port may be closed, and its number another file's
			return done, os.ErrClosed
		default:
		}
		n, err := write(b[done:])
		done += n
		switch {
		case err != nil && !errors.Is(err, syscall.EINTR):
			return done, err
		case done == len(b):
			return done, nil
		}
	}
}
