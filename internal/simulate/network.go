package simulate

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"gatehouse/internal/network"
)

// town is the network of everybody, in memory: an address is a path or a
// host:port. A unix socket makes a file, as a real one does.
type town struct {
	mu        sync.Mutex
	listeners map[string]*listener
	closed    map[string]bool // addresses that nobody reaches: a broken line
}

func newTown() *town { return &town{listeners: map[string]*listener{}, closed: map[string]bool{}} }

func (t *town) network() network.Network {
	return network.Network{Listener: t.listen, Dialer: t.dial}
}

func (t *town) listen(_ context.Context, kind, address string) (net.Listener, error) {
	l := &listener{town: t, kind: kind, address: address, conns: make(chan net.Conn), done: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listeners[address] != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, syscall.EADDRINUSE)
	}
	t.listeners[address] = l
	if kind == "unix" {
		if err := os.WriteFile(address, nil, 0o600); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (t *town) dial(ctx context.Context, _, address string) (net.Conn, error) {
	t.mu.Lock()
	l, off := t.listeners[address], t.closed[address]
	t.mu.Unlock()
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
	town          *town
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
		l.town.mu.Lock()
		defer l.town.mu.Unlock()
		if l.town.listeners[l.address] == l {
			delete(l.town.listeners, l.address)
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

// bar makes an address one that nobody reaches, or one that is reached again,
// and reports whether it was the first.
func (t *town) bar(address string, off bool) (was bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was, t.closed[address] = t.closed[address], off
	return was
}
