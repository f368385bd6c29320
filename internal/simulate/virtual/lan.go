package virtual

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"gatehouse/internal/network"
)

// LAN is the network of everybody, in memory: an address is a path or a
// host:port. A unix socket makes a file, as a real one does.
type LAN struct {
	mu        sync.Mutex
	listeners map[string]*listener
	closed    map[string]bool // addresses that nobody reaches: a broken line
}

// NewLAN returns a network to which nobody listens yet.
func NewLAN() *LAN { return &LAN{listeners: map[string]*listener{}, closed: map[string]bool{}} }

// Sockets are how programs listen and dial in it.
func (n *LAN) Sockets() network.Network {
	return network.Network{Listener: n.listen, Dialer: n.dial}
}

func (n *LAN) listen(_ context.Context, kind, address string) (net.Listener, error) {
	l := &listener{lan: n, kind: kind, address: address, conns: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, syscall.EADDRINUSE)
	}
	n.listeners[address] = l
	if kind == "unix" {
		if err := os.WriteFile(address, nil, 0o600); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (n *LAN) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l, off := n.listeners[address], n.closed[address]
	n.mu.Unlock()
	if l == nil || off {
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- end{theirs}:
		return end{ours}, nil
	case <-l.done:
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// end is one end of a connection, with an address as a real one has.
type end struct{ net.Conn }

// RemoteAddr is the same for all: everybody sits behind one router.
func (end) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 40000} }

type listener struct {
	lan           *LAN
	kind, address string
	conns         chan net.Conn
	done          chan struct{}
	once          sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.lan.mu.Lock()
		defer l.lan.mu.Unlock()
		if l.lan.listeners[l.address] == l {
			delete(l.lan.listeners, l.address)
		}
		if l.kind == "unix" {
			_ = os.Remove(l.address)
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return place(l.address) }

type place string

func (place) Network() string  { return "memory" }
func (p place) String() string { return string(p) }

// Bar makes an address one that nobody reaches, or one that is reached again,
// and reports whether it was the first.
func (n *LAN) Bar(address string, off bool) (was bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	was, n.closed[address] = n.closed[address], off
	return was
}
