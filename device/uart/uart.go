// Package uart opens serial ports as device.Port: on Linux directly, elsewhere with
// go.bug.st/serial.
//
// It maps the system's errors to those that readers branch on: a read that timed out, an unplugged
// device, a port that we closed. On Linux it also checks every second what other programs do to the
// port, and restores its settings. It knows no reader's protocol, never drives the modem lines
// (ptys and many adapters fail on them), and searches for no ports: the site file names a stable
// path, such as one below /dev/serial/by-id.
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

// Open opens a port with 8 data bits, no parity and one stop bit, and drops what was received
// before. The error wraps os.ErrNotExist if the path is missing, os.ErrPermission if it may not be
// opened, device.ErrUnplugged if the path is there but its device is gone, device.ErrPortBusy if
// another program has locked it.
//
// Read and SetReadTimeout are for one goroutine, Write for one, Close for any. A Write that the
// device does not accept within a second fails with os.ErrDeadlineExceeded, and the rest is removed
// from the kernel's buffer: a command must not arrive late. Use Ports to open a port repeatedly.
func Open(c device.PortConfig) (device.Port, error) { return new(Ports).Open(c) }

// Ports opens serial ports as Open does, and remembers for each path when another program was
// reported, so that a port that is opened repeatedly does not report it each time. The zero value
// is ready. It is safe for concurrent use.
type Ports struct {
	shared sync.Map // by path: *atomic.Int64, see port
}

// writeTime is how long a device may take to accept a write. The kernel buffers thousands of bytes,
// so a device that accepts none for this long hangs.
const writeTime = time.Second

// system is an open port of the operating system. Read returns 0 bytes and no error when the
// timeout has passed; a negative timeout is none.
type system interface {
	io.ReadWriteCloser
	SetReadTimeout(time.Duration) error
	ResetInputBuffer() error
}

// ErrNoPort means that the path is a file, a directory or another device.
var ErrNoPort = errors.New("it is no serial port")

// Holder is a program that has a port open.
type Holder struct {
	Name string // of its command, as in ps
	PID  int
}

func (h Holder) String() string { return fmt.Sprintf("%s (process %d)", h.Name, h.PID) }

// Open is as the function Open.
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
	late    error // the error of each Read that times out, made once: a bus has one at every poll
	closed  atomic.Bool

	shared   *atomic.Int64 // when another program at the path was reported, Unix ns
	settings time.Time     // when restored settings were reported
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
		return 0, nil // 0 bytes would look like a hang-up
	}
	n, err := p.lib.Read(b)
	for !p.closed.Load() && !p.reports(err) {
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

// How often the acts of another program are reported.
const (
	sharedAgain   = 30 * time.Minute
	settingsAgain = 10 * time.Second
)

// reports returns false for an act of another program that was reported a short while ago.
func (p *port) reports(err error) bool {
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

// Close ends a blocked Read and Write. A second Close returns nil.
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

// cause distinguishes an unplugged device from one that fails.
func cause(err error) error {
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENODEV) {
		return fmt.Errorf("%w (%w)", device.ErrUnplugged, err)
	}
	return err
}
