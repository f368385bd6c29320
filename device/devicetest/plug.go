package devicetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/device"
)

// Plug connects a serial fake to one port in memory, which the code under test
// opens by Open, or to a pseudo-terminal, which another process opens by Path.
// Safe for use by many goroutines.
type Plug struct {
	heard func([]byte) // takes what was written to the port

	mu       sync.Mutex
	port     FarEnd    // the last that was opened; nil in a terminal
	out      bool      // unplugged
	terminal *Terminal // nil in memory
}

// FarEnd is the far end of a port in memory.
type FarEnd interface {
	Send([]byte) // to whoever reads the port
	Unplug()
}

// NewPlug makes a plug in memory, plugged in. heard takes what is written to the
// port, from the goroutine that writes; nil: nobody does.
func NewPlug(heard func([]byte)) *Plug {
	return &Plug{heard: heard}
}

// NewTerminalPlug makes a plug with a terminal, plugged in, and a symbolic link to
// it. heard takes what is written to the terminal, for as long as Run runs.
func NewTerminalPlug(link string, heard func([]byte)) (*Plug, error) {
	terminal, err := NewTerminal(link)
	if err != nil {
		return nil, err
	}
	p := NewPlug(heard)
	p.terminal = terminal
	return p, nil
}

// Open opens the port in memory. The error wraps os.ErrNotExist while the plug is
// out. What was sent before is lost.
func (p *Plug) Open() (device.Port, error) {
	port := NewPort()
	if err := p.Attach(port); err != nil {
		return nil, err
	}
	return &heardPort{port, p.heard}, nil
}

// Attach makes port the one that is open: a fake with ports of its own does so in
// place of Open. The errors are those of Open.
func (p *Plug) Attach(port FarEnd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal != nil {
		return fmt.Errorf("open port in memory: it is a terminal, %s", p.terminal.Path())
	}
	if p.out {
		return fmt.Errorf("open port: %w", os.ErrNotExist)
	}
	p.port = port
	return nil
}

// Plugged reports whether the plug is in.
func (p *Plug) Plugged() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.out
}

// heardPort tells the fake what is written.
type heardPort struct {
	*Port
	heard func([]byte)
}

func (p *heardPort) Write(b []byte) (int, error) {
	n, err := p.Port.Write(b)
	if p.heard != nil {
		p.heard(b[:n])
	}
	return n, err
}

// Path returns the link to the terminal, for the site file; empty in memory.
func (p *Plug) Path() string {
	if p.terminal == nil {
		return ""
	}
	return p.terminal.Path()
}

// Unplug pulls the plug: whoever has the port open sees it hang up.
func (p *Plug) Unplug() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = true
	if p.terminal != nil {
		return p.terminal.Unplug()
	}
	if p.port != nil {
		p.port.Unplug()
	}
	return nil
}

// Replug puts it in again.
func (p *Plug) Replug() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = false
	if p.terminal == nil {
		return nil
	}
	return p.terminal.Replug()
}

// Free takes back a terminal that a killed process had (see Terminal.Free).
func (p *Plug) Free() error {
	if p.terminal == nil {
		return nil
	}
	return p.terminal.Free()
}

// Close unplugs and removes the terminal's link.
func (p *Plug) Close() error {
	err := p.Unplug()
	if p.terminal != nil {
		err = errors.Join(err, p.terminal.Close())
	}
	return err
}

// Send sends bytes as they are: noise, a frame of one's own. Bytes that nobody
// reads are lost.
func (p *Plug) Send(b []byte) error {
	if p.terminal != nil {
		return p.terminal.Send(b)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out {
		return fmt.Errorf("send on port in memory: %w", device.ErrUnplugged)
	}
	if p.port != nil {
		p.port.Send(b)
	}
	return nil
}

// Run listens at a terminal until ctx ends, and returns ctx.Err(): a fake that is
// asked hears nothing without it. In memory it only waits.
func (p *Plug) Run(ctx context.Context) error {
	if p.terminal == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	p.terminal.Listen(ctx, p.heard)
	return ctx.Err()
}

// pause waits for d, or returns ctx.Err().
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
