package devicetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"gatehouse/device"
)

const (
	// repeatEvery is how often an RDM6300 sends the card that lies on it.
	repeatEvery = 50 * time.Millisecond
	// writeLimit is how long bytes wait for room: nobody reads, so they are
	// lost, as on a wire.
	writeLimit = 20 * time.Millisecond
	// ghostNumber is one that such modules made up, with a right checksum
	// (arendst/Tasmota issue 9522).
	ghostNumber = 0x4FFB388FFF
)

// SerialReader is an RDM6300 on a pseudo-terminal: STX, ten hex digits of the
// card's 40 bits, two of their XOR by bytes, ETX, every 50 ms while the card is
// there. A symbolic link stands for it, as /dev/serial/by-id does for an
// adapter, and stays the same when the terminal behind it changes. Safe for
// use by many goroutines.
type SerialReader struct {
	link    string
	plugged chan struct{} // the terminal is another one

	mu     sync.Mutex
	master *os.File // nil while unplugged
	slave  *os.File // kept open: without it the terminal forgets its settings
	path   string
}

// NewSerialReader makes a reader that is plugged in, and the link to it.
func NewSerialReader(link string) (*SerialReader, error) {
	s := &SerialReader{link: link, plugged: make(chan struct{}, 1)}
	if err := s.Replug(); err != nil {
		return nil, err
	}
	return s, nil
}

// Path returns the link, for the site file.
func (s *SerialReader) Path() string { return s.link }

// Present holds a card up: its frame at once, and again every 50 ms for as
// long as hold. It returns after that, or when ctx ends, or with
// device.ErrUnplugged.
func (s *SerialReader) Present(ctx context.Context, number uint64, hold time.Duration) error {
	tick := time.NewTicker(repeatEvery)
	defer tick.Stop()
	frame := rdm6300(number)
	for sent := time.Duration(0); ; sent += repeatEvery {
		if err := s.Noise(frame); err != nil {
			return err
		}
		if sent+repeatEvery > hold {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ghost sends one frame of a card that is not there.
func (s *SerialReader) Ghost() error { return s.Noise(rdm6300(ghostNumber)) }

// Noise sends bytes as they are. Bytes that nobody reads are lost.
func (s *SerialReader) Noise(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return fmt.Errorf("send on serial reader %s: %w", s.link, device.ErrUnplugged)
	}
	if err := s.send(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("send on serial reader %s: %w", s.link, err)
	}
	return nil
}

// send writes what there is room for at once, however long this machine lets us
// wait for our turn, and the rest within the limit.
func (s *SerialReader) send(b []byte) error {
	raw, err := s.master.SyscallConn()
	if err != nil {
		return err
	}
	n := 0
	if err := raw.Control(func(fd uintptr) { n, _ = unix.Write(int(fd), b) }); err != nil {
		return err
	}
	if n = max(n, 0); n == len(b) { // -1 where there is no room or something is wrong: the next write tells
		return nil
	}
	if err := s.master.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	_, err = s.master.Write(b[n:])
	return err
}

// Free takes back the exclusive use that a killed process leaves on a
// pseudo-terminal: until then only root can open it. On a real adapter it goes
// with the last user, so call it after each kill.
func (s *SerialReader) Free() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slave == nil {
		return nil
	}
	if err := unix.IoctlSetInt(int(s.slave.Fd()), unix.TIOCNXCL, 0); err != nil {
		return fmt.Errorf("free serial reader %s: %w", s.link, err)
	}
	return nil
}

// Unplug pulls the cable: whoever has the port open sees it hang up, and the
// link points nowhere.
func (s *SerialReader) Unplug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return nil
	}
	// Not left on the old terminal: its number may soon be somebody else's.
	err := errors.Join(relink(s.link+".unplugged", s.link), s.master.Close(), s.slave.Close())
	s.master, s.slave = nil, nil
	return err
}

// Replug plugs the cable in again: another terminal, the same link.
func (s *SerialReader) Replug() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master != nil {
		return nil
	}
	master, slave, err := openPTY(s.path)
	if err != nil {
		return fmt.Errorf("plug in serial reader %s: %w", s.link, err)
	}
	if err := relink(slave.Name(), s.link); err != nil {
		return errors.Join(err, master.Close(), slave.Close())
	}
	s.master, s.slave, s.path = master, slave, slave.Name()
	select {
	case s.plugged <- struct{}{}:
	default:
	}
	return nil
}

// listen hands over what is written to the terminal, whichever it is just then,
// until ctx ends. One listener at a time.
func (s *SerialReader) listen(ctx context.Context, heard func([]byte)) {
	b := make([]byte, 4096)
	for ctx.Err() == nil {
		f := s.current()
		if f == nil {
			select {
			case <-s.plugged:
			case <-ctx.Done():
			}
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
		for {
			n, err := f.Read(b)
			if err != nil {
				break
			}
			heard(b[:n])
		}
		stop()
	}
}

// current returns the far end of the terminal, nil while unplugged.
func (s *SerialReader) current() *os.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.master
}

// Close unplugs the reader and removes the link.
func (s *SerialReader) Close() error {
	return errors.Join(s.Unplug(), os.Remove(s.link))
}

// rdm6300 encodes the low 40 bits of a number. It is written apart from the
// decoder under test.
func rdm6300(number uint64) []byte {
	number &= 1<<40 - 1
	xor := number>>32 ^ number>>24 ^ number>>16 ^ number>>8 ^ number
	return fmt.Appendf(nil, "\x02%010X%02X\x03", number, xor&0xFF)
}

// openPTY opens a raw pseudo-terminal with another path than the last one's.
func openPTY(last string) (master, slave *os.File, err error) {
	m, slave, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	if slave.Name() == last {
		spare, spareSlave := m, slave
		defer func() { _, _ = spare.Close(), spareSlave.Close() }()
		if m, slave, err = pty.Open(); err != nil {
			return nil, nil, err
		}
	}
	if _, err := term.MakeRaw(int(slave.Fd())); err != nil {
		return nil, nil, errors.Join(err, m.Close(), slave.Close())
	}
	master, err = nonblocking(m)
	if err != nil {
		return nil, nil, errors.Join(err, m.Close(), slave.Close())
	}
	return master, slave, m.Close()
}

// nonblocking returns a copy of f whose writes can have a deadline; the pty
// package leaves its files in blocking mode.
func nonblocking(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// relink makes link point to target in one step.
func relink(target, link string) error {
	fresh := link + ".new"
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}
