// Package network is the way to listen and to connect that a part is handed, so
// that a simulation can put both ends into one process where time is virtual.
//
// It knows no protocol and refuses nothing: what may be reached is decided by
// whoever makes it.
package network

import (
	"context"
	"net"
)

// Network listens and connects. The zero value is this machine's own. Safe for
// concurrent use if its functions are.
type Network struct {
	// Listener and Dialer take the place of the machine's; nil: the machine's.
	// For a network of "unix" the listener makes a file at the address.
	Listener func(ctx context.Context, network, address string) (net.Listener, error)
	Dialer   func(ctx context.Context, network, address string) (net.Conn, error)
}

// Listen opens a listener at an address. Errors are those of package net.
func (n Network) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	if n.Listener != nil {
		return n.Listener(ctx, network, address)
	}
	return (&net.ListenConfig{}).Listen(ctx, network, address)
}

// Dial connects to an address. Errors are those of package net.
func (n Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if n.Dialer != nil {
		return n.Dialer(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}
