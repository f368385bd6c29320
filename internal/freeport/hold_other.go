//go:build !linux

package freeport

import (
	"fmt"
	"net"
)

// hold can only look for a port: elsewhere a socket that is bound keeps the
// server out as well.
func hold() (port int, release func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("look for a port: %w", err)
	}
	return l.Addr().(*net.TCPAddr).Port, func() {}, l.Close()
}
