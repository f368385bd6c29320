package osdptest

import (
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/device"
)

// adapter is the panel's adapter on a Line in memory. Like Port it waits
// by channels and timers only, and needs no heap once it runs.
type adapter struct {
	baud    int
	written func() // tells the line

	mu      sync.Mutex
	in, out []byte // to the panel, from the panel
	at      []chunk
	timeout time.Duration
	end     error
	wake    chan struct{} // holds one, as soon as in or end changes
	timer   *time.Timer   // of the one who reads
}

// errSilence is made once: a panel runs into it before each command.
var errSilence = fmt.Errorf("read port: %w", os.ErrDeadlineExceeded)

// chunk is one Write: bytes of out, and when they were written.
type chunk struct {
	n  int
	at time.Time
}

func newAdapter(baud int, written func()) *adapter {
	return &adapter{baud: baud, written: written, timeout: -1, wake: make(chan struct{}, 1)}
}

func (p *adapter) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	var expired <-chan time.Time
	for {
		n, timeout, err := p.take(b)
		if n > 0 || err != nil {
			return n, err
		}
		if expired == nil && timeout >= 0 {
			expired = p.expire(timeout)
		}
		select {
		case <-p.wake:
		case <-expired:
			if n, _, err := p.take(b); n > 0 || err != nil { // came in time, and we are late
				return n, err
			}
			return 0, errSilence
		}
	}
}

// expire starts the one timer anew.
func (p *adapter) expire(d time.Duration) <-chan time.Time {
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	return p.timer.C
}

func (p *adapter) take(b []byte) (int, time.Duration, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(b, p.in)
	p.in = p.in[:copy(p.in, p.in[n:])]
	if n == 0 && p.end != nil {
		return 0, 0, fmt.Errorf("read port: %w", p.end)
	}
	return n, p.timeout, nil
}

// Write never blocks: a driver has a buffer.
func (p *adapter) Write(b []byte) (int, error) {
	p.mu.Lock()
	if p.end != nil {
		p.mu.Unlock()
		return 0, fmt.Errorf("write port: %w", p.end)
	}
	p.out = append(p.out, b...)
	p.at = append(p.at, chunk{len(b), time.Now()})
	p.mu.Unlock()
	p.written()
	return len(b), nil
}

func (p *adapter) SetReadTimeout(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == os.ErrClosed {
		return fmt.Errorf("set read timeout of port: %w", os.ErrClosed)
	}
	p.timeout = d
	return nil
}

// Close frees a blocked Read. A second Close returns nil.
func (p *adapter) Close() error {
	p.stop(os.ErrClosed)
	return nil
}

// stop ends reading and writing; what was received can be read unless we closed.
func (p *adapter) stop(why error) {
	p.mu.Lock()
	if p.end != os.ErrClosed {
		p.end = why
	}
	if why == os.ErrClosed {
		p.in = nil
	}
	p.mu.Unlock()
	p.notify()
}

func (p *adapter) notify() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Unplug is the adapter's plug pulled out.
func (p *adapter) Unplug() { p.stop(device.ErrUnplugged) }

// Send is what arrives at the panel.
func (p *adapter) Send(b []byte) {
	p.mu.Lock()
	if p.end == nil {
		p.in = append(p.in, b...)
	}
	p.mu.Unlock()
	p.notify()
}

// receive returns the oldest write, appended to dst, and when it was.
func (p *adapter) receive(dst []byte) ([]byte, time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.at) == 0 {
		return dst, time.Time{}, false
	}
	c := p.at[0]
	dst = append(dst, p.out[:c.n]...)
	p.out = p.out[:copy(p.out, p.out[c.n:])]
	p.at = p.at[:copy(p.at, p.at[1:])]
	return dst, c.at, true
}

var _ device.Port = (*adapter)(nil)

// open tells whether the panel still has it.
func (p *adapter) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end == nil
}
