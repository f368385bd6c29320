// Package uart opens serial ports as device.Port, over go.bug.st/serial.
//
// It turns what the library says into the errors that readers branch on: a
// read that ran into its timeout, a device that was pulled out, a port that we
// closed. It refuses to know any reader's protocol, never touches the modem
// lines (ptys and many adapters fail on them), and keeps no list of ports: the
// site file names a stable path such as one under /dev/serial/by-id.
package uart

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"go.bug.st/serial"

	"gatehouse/device"
)

// Open opens a port with 8 data bits, no parity, one stop bit, and drops what
// was received before. The error wraps os.ErrNotExist where the path is
// missing, os.ErrPermission where it may not be opened, device.ErrUnplugged
// where the path is there and its device is gone.
//
// Read and SetReadTimeout are for one goroutine, Write for one, Close for any.
// A Write that the device does not take within a second fails with
// os.ErrDeadlineExceeded, and so does each after it until it has. (Nothing frees
// such a write in the kernel, not even Close: its goroutine waits there.)
func Open(c device.PortConfig) (device.Port, error) {
	p, err := serial.Open(c.Path, &serial.Mode{
		BaudRate: c.Baud,
		DataBits: 8,
		Parity:   serial.NoParity,
		StopBits: serial.OneStopBit,
	})
	if err != nil {
		return nil, fmt.Errorf("open serial port %s at %d baud: %w", c.Path, c.Baud, openCause(err))
	}
	if err := p.ResetInputBuffer(); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("drop old input of serial port %s: %w", c.Path, cause(err))
	}
	opened := &port{path: c.Path, lib: p, timeout: serial.NoTimeout, quit: make(chan struct{})}
	opened.late = opened.fail("read", os.ErrDeadlineExceeded)
	return opened, nil
}

// port adapts the library's port to the contract of device.Port.
type port struct {
	path    string
	lib     serial.Port
	timeout time.Duration
	late    error // of each Read that runs into the timeout: a bus does that at every poll
	closed  atomic.Bool

	writer *writer       // nil until the first Write
	quit   chan struct{} // closed by Close
}

func (p *port) SetReadTimeout(d time.Duration) error {
	if p.closed.Load() {
		return p.fail("set read timeout of", os.ErrClosed)
	}
	if d < 0 {
		d = serial.NoTimeout
	}
	p.timeout = d
	return p.lib.SetReadTimeout(d)
}

func (p *port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // the library would take the empty read for a hang-up
	}
	n, err := p.lib.Read(b)
	switch {
	case p.closed.Load():
		return 0, p.fail("read", os.ErrClosed)
	case err != nil:
		return n, p.fail("read", cause(err))
	case n == 0 && p.timeout < 0:
		return 0, p.fail("read", device.ErrUnplugged) // ready with nothing to read: hung up
	case n == 0:
		return 0, p.late
	}
	return n, nil
}

func (p *port) Write(b []byte) (int, error) {
	if p.closed.Load() {
		return 0, p.fail("write", os.ErrClosed)
	}
	if p.writer == nil {
		p.writer = newWriter(p.lib.Write, p.quit)
	}
	n, err := p.writer.send(b)
	switch {
	case err == nil:
		return n, nil
	case p.closed.Load():
		return n, p.fail("write", os.ErrClosed)
	}
	return n, p.fail("write", cause(err))
}

// Close frees a blocked Read. A second Close returns nil.
func (p *port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	close(p.quit)
	if err := p.lib.Close(); err != nil && !errors.Is(cause(err), device.ErrUnplugged) {
		return p.fail("close", err)
	}
	return nil
}

func (p *port) fail(tried string, err error) error {
	return fmt.Errorf("%s serial port %s: %w", tried, p.path, err)
}

// cause tells a device that went away from one that fails.
func cause(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) && pe.Code() == serial.PortClosed {
		return device.ErrUnplugged
	}
	switch {
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("%w (%w)", device.ErrUnplugged, err)
	}
	return err
}

// openCause is cause for Open: the library hides the kernel's number there.
func openCause(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) && pe.Code() == serial.PermissionDenied {
		return fmt.Errorf("%w (%w)", os.ErrPermission, err)
	}
	return cause(err)
}
