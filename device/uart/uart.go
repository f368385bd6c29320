// Package uart opens serial ports as device.Port: on Linux by itself, elsewhere
// over go.bug.st/serial.
//
// It turns what the system says into the errors that readers branch on: a
// read that ran into its timeout, a device that was pulled out, a port that we
// closed, and what other programs do to it, which on Linux it looks for each second:
// settings that are no longer ours it sets again. It refuses to know any reader's protocol, never touches the modem
// lines (ptys and many adapters fail on them), and searches for no ports: the
// site file names a stable path such as one under /dev/serial/by-id.
package uart

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.bug.st/serial"

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
// command must not arrive late. Few drivers can't drop it; then each Write fails
// until the device takes it, and not even Close frees the thread that waits in
// the kernel. Who opens a port again and again uses Ports.
func Open(c device.PortConfig) (device.Port, error) { return new(Ports).Open(c) }

// Ports opens serial ports as Open does, but not one at whose path a write from
// before still waits in the kernel: else each new attempt at a device that hangs
// would cost one more thread. The zero value is ready. Safe for use by many
// goroutines.
type Ports struct {
	mu   sync.Mutex
	last map[string]*port // by path
	dial func(path string, mode *serial.Mode) (system, error)
}

// system is an open port as the system has it. Read returns 0 bytes and no error
// when the timeout passed.
type system interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	SetReadTimeout(time.Duration) error
	SetMode(*serial.Mode) error
	ResetInputBuffer() error
	ResetOutputBuffer() error
	Close() error
}

// ErrNoPort: what has the name of a port is a file, a directory or another device.
var ErrNoPort = errors.New("it is no serial port")

// Holder is a program that has a port open.
type Holder struct {
	Name string // of its command, as ps has it
	PID  int
}

func (h Holder) String() string { return fmt.Sprintf("%s (process %d)", h.Name, h.PID) }

func names(who []Holder) (list []string) {
	for _, h := range who {
		list = append(list, h.String())
	}
	return list
}

// Open is the function Open, and refuses a path at which a write hangs.
func (ps *Ports) Open(c device.PortConfig) (device.Port, error) {
	if last := ps.lastAt(c.Path); last != nil && last.stuck() {
		return nil, fmt.Errorf("open serial port %s: a write to it still hangs in the kernel: unplug the device and plug it in again", c.Path)
	}
	dial := ps.dial
	if dial == nil {
		dial = openSystem
	}
	mode := serial.Mode{
		BaudRate: c.Baud,
		DataBits: 8,
		Parity:   serial.NoParity,
		StopBits: serial.OneStopBit,
	}
	lib, err := dial(c.Path, &mode)
	if err != nil {
		return nil, fmt.Errorf("open serial port %s at %d baud: %w", c.Path, c.Baud, openCause(err))
	}
	if err := lib.ResetInputBuffer(); err != nil {
		_ = lib.Close()
		return nil, fmt.Errorf("drop old input of serial port %s: %w", c.Path, cause(err))
	}
	p := newPort(c.Path, lib, mode)
	if last := ps.lastAt(c.Path); last != nil {
		p.shared.Store(last.shared.Load()) // who opens it again and again is not told anew each time
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.last == nil {
		ps.last = map[string]*port{}
	}
	ps.last[c.Path] = p
	return p, nil
}

func (ps *Ports) lastAt(path string) *port {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.last[path]
}

// port adapts the library's port to the contract of device.Port.
type port struct {
	path    string
	lib     system
	mode    serial.Mode
	timeout time.Duration
	late    error // of each Read that runs into the timeout: a bus does that at every poll
	closed  atomic.Bool
	writer  *writer
	quit    chan struct{} // closed by Close

	// When it was told of another program at the port, and of settings that were set
	// again, in Unix nanoseconds; 0: never.
	shared, settings atomic.Int64

	flushing sync.Mutex // no flush after the library's Close: the number of its file may be another's then
	shut     bool       // the library's port is closed
}

func newPort(path string, lib system, mode serial.Mode) *port {
	p := &port{path: path, lib: lib, mode: mode, timeout: serial.NoTimeout, quit: make(chan struct{})}
	p.late = p.fail("read", os.ErrDeadlineExceeded)
	p.writer = newWriter(lib.Write, p.flush, p.quit)
	return p
}

// stuck says that the port is closed, and a write to it still waits, not only for
// a moment.
func (p *port) stuck() bool {
	return p.closed.Load() && p.writer.busy.Load() && !p.writer.gone(freeTime)
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
	told, again := &p.shared, sharedAgain
	switch device.PortFault(err) {
	case fault.None:
		return true
	case fault.PortSettings:
		told, again = &p.settings, settingsAgain
	}
	now := time.Now().UnixNano()
	if last := told.Load(); last != 0 && now-last < int64(again) {
		return false
	}
	told.Store(now)
	return true
}

func (p *port) Write(b []byte) (int, error) {
	if p.closed.Load() {
		return 0, p.fail("write", os.ErrClosed)
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

// Close frees a blocked Read, and a Write as far as the driver can drop what was
// written. A second Close returns nil.
func (p *port) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	close(p.quit)
	if p.writer.busy.Load() && !p.writer.gone(endTime) {
		p.writer.drop()
		p.writer.gone(freeTime) // better before the number of the port's file may be another's
	}
	p.flushing.Lock()
	err := p.lib.Close()
	p.shut = true
	p.flushing.Unlock()
	if err != nil && !errors.Is(cause(err), device.ErrUnplugged) {
		return p.fail("close", err)
	}
	return nil
}

// flush drops what the kernel did not send yet, and wakes the write that waits for
// room: Linux does so for a UART by itself, for a pty when its settings are set,
// be they the same. What fails shows in that the write goes on waiting.
func (p *port) flush() {
	p.flushing.Lock()
	defer p.flushing.Unlock()
	if !p.shut {
		_ = p.lib.ResetOutputBuffer()
		_ = p.lib.SetMode(&p.mode)
	}
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
