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

	*devicetest.Plug // the panel's adapter

	mu       sync.Mutex
	readers  []*Reader
	port     *adapter // the last that was opened; nil in a terminal
	typed    []byte   // read from the terminal, not used yet
	echo     bool
	cut      int  // bytes until the adapter is pulled out; negative: it stays
	flooding bool // some reader may send without being asked
	changed  chan struct{}

	wire wire // only for Run
}

// NewLine makes a line in memory, plugged in.
func NewLine(readers ...*Reader) *Line {
	l := &Line{Plug: devicetest.NewPlug(nil), readers: readers, cut: -1, changed: make(chan struct{}, 1)}
	for _, r := range readers {
		r.attach(l.flooded)
	}
	return l
}

// NewTerminal makes a line behind a pseudo-terminal, plugged in, and a
// symbolic link to it, which stays the same when the terminal changes. The
// terminal knows no baud rate: readers hear everything.
func NewTerminal(link string, readers ...*Reader) (*Line, error) {
	l := NewLine(readers...)
	var err error
	l.Plug, err = devicetest.NewTerminalPlug(link, l.takeTyped)
	return l, err
}

// Open opens the port of a line in memory at a baud rate: readers that have
// another one hear noise only. The error wraps os.ErrNotExist while the
// adapter is unplugged. One port can be open at a time.
func (l *Line) Open(baud int) (device.Port, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.Plugged():
		return nil, fmt.Errorf("open line: %w", os.ErrNotExist)
	case baud <= 0:
		return nil, fmt.Errorf("open line at %d baud: %w", baud, os.ErrInvalid)
	case l.port != nil && l.port.open():
		return nil, errors.New("open line: port busy")
	}
	port := newAdapter(baud, l.poke)
	if err := l.Attach(port); err != nil {
		return nil, fmt.Errorf("open line: %w", err)
	}
	l.port = port
	return port, nil
}

// Unplug pulls the panel's adapter out: its port ends, Open fails.
func (l *Line) Unplug() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unplug()
}

func (l *Line) unplug() error {
	l.cut = -1
	return l.Plug.Unplug()
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

// Run plays the line until ctx ends, and returns ctx's error when its
// goroutines are gone.
func (l *Line) Run(ctx context.Context) error {
	var listener sync.WaitGroup
	listener.Go(func() { _ = l.Plug.Run(ctx) }) // ctx ends us, too
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
