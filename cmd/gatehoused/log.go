package main

import (
	"io"
	"sync"
)

// logQueued is how many lines of the log may wait.
const logQueued = 512

// logWriter passes lines to a writer that may hang, and drops them while it does: a log that nobody
// takes must not hold up a door. Safe for concurrent use.
type logWriter struct {
	lines chan []byte
	done  sync.WaitGroup
}

func newLogWriter(out io.Writer) *logWriter {
	w := &logWriter{lines: make(chan []byte, logQueued)}
	w.done.Go(func() {
		for line := range w.lines {
			_, _ = out.Write(line) // there is nowhere to report it
		}
	})
	return w
}

// Write never blocks and never fails.
func (w *logWriter) Write(line []byte) (int, error) {
	select {
	case w.lines <- append([]byte(nil), line...):
	default:
	}
	return len(line), nil
}

// close writes the waiting lines. Write must not be called any more.
func (w *logWriter) close() {
	close(w.lines)
	w.done.Wait()
}
