package devicetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gatehouse/device"
)

// IDCardPort is a port in memory with an IDCardModule at its far end: what is
// written to it, the module hears at once.
type IDCardPort struct {
	*Port
	module *IDCardModule
}

// NewIDCardPort connects the module to a new port, and to no other any more. If
// limit is above 0 the cable is pulled when so many bytes have come from the
// module.
func NewIDCardPort(m *IDCardModule, limit int) *IDCardPort {
	p := &IDCardPort{NewPort(), m}
	left := limit
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard, m.send = nil, func(b []byte) {
		if limit > 0 && len(b) >= left {
			p.Send(b[:left])
			p.Unplug()
			left = 0
			return
		}
		left -= len(b)
		p.Send(b)
	}
	return p
}

// Write passes b on to the module.
func (p *IDCardPort) Write(b []byte) (int, error) {
	n, err := p.Port.Write(b)
	p.module.hear(b[:n])
	return n, err
}

// IDCardTTY is an IDCardModule on a pseudo-terminal, with a symbolic link that
// stands for it as /dev/serial/by-id does for an adapter.
type IDCardTTY struct {
	module *IDCardModule
	line   *Terminal
}

// NewIDCardTTY plugs the module in under a link, and to no other line any more.
// It hears nothing until Run.
func NewIDCardTTY(m *IDCardModule, link string) (*IDCardTTY, error) {
	line, err := NewTerminal(link)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard, m.send = nil, func(b []byte) { _ = line.Send(b) } // nobody hears an unplugged one
	return &IDCardTTY{m, line}, nil
}

// Path returns the link.
func (t *IDCardTTY) Path() string { return t.line.Path() }

// Run lets the module hear until ctx ends or the cable is pulled.
func (t *IDCardTTY) Run(ctx context.Context) error {
	t.line.mu.Lock()
	master := t.line.master
	t.line.mu.Unlock()
	if master == nil {
		return fmt.Errorf("hear on ID-card module %s: %w", t.Path(), device.ErrUnplugged)
	}
	stop := context.AfterFunc(ctx, func() { _ = master.SetReadDeadline(time.Now()) })
	defer stop()
	buf := make([]byte, 64)
	for {
		n, err := master.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("hear on ID-card module %s: %w", t.Path(), err)
		}
		t.module.hear(buf[:n])
	}
}

// Unplug pulls the cable, which ends Run.
func (t *IDCardTTY) Unplug() error { return t.line.Unplug() }

// Close unplugs the module and removes the link.
func (t *IDCardTTY) Close() error { return t.line.Close() }
