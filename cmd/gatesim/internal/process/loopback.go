package process

import (
	"net"
	"time"

	"gatehouse/internal/socket"
)

// Loopback checks that this machine answers at its own address, where the processes of a demo meet.
func Loopback() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		defer l.Close()
		var c net.Conn
		if c, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second); err == nil {
			return c.Close()
		}
	}
	return socket.Hinted("bring its loopback up, as root: ip link set lo up", "this machine does not answer at its own address, 127.0.0.1: %v", err)
}
