package devicetest

import (
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/device"
)

// Port is a device.Port in memory: what is sent to it is read, what is written
// to it can be seen. It waits by channels and timers only, so that it works
// under testing/synctest. Safe for use by many goroutines.
type Port struct {
	mu      sync.Mutex
	in, out []byte
	timeout time.Duration
	end     error         // why no more can be read
	wake    chan struct{} // closed and made anew at each change
}

// NewPort makes a port that is plugged in and silent.
func NewPort() *Port { return &Port{timeout: -1, wake: make(chan struct{})} }

// Send is the far side: bytes that arrive at the port.
func (p *Port) Send(b []byte) {
	p.change(func() { p.in = append(p.in, b...) })
}

// Sent returns all that was written to the port so far.
func (p *Port) Sent() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]byte(nil), p.out...)
}

// Unplug is the far side going away. What it sent before can still be read.
func (p *Port) Unplug() {
	p.change(func() {
		if p.end == nil {
			p.end = device.ErrUnplugged
		}
	})
}

// Close frees a blocked Read. A second Close returns nil.
func (p *Port) Close() error {
	p.change(func() { p.in, p.end = nil, os.ErrClosed })
	return nil
}

// SetReadTimeout limits each Read from now on; negative: no limit.
func (p *Port) SetReadTimeout(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end == os.ErrClosed {
		return fmt.Errorf("set read timeout of port: %w", os.ErrClosed)
	}
	p.timeout = d
	return nil
}

// Read waits for bytes as device.Port says.
func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p.mu.Lock()
	timeout := p.timeout
	p.mu.Unlock()
	var expired <-chan time.Time
	if timeout >= 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		expired = t.C
	}
	for {
		n, wake, err := p.take(b)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-wake:
		case <-expired:
			if n, _, err := p.take(b); n > 0 || err != nil { // came in time, and we are late
				return n, err
			}
			return 0, fmt.Errorf("read port: %w", os.ErrDeadlineExceeded)
		}
	}
}

// Write never blocks.
func (p *Port) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end != nil {
		return 0, fmt.Errorf("write port: %w", p.end)
	}
	p.out = append(p.out, b...)
	return len(b), nil
}

func (p *Port) take(b []byte) (int, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(b, p.in)
	p.in = p.in[n:]
	if n == 0 && p.end != nil {
		return 0, nil, fmt.Errorf("read port: %w", p.end)
	}
	return n, p.wake, nil
}

func (p *Port) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.wake)
	p.wake = make(chan struct{})
}

// Disturbed is a port that another program disturbs: each of Errs is what one Read
// returns, before anything can be read.
type Disturbed struct {
	device.Port
	Errs []error
}

// Read returns the next of Errs, or reads the port.
func (d *Disturbed) Read(b []byte) (int, error) {
	if len(d.Errs) > 0 {
		err := d.Errs[0]
		d.Errs = d.Errs[1:]
		return 0, err
	}
	return d.Port.Read(b)
}
