package uart

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/device"
)

// tty is an open terminal device of Linux. It never blocks in read(2) or write(2): another program
// may have taken the bytes that poll(2) reported, and a port that another program set to whole
// lines has none to read.
type tty struct {
	fd   int
	wake int // eventfd, readable once the port is being closed
	want unix.Termios

	use    sync.RWMutex // read-locked while fd is used; Close wakes a blocked poll, then closes
	closed bool

	timeout time.Duration
	watch   watch
}

// openSystem opens a terminal device and locks it, as far as the locks end with this process:
// TIOCEXCL would stay on a pty whose other end is still open.
func openSystem(path string, baud int) (system, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, busy(err)
	}
	t := &tty{fd: fd, wake: -1, timeout: -1}
	if err := t.setUp(baud); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return t, nil
}

func (t *tty) setUp(baud int) (err error) {
	about := unix.Stat_t{}
	if err = unix.Fstat(t.fd, &about); err != nil {
		return err
	}
	if err = unix.Flock(t.fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return busy(err)
	}
	if err = t.set(baud); err != nil {
		return fmt.Errorf("set it up: %w", err)
	}
	if !isPty(about.Rdev) {
		_ = unix.IoctlSetInt(t.fd, unix.TIOCEXCL, 0) // flock protects it all the same
	}
	t.watch = watch{about: about, read: int64(about.Atim.Sec)}
	t.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return err
}

// busy wraps device.ErrPortBusy around the kernel's errors for a locked port.
func busy(err error) error {
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w (%w)", device.ErrPortBusy, err)
	}
	return err
}

// The kernel's major numbers of the slave ends of ptys.
const firstPty, lastPty = 136, 143

func isPty(rdev uint64) bool {
	major := unix.Major(rdev)
	return major >= firstPty && major <= lastPty
}

// set makes the port carry every byte unchanged, and keeps the settings that the driver made of
// that.
func (t *tty) set(baud int) error {
	s, err := unix.IoctlGetTermios(t.fd, unix.TCGETS2)
	if err != nil {
		return err
	}
	s.Iflag = 0
	s.Oflag &^= unix.OPOST
	s.Lflag = 0
	s.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.CMSPAR | unix.CBAUD | unix.CIBAUD
	s.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL | speed(baud)
	s.Ispeed, s.Ospeed = uint32(baud), uint32(baud)
	s.Cc[unix.VMIN], s.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(t.fd, unix.TCSETS2, s); err != nil {
		return err
	}
	if s, err = unix.IoctlGetTermios(t.fd, unix.TCGETS2); err != nil {
		return err
	}
	t.want = *s
	return nil
}

// speed returns the kernel's constant for a usual baud rate, so that stty shows it; else BOTHER,
// with which the rate is a number.
func speed(baud int) uint32 {
	usual := map[int]uint32{1200: unix.B1200, 2400: unix.B2400, 4800: unix.B4800, 9600: unix.B9600, 19200: unix.B19200,
		38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200, 230400: unix.B230400}
	if sign, ok := usual[baud]; ok {
		return sign
	}
	return unix.BOTHER
}

func (t *tty) ResetInputBuffer() error { return unix.IoctlSetInt(t.fd, unix.TCFLSH, unix.TCIFLUSH) }

func (t *tty) SetReadTimeout(d time.Duration) error { t.timeout = d; return nil }

// Read returns 0 bytes and no error when the timeout has passed.
func (t *tty) Read(b []byte) (int, error) {
	t.use.RLock()
	defer t.use.RUnlock()
	deadline := time.Now().Add(t.timeout)
	for {
		if t.closed {
			return 0, os.ErrClosed
		}
		now := time.Now()
		if err := t.look(now); err != nil {
			return 0, err
		}
		wait := t.watch.next.Sub(now)
		if t.timeout >= 0 {
			wait = min(wait, max(deadline.Sub(now), 0))
		}
		ready, err := t.poll(unix.POLLIN, wait)
		switch {
		case err != nil:
			return 0, err
		case ready == 0 && t.timeout >= 0 && !time.Now().Before(deadline):
			return 0, nil
		case ready == 0:
			continue
		}
		if n, err := t.take(b, ready); n > 0 || err != nil {
			return n, err
		}
	}
}

// take reads the bytes that poll reported. It returns 0 and no error if another program was faster,
// or if its settings made an end of file of a byte.
func (t *tty) take(b []byte, ready int16) (int, error) {
	n, err := unix.Read(t.fd, b)
	switch {
	case n > 0:
		t.watch.noted(t.fd)
		return n, nil
	case errors.Is(err, unix.EINTR):
		return 0, nil
	case errors.Is(err, unix.EAGAIN):
		t.watch.taken = true
		t.watch.next = time.Time{}
		return 0, nil
	case err != nil:
		return 0, err
	case ready&(unix.POLLHUP|unix.POLLERR) != 0 || t.asSet():
		return 0, device.ErrUnplugged // ready with nothing to read: hung up
	}
	t.watch.next = time.Time{}
	return 0, nil
}

// Write writes all of b. Bytes that the device does not accept in time, or before Close, are
// dropped.
func (t *tty) Write(b []byte) (int, error) {
	t.use.RLock()
	defer t.use.RUnlock()
	if t.closed {
		return 0, os.ErrClosed
	}
	for done, end := 0, time.Now().Add(writeTime); ; {
		n, err := unix.Write(t.fd, b[done:])
		done += max(n, 0)
		left := time.Until(end)
		switch {
		case err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR):
			return done, err
		case done == len(b):
			return done, nil
		case left <= 0:
			err = os.ErrDeadlineExceeded
		default:
			_, err = t.poll(unix.POLLOUT, left)
		}
		if err != nil {
			_ = unix.IoctlSetInt(t.fd, unix.TCFLSH, unix.TCOFLUSH)
			return 0, err
		}
	}
}

// poll waits for one of the events, and returns 0 when the time has passed.
func (t *tty) poll(events int16, wait time.Duration) (int16, error) {
	fds := [2]unix.PollFd{{Fd: int32(t.fd), Events: events}, {Fd: int32(t.wake), Events: unix.POLLIN}}
	for end := time.Now().Add(wait); ; {
		left := unix.NsecToTimespec(int64(max(time.Until(end), 0)))
		_, err := unix.Ppoll(fds[:], &left, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case fds[1].Revents != 0:
			return 0, os.ErrClosed
		}
		return fds[0].Revents, nil
	}
}

func (t *tty) Close() error {
	_, _ = unix.Write(t.wake, []byte{1, 0, 0, 0, 0, 0, 0, 1}) // the counter of an eventfd can't be full after one write
	t.use.Lock()
	defer t.use.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	return errors.Join(unix.Close(t.fd), unix.Close(t.wake))
}
