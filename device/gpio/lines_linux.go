package gpio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"gatehouse/device"
)

const (
	// bufferedEvents is the most that the kernel keeps for a request (64 lines
	// of 16). On overflow it drops the oldest, which shows as a gap in Seq.
	bufferedEvents = 1024
	// batch is the most events of one read.
	batch = 64
	// eventSize is the size of struct gpio_v2_line_event.
	eventSize = 48
)

// OpenLines requests all lines in one request, so that they share one order and
// one sequence, with room for 1024 edges in the kernel. When the chip goes, both
// calls fail with ErrUnplugged; some kernels (6.1 is one) do not wake a waiting
// ReadEdges for it, which then fails when its timeout ends: give it one.
func OpenLines(cfg device.LinesConfig) (device.Lines, error) {
	req := uapi.LineRequest{EventBufferSize: bufferedEvents}
	req.Config.Flags = inputFlags(cfg)
	fd, err := request(cfg.Chip, cfg.Label, cfg.Offsets, cfg.Consumer, req)
	if err != nil {
		return nil, fmt.Errorf("lines %v of %s: %w", cfg.Offsets, cfg.Chip, err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open lines of %s: eventfd: %w", cfg.Chip, err)
	}
	l := &lines{chip: cfg.Chip, fd: fd, wake: wake, offsets: slices.Clone(cfg.Offsets)}
	l.poll = [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	return l, nil
}

func inputFlags(cfg device.LinesConfig) uapi.LineFlagV2 {
	// Rising means idle to active here: the kernel applies the polarity first.
	flags := uapi.LineFlagV2Input | uapi.LineFlagV2EdgeRising
	if cfg.BothEdges {
		flags |= uapi.LineFlagV2EdgeFalling
	}
	if cfg.ActiveLow {
		flags |= uapi.LineFlagV2ActiveLow
	}
	switch cfg.Bias {
	case device.BiasPullUp:
		flags |= uapi.LineFlagV2BiasPullUp
	case device.BiasPullDown:
		flags |= uapi.LineFlagV2BiasPullDown
	case device.BiasDisabled:
		flags |= uapi.LineFlagV2BiasDisabled
	}
	return flags
}

// lines is one request. Its descriptors stay open while use is held for
// reading; Close wakes the reader first.
type lines struct {
	chip    string
	fd      int
	wake    int // eventfd, readable once closing
	offsets []int

	use    sync.RWMutex
	closed bool
	once   sync.Once

	poll [2]unix.PollFd          // of ReadEdges
	buf  [batch * eventSize]byte // of ReadEdges
}

func (l *lines) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	l.use.RLock()
	defer l.use.RUnlock()
	if l.closed {
		return 0, os.ErrClosed
	}
	if len(dst) == 0 {
		return 0, errors.New("read edges: no room for any")
	}
	if err := l.wait(timeout); err != nil {
		return 0, err
	}
	n, err := unix.Read(l.fd, l.buf[:min(len(dst), batch)*eventSize])
	if err != nil {
		return 0, fmt.Errorf("read edges of %s: %w", l.chip, unplugged(err))
	}
	if n == 0 || n%eventSize != 0 {
		return 0, fmt.Errorf("read edges of %s: %d bytes are no events", l.chip, n)
	}
	for i := range n / eventSize {
		dst[i] = l.edge(l.buf[i*eventSize:])
	}
	order(dst[:n/eventSize])
	return n / eventSize, nil
}

// wait returns nil when the request can be read.
func (l *lines) wait(timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		var left *unix.Timespec
		if timeout >= 0 {
			ts := unix.NsecToTimespec(int64(max(time.Until(deadline), 0)))
			left = &ts
		}
		n, err := unix.Ppoll(l.poll[:], left, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for edges of %s: %w", l.chip, err)
		case l.poll[1].Revents != 0:
			return os.ErrClosed
		case n > 0 && l.poll[0].Revents&unix.POLLIN == 0: // the chip has gone
			return fmt.Errorf("wait for edges of %s: %w", l.chip, device.ErrUnplugged)
		case n > 0:
			return nil
		case timeout >= 0:
			return os.ErrDeadlineExceeded
		}
	}
}

