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

// writeLimit is how long bytes wait for room: nobody reads, so they are lost, as
// on a wire.
const writeLimit = 20 * time.Millisecond

// Terminal is a serial adapter made of a pseudo-terminal, for a fake whose user is
// another process. A symbolic link stands for it, as /dev/serial/by-id does for
// an adapter, and stays the same when the terminal behind it changes. Safe for
// use by many goroutines.
type Terminal struct {
	link    string
	plugged chan struct{} // the terminal is another one

	mu     sync.Mutex
	master *os.File // nil while unplugged
	slave  *os.File // kept open: without it the terminal forgets its settings
	path   string
}

// NewTerminal makes a terminal that is plugged in, and the link to it.
func NewTerminal(link string) (*Terminal, error) {
	t := &Terminal{link: link, plugged: make(chan struct{}, 1)}
	if err := t.Replug(); err != nil {
		return nil, err
	}
	return t, nil
}

// Path returns the link, for the site file.
func (t *Terminal) Path() string { return t.link }

// Send sends bytes to whoever has the terminal open. Bytes that nobody reads are
// lost.
func (t *Terminal) Send(b []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.master == nil {
		return fmt.Errorf("send on terminal %s: %w", t.link, device.ErrUnplugged)
	}
	if err := t.write(b); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("send on terminal %s: %w", t.link, err)
	}
	return nil
}

// write sends what there is room for at once, however long this machine lets us
// wait for our turn, and the rest within the limit.
func (t *Terminal) write(b []byte) error {
	raw, err := t.master.SyscallConn()
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
	if err := t.master.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	_, err = t.master.Write(b[n:])
	return err
}

// Free takes back the exclusive use that a killed process leaves on a
// pseudo-terminal: until then only root can open it. On a real adapter it goes
// with the last user, so call it after each kill.
func (t *Terminal) Free() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slave == nil {
		return nil
	}
	if err := unix.IoctlSetInt(int(t.slave.Fd()), unix.TIOCNXCL, 0); err != nil {
		return fmt.Errorf("free terminal %s: %w", t.link, err)
	}
	return nil
}

// Unplug pulls the cable: whoever has the port open sees it hang up, and the
// link points nowhere.
func (t *Terminal) Unplug() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.master == nil {
		return nil
	}
	// Not left on the old terminal: its number may soon be somebody else't.
	err := errors.Join(relink(t.link+".unplugged", t.link), t.master.Close(), t.slave.Close())
	t.master, t.slave = nil, nil
	return err
}

// Replug plugs the cable in again: another terminal, the same link.
func (t *Terminal) Replug() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.master != nil {
		return nil
	}
	master, slave, err := openPTY(t.path)
	if err != nil {
		return fmt.Errorf("plug in terminal %s: %w", t.link, err)
	}
	if err := relink(slave.Name(), t.link); err != nil {
		return errors.Join(err, master.Close(), slave.Close())
	}
	t.master, t.slave, t.path = master, slave, slave.Name()
	select {
	case t.plugged <- struct{}{}:
	default:
	}
	return nil
}

// Listen hands over what is written to the terminal, whichever it is just then,
// until ctx ends. One listener at a time.
func (t *Terminal) Listen(ctx context.Context, heard func([]byte)) {
	b := make([]byte, 4096)
	for ctx.Err() == nil {
		f := t.current()
		if f == nil {
			select {
			case <-t.plugged:
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
func (t *Terminal) current() *os.File {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.master
}

// Close unplugs the terminal and removes the link.
func (t *Terminal) Close() error {
	return errors.Join(t.Unplug(), os.Remove(t.link))
}

// openPTY opens a raw pseudo-terminal with another path than the last one't.
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
