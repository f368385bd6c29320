package issuer

import (
	"net"

	"golang.org/x/sys/unix"
)

// peer is the user at the other end of a unix socket, as the kernel says.
func peer(c net.Conn) string {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ""
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ""
	}
	name := ""
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			name = userName(int(cred.Uid))
		}
	})
	return name
}