// edge reads struct gpio_v2_line_event: u64 timestamp, u32 id, offset, seqno.
func (l *lines) edge(b []byte) device.Edge {
	return device.Edge{
		Line:   uint8(max(slices.Index(l.offsets, int(binary.NativeEndian.Uint32(b[12:]))), 0)),
		At:     time.Duration(binary.NativeEndian.Uint64(b)),
		Active: uapi.LineEventID(binary.NativeEndian.Uint32(b[8:])) == uapi.LineEventRisingEdge,
		Seq:    binary.NativeEndian.Uint32(b[16:]),
	}
}

// order sorts a batch by Seq, which is taken in the interrupt: each line has its
// own thread that queues its edges, and one may overtake another.
func order(edges []device.Edge) {
	slices.SortStableFunc(edges, func(a, b device.Edge) int { return int(int32(a.Seq - b.Seq)) })
}

func (l *lines) Levels(dst []bool) error {
	l.use.RLock()
	defer l.use.RUnlock()
	if l.closed {
		return os.ErrClosed
	}
	if len(dst) != len(l.offsets) {
		return fmt.Errorf("read levels of %s: %d lines, room for %d", l.chip, len(l.offsets), len(dst))
	}
	values := uapi.LineValues{Mask: uapi.NewLineBitMask(len(dst))}
	if err := uapi.GetLineValuesV2(uintptr(l.fd), &values); err != nil {
		return fmt.Errorf("read levels of %s: %w", l.chip, unplugged(err))
	}
	for i := range dst {
		dst[i] = values.Get(i) == 1
	}
	return nil
}

func (l *lines) Close() error {
	var err error
	l.once.Do(func() {
		// The counter of an eventfd can't be full after one write.
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1})
		l.use.Lock()
		defer l.use.Unlock()
		l.closed = true
		err = errors.Join(unix.Close(l.fd), unix.Close(l.wake))
	})
	if err != nil {
		return fmt.Errorf("close lines of %s: %w", l.chip, err)
	}
	return nil
}

// OpenOutput requests one line as an output. The request itself drives it
// inactive: there is no moment of another level. Set fails with ErrUnplugged
// when the chip has gone, with os.ErrClosed after Close. Close makes the line
// an input, which leaves it to the board's pull on every kernel, also on those
// that keep the level of a released output. Safe for concurrent use.
func OpenOutput(cfg device.OutputConfig) (device.Output, error) {
	req := uapi.LineRequest{}
	req.Config.Flags = uapi.LineFlagV2Output
	if cfg.ActiveLow {
		req.Config.Flags |= uapi.LineFlagV2ActiveLow
	}
	inactive := uapi.LineConfigAttribute{Attr: uapi.OutputValues(0).Encode(), Mask: 1}
	req.Config.AddAttribute(inactive)
	fd, err := request(cfg.Chip, cfg.Label, []int{cfg.Offset}, cfg.Consumer, req)
	if err != nil {
		return nil, fmt.Errorf("%s line %d: %w", cfg.Chip, cfg.Offset, err)
	}
	return &output{fd: fd, name: fmt.Sprintf("%s line %d", cfg.Chip, cfg.Offset)}, nil
}

type output struct {
	name string

	mu sync.Mutex
	fd int // -1: closed
}

func (o *output) Set(active bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fd < 0 {
		return fmt.Errorf("set %s: %w", o.name, os.ErrClosed)
	}
	values := uapi.LineValues{Mask: 1}
	if active {
		values.Bits = 1
	}
	if err := uapi.SetLineValuesV2(uintptr(o.fd), values); err != nil {
		return fmt.Errorf("set %s: %w", o.name, unplugged(err))
	}
	return nil
}

func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fd < 0 {
		return nil
	}
	input := uapi.LineConfig{Flags: uapi.LineFlagV2Input}
	err := uapi.SetLineConfigV2(uintptr(o.fd), &input)
	if err2 := unix.Close(o.fd); err == nil {
		err = err2
	}
	o.fd = -1
	if err != nil {
		return fmt.Errorf("close %s: %w", o.name, unplugged(err))
	}
	return nil
}
