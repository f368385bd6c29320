package devicetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Socketpair makes the connection between a Board and a daemon that is another
// process: the near end for Serve, the far end for exec.Cmd.ExtraFiles. Close
// the far end once the process runs, or the near end never sees it die.
func Socketpair() (near net.Conn, far *os.File, err error) {
	syscall.ForkLock.RLock() // no child may inherit the ends by chance
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	near, err = Inherited(uintptr(fds[0]))
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(fds[1]))
	}
	return near, os.NewFile(uintptr(fds[1]), "board"), nil
}

// Inherited returns the connection that a parent left at a file descriptor: 3
// for the first of exec.Cmd.ExtraFiles. It owns the descriptor from then on.
func Inherited(fd uintptr) (net.Conn, error) {
	f := os.NewFile(fd, "board")
	if f == nil {
		return nil, fmt.Errorf("connection at file descriptor %d: %w", fd, os.ErrInvalid)
	}
	defer f.Close() // FileConn works on a copy
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("connection at file descriptor %d: %w", fd, err)
	}
	return conn, nil
}
