package devicetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/device"
)

// Remote is the daemon's side of a Board: its Lines and Output take the place
// of those of a real chip. They work while Run does; when the connection ends
// they return device.ErrUnplugged, as when a chip is pulled out. Safe for use
// by many goroutines.
type Remote struct {
	conn net.Conn
	gone chan struct{} // closed when Run ends

	send sync.Mutex // one request at a time on the wire

	mu    sync.Mutex
	last  uint64
	calls map[uint64]chan reply
	lines map[uint64]*remoteLines
}

// NewRemote makes a Remote over a connection to a Board. It starts nothing.
func NewRemote(conn net.Conn) *Remote {
	return &Remote{
		conn: conn, gone: make(chan struct{}),
		calls: map[uint64]chan reply{}, lines: map[uint64]*remoteLines{},
	}
}

// Run carries answers and edges until the connection ends, which is nil, or
// ctx does. Then the connection is closed: run it longer than whatever still
// has an output to set. Once only.
func (r *Remote) Run(ctx context.Context) error {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = r.conn.Close()
	})
	err := r.receive()
	if stop() {
		_ = r.conn.Close()
	} else {
		<-closed
	}
	close(r.gone)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if hungUp(err) {
		return nil
	}
	return err
}

func (r *Remote) receive() error {
	in := json.NewDecoder(bufio.NewReader(r.conn))
	for {
		var m reply
		if err := in.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read from the board: %w", err)
		}
		r.mu.Lock()
		call, lines := r.calls[m.ID], r.lines[m.Handle]
		delete(r.calls, m.ID)
		r.mu.Unlock()
		if lines != nil {
			lines.add(m.Edges)
		}
		if call != nil {
			call <- m // has room for the one answer
		}
	}
}

// id returns a new request id, which is also the handle of what it opens.
func (r *Remote) id() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	return r.last
}

// call sends a request and waits for its answer.
func (r *Remote) call(q request) (reply, error) {
	line, err := json.Marshal(q)
	if err != nil {
		return reply{}, err
	}
	answer := make(chan reply, 1)
	r.mu.Lock()
	r.calls[q.ID] = answer
	r.mu.Unlock()
	defer r.forget(q.ID)
	r.send.Lock()
	_, err = r.conn.Write(append(line, '\n'))
	r.send.Unlock()
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w (%w)", q.Op, device.ErrUnplugged, err)
	}
	select {
	case m := <-answer:
		return m, m.err()
	case <-r.gone:
		return reply{}, fmt.Errorf("%s: %w", q.Op, device.ErrUnplugged)
	}
}

// Lines requests input lines, as device/gpio does on a real chip. The error
// wraps os.ErrNotExist where there is no such chip.
func (r *Remote) Lines(c device.LinesConfig) (device.Lines, error) {
	id := r.id()
	l := &remoteLines{remote: r, handle: id, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	r.mu.Lock()
	r.lines[id] = l // before the answer: edges may follow at once
	r.mu.Unlock()
	_, err := r.call(request{
		ID: id, Op: "lines", Chip: c.Chip, Offsets: c.Offsets, ActiveLow: c.ActiveLow, Both: c.BothEdges,
	})
	if err != nil {
		r.drop(id)
		return nil, fmt.Errorf("request lines %v of chip %s: %w", c.Offsets, c.Chip, err)
	}
	return l, nil
}

// Output requests an output line and drives it inactive.
func (r *Remote) Output(c device.OutputConfig) (device.Output, error) {
	id := r.id()
	_, err := r.call(request{ID: id, Op: "output", Chip: c.Chip, Offsets: []int{c.Offset}, ActiveLow: c.ActiveLow})
	if err != nil {
		return nil, fmt.Errorf("request output %d of chip %s: %w", c.Offset, c.Chip, err)
	}
	return &remoteOutput{remote: r, handle: id}, nil
}

// forget ends the wait for an answer.
func (r *Remote) forget(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, id)
}

// drop ends the delivery of edges.
func (r *Remote) drop(handle uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.lines, handle)
}

type remoteOutput struct {
	remote *Remote
	handle uint64
	closed atomic.Bool
}

func (o *remoteOutput) Set(active bool) error {
	if o.closed.Load() {
		return fmt.Errorf("set output: %w", os.ErrClosed)
	}
	_, err := o.remote.call(request{ID: o.remote.id(), Op: "set", Handle: o.handle, Active: active})
	return err
}

func (o *remoteOutput) Close() error {
	if o.closed.Swap(true) {
		return nil
	}
	_, err := o.remote.call(request{ID: o.remote.id(), Op: "close", Handle: o.handle})
	return err
}

type remoteLines struct {
	remote *Remote
	handle uint64

	mu    sync.Mutex
	queue []device.Edge
	wake  chan struct{}

	once   sync.Once
	closed chan struct{}
}

func (l *remoteLines) add(edges []edge) {
	l.mu.Lock()
	for _, e := range edges {
		l.queue = append(l.queue, e.edge())
	}
	if over := len(l.queue) - maxQueue; over > 0 {
		l.queue = append(l.queue[:0], l.queue[over:]...)
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *remoteLines) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	if len(dst) == 0 {
		return 0, fmt.Errorf("read edges: no room for one")
	}
	var expired <-chan time.Time
	if timeout >= 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		expired = t.C
	}
	for {
		select {
		case <-l.closed:
			return 0, fmt.Errorf("read edges: %w", os.ErrClosed)
		default:
		}
		if n := l.take(dst); n > 0 {
			return n, nil
		}
		select {
		case <-l.wake:
		case <-l.closed:
		case <-expired:
			if n := l.take(dst); n > 0 { // came in time, and we are late
				return n, nil
			}
			return 0, fmt.Errorf("read edges: %w", os.ErrDeadlineExceeded)
		case <-l.remote.gone:
			if n := l.take(dst); n > 0 {
				return n, nil
			}
			return 0, fmt.Errorf("read edges: %w", device.ErrUnplugged)
		}
	}
}

func (l *remoteLines) take(dst []device.Edge) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := copy(dst, l.queue)
	l.queue = append(l.queue[:0], l.queue[n:]...)
	return n
}

func (l *remoteLines) Levels(dst []bool) error {
	select {
	case <-l.closed:
		return fmt.Errorf("read levels: %w", os.ErrClosed)
	default:
	}
	m, err := l.remote.call(request{ID: l.remote.id(), Op: "levels", Handle: l.handle})
	if err != nil {
		return fmt.Errorf("read levels: %w", err)
	}
	if len(dst) != len(m.Levels) {
		return fmt.Errorf("read levels of %d lines into %d", len(m.Levels), len(dst))
	}
	copy(dst, m.Levels)
	return nil
}

func (l *remoteLines) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closed)
		l.remote.drop(l.handle)
		_, err = l.remote.call(request{ID: l.remote.id(), Op: "close", Handle: l.handle})
	})
	return err
}
