//go:build !linux

package issuer

import (
	"net"
	"os"
)

// peer is this process's user: no other may use the socket.
func peer(net.Conn) string { return userName(os.Getuid()) }
