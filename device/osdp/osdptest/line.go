package osdptest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// Line is an RS-485 line with OSDP readers at the far side of one serial
// port: in memory, where the panel opens it by Open, or behind a
// pseudo-terminal, where the panel is another process and opens Path. In memory
// it waits by channels and timers only, so that it works under testing/synctest
// and keeps exact time. Set its fields before Run. Safe for use by many
// goroutines.
type Line struct {
	// WireTime makes each byte take ten bits' time at the port's baud rate, lets
	// overlapping transmissions spoil each other, and hands bytes over by 16, as
	// a UART does. In memory only; without it bytes take no time.
	WireTime bool

	mu        sync.Mutex
	readers   []*Reader
	port      *adapter             // the last that was opened; nil in a terminal
	terminal  *devicetest.Terminal // nil in memory
	typed     []byte               // read from the terminal, not used yet
	unplugged bool
	echo      bool
	cut       int  // bytes until the adapter is pulled out; negative: it stays
	flooding  bool // some reader may send without being asked
	changed   chan struct{}

	wire wire // only for Run
}

// NewLine makes a line in memory, plugged in.
func NewLine(readers ...*Reader) *Line {
	l := &Line{
		readers: readers, cut: -1, changed: make(chan struct{}, 1),
	}
	for _, r := range readers {
		r.attach(l.flooded)
	}
	return l
}

// NewTerminal makes a line behind a pseudo-terminal, plugged in, and a
// symbolic link to it, which stays the same when the terminal changes. The
// terminal knows no baud rate: readers hear everything.
func NewTerminal(link string, readers ...*Reader) (*Line, error) {
	terminal, err := devicetest.NewTerminal(link)
	if err != nil {
		return nil, err
	}
	l := NewLine(readers...)
	l.terminal = terminal
	return l, nil
}

// Path returns the link of a terminal, for the site file; empty in memory.
func (l *Line) Path() string {
	if l.terminal == nil {
		return ""
	}
	return l.terminal.Path()
}

// Open opens the port of a line in memory at a baud rate: readers that have
// another one hear noise only. The error wraps os.ErrNotExist while the
// adapter is unplugged. One port can be open at a time.
func (l *Line) Open(baud int) (device.Port, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.terminal != nil:
		return nil, fmt.Errorf("open line in memory: it is a terminal, %s", l.terminal.Path())
	case l.unplugged:
		return nil, fmt.Errorf("open line: %w", os.ErrNotExist)
	case baud <= 0:
		return nil, fmt.Errorf("open line at %d baud: %w", baud, os.ErrInvalid)
	case l.port != nil && l.port.open():
		return nil, errors.New("open line: port busy")
	}
	l.port = newAdapter(baud, l.poke)
	return l.port, nil
}

// Unplug pulls the panel's adapter out: its port ends, Open fails.
func (l *Line) Unplug() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unplug()
}

func (l *Line) unplug() error {
	l.unplugged, l.cut = true, -1
	if l.terminal != nil {
		return l.terminal.Unplug()
	}
	if l.port != nil {
		l.port.stop(device.ErrUnplugged)
	}
	return nil
}

// Replug plugs it in again.
func (l *Line) Replug() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unplugged = false
	if l.terminal == nil {
		return nil
	}
	return l.terminal.Replug()
}

// CutAfter pulls the adapter out once so many more bytes have crossed it, in
// whichever direction.
func (l *Line) CutAfter(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = bytes
}

// SetEcho makes the adapter hand the panel's own bytes back, as those do whose
// receiver is always on.
func (l *Line) SetEcho(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.echo = on
}

// Free takes back the exclusive use that a killed process leaves on the
// terminal (see devicetest.Terminal.Free).
func (l *Line) Free() error {
	if l.terminal == nil {
		return nil
	}
	return l.terminal.Free()
}

// Close unplugs the line and removes the terminal's link.
func (l *Line) Close() error {
	err := l.Unplug()
	if l.terminal != nil {
		err = errors.Join(err, l.terminal.Close())
	}
	return err
}

// Run plays the line until ctx ends, and returns ctx's error when its
// goroutines are gone.
func (l *Line) Run(ctx context.Context) error {
	var listener sync.WaitGroup
	if l.terminal != nil {
		listener.Go(func() { l.terminal.Listen(ctx, l.takeTyped) })
	}
	defer listener.Wait()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(l.step(time.Now()))
		select {
		case <-l.changed:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeTyped takes what the panel wrote to the terminal.
func (l *Line) takeTyped(b []byte) {
	l.mu.Lock()
	l.typed = append(l.typed, b...)
	l.mu.Unlock()
	l.poke()
}

func (l *Line) poke() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Line) flooded() {
	l.mu.Lock()
	l.flooding = true
	l.mu.Unlock()
	l.poke()
}
