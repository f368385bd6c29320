package enrolment

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of the front's HTTPS server for strangers.
const (
	maxSources       = 4096 // sources whose requests are counted
	maxConns         = 256  // open connections
	maxConnsOfSource = 16
)

// sourceOf returns the address or, with IPv6, the /64 network to which requests from a remote
// address are attributed. The zero Addr stands for an unknown address.
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

// rateLimit counts the requests of each source within a minute. It has the maxSources most recent
// sources: an attacker with more networks gets more requests, but blocks nobody else's. It is safe
// for concurrent use.
type rateLimit struct {
	perMinute int

	mu     sync.Mutex
	counts map[netip.Addr]*list.Element
	order  list.List // of *count, the most recent first
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

// fewConns is a listener with at most maxConns open connections, and maxConnsOfSource from one
// source; more are closed at once. Slow ones end by the server's timeouts.
type fewConns struct {
	net.Listener

	mu   sync.Mutex
	open map[netip.Addr]int
	all  int
}

// Accept returns the next connection within the limits.
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

// countedConn is a connection that is no longer counted when it is closed.
type countedConn struct {
	net.Conn
	free func()
}

// Close closes the connection. It may be called more than once.
func (c *countedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
