package devicetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
)

// session is one connection of a daemon to a Board.
type session struct {
	board  *Board
	grants map[uint64]*grant // under board.mu

	mu    sync.Mutex
	queue []reply
	edges int // waiting in queue
	wake  chan struct{}
}

// Serve answers one daemon until its connection ends, which is nil, or ctx
// does. Then the connection is closed and every output that it held falls to
// its pull. A board serves one daemon after the other, or several at a time
// that hold different lines.
func (b *Board) Serve(ctx context.Context, conn net.Conn) error {
	s := &session{board: b, grants: map[uint64]*grant{}, wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	running.Go(func() { cancel(s.write(ctx, conn)) })
	running.Go(func() {
		<-ctx.Done()
		_ = conn.Close() // frees the blocked read and write
	})
	err := s.read(conn)
	b.release(s)
	cancel(err)
	running.Wait()
	if cause := context.Cause(ctx); !hungUp(cause) {
		return cause
	}
	return nil
}

// hungUp reports whether err is just the end of a connection, as a process
// that dies leaves it.
func hungUp(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

func (s *session) read(conn net.Conn) error {
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	for lines.Scan() {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return fmt.Errorf("read request of the daemon: %w", err)
		}
		s.push(s.board.answer(s, q))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read request of the daemon: %w", err)
	}
	return io.EOF
}

// push queues a reply. Answers always fit, since a daemon waits for each; of
// edges only so many wait, as in the kernel.
func (s *session) push(r reply) {
	s.mu.Lock()
	if s.edges+len(r.Edges) <= maxQueue {
		s.queue = append(s.queue, r)
		s.edges += len(r.Edges)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *session) write(ctx context.Context, conn net.Conn) error {
	out := bufio.NewWriter(conn)
	enc := json.NewEncoder(out)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.wake:
		}
		s.mu.Lock()
		queue := s.queue
		s.queue, s.edges = nil, 0
		s.mu.Unlock()
		for _, r := range queue {
			if err := enc.Encode(r); err != nil {
				return fmt.Errorf("answer the daemon: %w", err)
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("answer the daemon: %w", err)
		}
	}
}

// answer carries out one request.
func (b *Board) answer(s *session, q request) reply {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch q.Op {
	case "lines", "output":
		return replyTo(q.ID, b.grant(s, q))
	}
	g := s.grants[q.Handle]
	switch {
	case g == nil:
		return replyTo(q.ID, refuse(codeInvalid, "no open request %d", q.Handle))
	case q.Op == "levels" && !g.output:
		r := reply{ID: q.ID}
		for _, l := range g.lines {
			r.Levels = append(r.Levels, l.high != g.activeLow)
		}
		return r
	case q.Op == "set" && g.output:
		b.drive(g.lines[0], g, q.Active != g.activeLow)
	case q.Op == "close":
		b.free(g)
		delete(s.grants, q.Handle)
	default:
		return replyTo(q.ID, refuse(codeInvalid, "can't %q request %d", q.Op, q.Handle))
	}
	return replyTo(q.ID, nil)
}

// grant opens a request of lines; an output is driven inactive by it.
func (b *Board) grant(s *session, q request) error {
	if q.Chip != b.chip {
		return refuse(codeMissing, "no chip %s", q.Chip)
	}
	if len(q.Offsets) == 0 || len(q.Offsets) > 64 || s.grants[q.ID] != nil {
		return refuse(codeInvalid, "request %d for %d lines: want a new one for 1 to 64", q.ID, len(q.Offsets))
	}
	g := &grant{session: s, handle: q.ID, output: q.Op == "output", activeLow: q.ActiveLow, both: q.Both}
	for i, offset := range q.Offsets {
		l := b.byOffset[offset]
		switch {
		case l == nil:
			return refuse(codeInvalid, "chip %s has no line %d", q.Chip, offset)
		case slices.Contains(g.lines, l):
			return refuse(codeInvalid, "line %d is asked for twice", offset)
		case l.owner != nil:
			return refuse(codeBusy, "line %d is busy", offset)
		case l.Line.Output != g.output:
			return refuse(codeInvalid, "line %d (%s) is wired the other way", offset, l.Name)
		case g.output && i > 0:
			return refuse(codeInvalid, "one output a request")
		}
		g.lines = append(g.lines, l)
	}
	s.grants[q.ID] = g
	for _, l := range g.lines {
		if g.output {
			b.drive(l, g, g.activeLow)
		}
		l.owner = g
	}
	return nil
}

// free hands the lines of a request back.
func (b *Board) free(g *grant) {
	for _, l := range g.lines {
		if g.output {
			b.drive(l, nil, l.PullUp)
		}
		l.owner = nil
	}
}

func (b *Board) release(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for handle, g := range s.grants {
		b.free(g)
		delete(s.grants, handle)
	}
}
