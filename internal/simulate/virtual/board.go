package virtual

import (
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/internal/gateway"
)

// Board is the hardware of one gateway: a reader on two lines and a lock that is
// driven to open. Lines wake on edges and are never polled. It outlives the
// daemon, as a board does.
type Board struct {
	clock *Clock

	mu     sync.Mutex
	lines  map[*lines]bool
	shown  time.Time // when a card was held up last
	driven bool
	opened int              // how often the lock was driven
	codes  *devicetest.Port // of the scanner; nil: it is not open
}

// NewBoard returns a board whose edges are timed by a clock.
func NewBoard(c *Clock) *Board { return &Board{clock: c, lines: map[*lines]bool{}} }

// Hardware is the board as one daemon has it; a daemon whose plug was pulled
// reaches the board no more.
func (b *Board) Hardware(alive func() bool) gateway.Hardware {
	return gateway.Hardware{
		Lines: func(c device.LinesConfig) (device.Lines, error) {
			l := &lines{board: b, wake: make(chan struct{}, 1), closed: make(chan struct{})}
			b.mu.Lock()
			b.lines[l] = len(c.Offsets) == 2 // the reader's
			b.mu.Unlock()
			return l, nil
		},
		Output: func(device.OutputConfig) (device.Output, error) { return &output{b, alive}, nil },
		Port: func(device.PortConfig) (device.Port, error) {
			p := devicetest.NewPort()
			b.mu.Lock()
			defer b.mu.Unlock()
			b.codes = p
			return p, nil
		},
	}
}

// Show holds a card up to the reader, a second after the one before: two frames
// can't be on its wires at once. The frame's edges lie just behind now.
func (b *Board) Show(c device.Card) {
	const apart = 2 * time.Millisecond
	time.Sleep(time.Until(b.shown.Add(time.Second)))
	b.shown = time.Now()
	begin := b.clock.Boot() - time.Duration(c.Len())*apart
	b.mu.Lock()
	defer b.mu.Unlock()
	for l, reader := range b.lines {
		if !reader {
			continue
		}
		for i := range c.Len() {
			l.seq++
			l.queue = append(l.queue, device.Edge{Line: c.Bit(i), Active: true, At: begin + time.Duration(i)*apart, Seq: l.seq})
		}
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// Scan holds a code up to the scanner.
func (b *Board) Scan(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.codes != nil {
		b.codes.Send([]byte(text + "\r\n"))
	}
}

// Releases counts how often the lock was driven.
func (b *Board) Releases() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opened
}

type output struct {
	board *Board
	alive func() bool
}

func (o *output) Set(active bool) error {
	if !o.alive() {
		return device.ErrUnplugged
	}
	o.board.mu.Lock()
	defer o.board.mu.Unlock()
	if active && !o.board.driven {
		o.board.opened++
	}
	o.board.driven = active
	return nil
}

func (o *output) Close() error { return o.Set(false) }

type lines struct {
	board  *Board
	seq    uint32
	queue  []device.Edge
	wake   chan struct{}
	once   sync.Once
	closed chan struct{}
}

// polling is the longest wait that is a look at what should have woken the
// reader by itself; here nothing is ever lost, so that it waits for an edge.
const polling = time.Second

func (l *lines) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	var expired <-chan time.Time
	if timeout >= 0 && timeout < polling {
		t := time.NewTimer(timeout)
		defer t.Stop()
		expired = t.C
	}
	for {
		if n := l.take(dst); n > 0 {
			return n, nil
		}
		select {
		case <-l.wake:
		case <-l.closed:
			return 0, fmt.Errorf("read edges: %w", os.ErrClosed)
		case <-expired:
			if n := l.take(dst); n > 0 {
				return n, nil
			}
			return 0, fmt.Errorf("read edges: %w", os.ErrDeadlineExceeded)
		}
	}
}

func (l *lines) take(dst []device.Edge) int {
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	n := copy(dst, l.queue)
	l.queue = append(l.queue[:0], l.queue[n:]...)
	return n
}

func (l *lines) Levels(dst []bool) error {
	clear(dst)
	return nil
}

func (l *lines) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.board.mu.Lock()
		defer l.board.mu.Unlock()
		delete(l.board.lines, l)
	})
	return nil
}

// CardOf is the n-th card of the world: 26 bits with both parities (H10301).
func CardOf(n int) device.Card {
	v := uint64(n*2654435761) & 0xffffff
	even, odd := uint64(0), uint64(1)
	for i := range 12 {
		even ^= v >> (12 + i) & 1
		odd ^= v >> i & 1
	}
	return device.CardOf(even<<25|v<<1|odd, 26)
}
