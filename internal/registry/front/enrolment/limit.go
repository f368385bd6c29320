package enrolment

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of what strangers may use of the front's HTTPS.
const (
	maxSources       = 4096 // whose requests are counted
	maxConns         = 256  // open at a time
	maxConnsOfSource = 16
)

// sourceOf is the address or, with IPv6, the /64 network for which requests from a
// remote address are counted. The zero Addr stands for what is no address.
func sourceOf(remote string) netip.Addr {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	source := a.Addr().Unmap().WithZone("")
	if source.Is6() {
		prefix, _ := source.Prefix(64)
		source = prefix.Addr()
	}
	return source
}

// rateLimit counts requests of each source within a minute. It remembers the
// maxSources that asked last: an attacker with more networks gets more requests, and
// keeps nobody else from theirs. Safe for concurrent use.
type rateLimit struct {
	perMinute int

	mu     sync.Mutex
	counts map[netip.Addr]*list.Element
	order  list.List // of *count, the one that asked last in front
}

type count struct {
	source netip.Addr
	since  time.Time
	n      int
}

func newRateLimit(perMinute int) *rateLimit {
	return &rateLimit{perMinute: perMinute, counts: map[netip.Addr]*list.Element{}}
}

func (l *rateLimit) allow(remote string, now time.Time) bool {
	source := sourceOf(remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.counts[source]
	if e == nil {
		if len(l.counts) >= maxSources {
			oldest := l.order.Back()
			delete(l.counts, l.order.Remove(oldest).(*count).source)
		}
		e = l.order.PushFront(&count{source: source, since: now})
		l.counts[source] = e
	}
	l.order.MoveToFront(e)
	c := e.Value.(*count)
	if now.Sub(c.since) >= time.Minute || now.Before(c.since) {
		c.since, c.n = now, 0
	}
	c.n++
	return c.n <= l.perMinute
}

// fewConns is a listener with at most maxConns open connections, and maxConnsOfSource
// of one source; more are closed at once. Slow ones end by the server's timeouts.
type fewConns struct {
	net.Listener

	mu   sync.Mutex
	open map[netip.Addr]int
	all  int
}

// Accept waits for a connection that there is room for.
func (l *fewConns) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := sourceOf(c.RemoteAddr().String())
		if l.take(source) {
			return &countedConn{Conn: c, free: sync.OnceFunc(func() { l.release(source) })}, nil
		}
		_ = c.Close()
	}
}

func newFewConns(l net.Listener) *fewConns {
	return &fewConns{Listener: l, open: map[netip.Addr]int{}}
}

func (l *fewConns) take(source netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxConns || l.open[source] >= maxConnsOfSource {
		return false
	}
	l.all++
	l.open[source]++
	return true
}

func (l *fewConns) release(source netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.open[source]--; l.open[source] == 0 {
		delete(l.open, source)
	}
}

// countedConn is a connection that frees its place when it is closed.
type countedConn struct {
	net.Conn
	free func()
}

// Close closes the connection; more than once does no harm.
func (c *countedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
