package socket

import (
	"net"

	"golang.org/x/sys/unix"
)

// userOf returns the user at the other end, as the kernel knows it.
func userOf(c *net.UnixConn) uint32 {
	uid := UnknownUser
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				uid = cred.Uid
			}
		})
	}
	return uid
}
