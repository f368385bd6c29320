// Package uart opens serial ports as device.Port: on Linux by itself, elsewhere
// over go.bug.st/serial.
//
// It turns what the system says into the errors that readers branch on: a
// read that ran into its timeout, a device that was pulled out, a port that we
// closed, and what other programs do to it, which it looks for each second on Linux:
// settings that are no longer ours it sets again. It refuses to know any reader's
// protocol, never touches the modem lines (ptys and many adapters fail on them), and
// searches for no ports: the site file names a stable path such as one under
// /dev/serial/by-id.
package uart

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// Open opens a port with 8 data bits, no parity, one stop bit, and drops what
// was received before. The error wraps os.ErrNotExist where the path is
// missing, os.ErrPermission where it may not be opened, device.ErrUnplugged
// where the path is there and its device is gone, device.ErrPortBusy where another
// program has it for itself.
//
// Read and SetReadTimeout are for one goroutine, Write for one, Close for any.
// A Write that the device does not take within a second fails with
// os.ErrDeadlineExceeded, and what the kernel still has of it is dropped: a
// command must not arrive late. Who opens a port again and again uses Ports.
func Open(c device.PortConfig) (device.Port, error) { return new(Ports).Open(c) }

// Ports opens serial ports as Open does, and remembers of each path when another
// program at it was told, so that a port that is opened again and again does not tell
// it anew each time. The zero value is ready. Safe for use by many goroutines.
type Ports struct {
	shared sync.Map // by path: *atomic.Int64, see port
}

// writeTime is how long a device may take to accept a write: the kernel has room for
// thousands of bytes, so that a device which takes none of them for so long hangs.
const writeTime = time.Second

// system is an open port as the system has it. Read returns 0 bytes and no error
// when the timeout passed, which is none while it is negative.
type system interface {
	io.ReadWriteCloser
	SetReadTimeout(time.Duration) error
	ResetInputBuffer() error
}

// ErrNoPort: what has the name of a port is a file, a directory or another device.
var ErrNoPort = errors.New("it is no serial port")

// Holder is a program that has a port open.
type Holder struct {
	Name string // of its command, as ps has it
	PID  int
}

func (h Holder) String() string { return fmt.Sprintf("%s (process %d)", h.Name, h.PID) }

// Open is the function Open.
func (ps *Ports) Open(c device.PortConfig) (device.Port, error) {
	lib, err := openSystem(c.Path, c.Baud)
	if err != nil {
		return nil, fmt.Errorf("open serial port %s at %d baud: %w", c.Path, c.Baud, cause(err))
	}
	if err := lib.ResetInputBuffer(); err != nil {
		_ = lib.Close()
		return nil, fmt.Errorf("drop old input of serial port %s: %w", c.Path, cause(err))
	}
	shared, _ := ps.shared.LoadOrStore(c.Path, new(atomic.Int64))
	p := &port{path: c.Path, lib: lib, timeout: -1, shared: shared.(*atomic.Int64)}
	p.late = p.fail("read", os.ErrDeadlineExceeded)
	return p, nil
}

// port adapts the system's port to the contract of device.Port.
type port struct {
	path    string
	lib     system
	timeout time.Duration
	late    error // of each Read that runs into the timeout: a bus does that at every poll
	closed  atomic.Bool

	shared   *atomic.Int64 // when another program at the path was told, in Unix nanoseconds
	settings time.Time     // when it was told that settings were set again
}

func (p *port) SetReadTimeout(d time.Duration) error {
	if p.closed.Load() {
		return p.fail("set read timeout of", os.ErrClosed)
	}
	p.timeout = max(d, -1)
	return p.lib.SetReadTimeout(p.timeout)
}

func (p *port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // the library would take the empty read for a hang-up
	}
	n, err := p.lib.Read(b)
	for !p.closed.Load() && !p.news(err) {
		n, err = p.lib.Read(b)
	}
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

// How often what another program does to a port is news.
const (
	sharedAgain   = 30 * time.Minute
	settingsAgain = 10 * time.Second
)

// news is false for what was told a while ago, of what other programs do to the port.
func (p *port) news(err error) bool {
	now := time.Now()
	switch device.PortFault(err) {
	case fault.PortShared:
		if now.Sub(time.Unix(0, p.shared.Load())) < sharedAgain {
			return false
		}
		p.shared.Store(now.UnixNano())
	case fault.PortSettings:
		if now.Sub(p.settings) < settingsAgain {
			return false
		}
		p.settings = now
	}
	return true
}

func (p *port) Write(b []byte) (int, error) {
	if p.closed.Load() {
		return 0, p.fail("write", os.ErrClosed)
	}
	n, err := p.lib.Write(b)
	switch {
	case err == nil:
		return n, nil
	case p.closed.Load():
		return n, p.fail("write", os.ErrClosed)
	}
	return n, p.fail("write", cause(err))
}

// Close frees a blocked Read and Write. A second Close returns nil.
func (p *port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
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
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("%w (%w)", device.ErrUnplugged, err)
	}
	return err
}
