package uart

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// writeTime is how long the kernel may take to accept a write: it has room for
// thousands of bytes, so that a device which takes none of them for so long hangs.
const writeTime = time.Second

// writer writes in a goroutine of its own, so that a device that hangs does not
// hold up who talks to it. For one goroutine.
type writer struct {
	quit  <-chan struct{}
	in    chan []byte
	done  chan written
	timer *time.Timer
	buf   []byte // of the write under way
	stuck bool   // a write is still under way
}

type written struct {
	n   int
	err error
}

// newWriter starts a writer that ends when quit is closed, or later, when the
// kernel lets its write go.
func newWriter(write func([]byte) (int, error), quit <-chan struct{}) *writer {
	w := &writer{quit: quit, in: make(chan []byte), done: make(chan written, 1), timer: time.NewTimer(writeTime)}
	go func() {
		for {
			select {
			case b := <-w.in:
				n, err := writeAll(write, b)
				w.done <- written{n, err}
			case <-quit:
				return
			}
		}
	}()
	return w
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
	select {
	case w.in <- w.buf:
	case <-w.quit:
		return 0, os.ErrClosed
	}
	w.timer.Reset(writeTime)
	defer w.timer.Stop()
	select {
	case r := <-w.done:
		return r.n, r.err
	case <-w.timer.C:
		w.stuck = true
		return 0, os.ErrDeadlineExceeded
	case <-w.quit:
		return 0, os.ErrClosed
	}
}

// writeAll goes on where the library wrote once, and a signal or a full buffer
// cut that short.
func writeAll(write func([]byte) (int, error), b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := write(b[done:])
		done += n
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return done, err
		}
	}
	return done, nil
}
