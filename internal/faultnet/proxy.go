package faultnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// What one direction of a connection holds at most: 64 reads of 32 KiB.
const (
	readSize = 32 << 10
	readsDue = 64
)

// Weather says how a stretch of network behaves. The zero value is a good one.
type Weather struct {
	RoundTrip time.Duration // added, half of it each way
	Rate      int           // bytes a second, each way of each connection; 0: no limit
	Hold      bool          // nothing is forwarded and nothing closed: a half-open connection
	Refuse    bool          // new connections are reset at once
}

// Proxy forwards TCP connections through the weather. Its methods may be called
// by any goroutine, while it runs.
type Proxy struct {
	listener    *net.TCPListener
	target      string
	there, back atomic.Int64

	mu      sync.Mutex
	weather Weather
	changed chan struct{} // closed when weather changes
	pairs   map[*pair]bool
	stopped bool
}

// pair is a connection from a client and the one made for it to the target.
type pair struct {
	client, server *net.TCPConn
	done           chan struct{}
	once           sync.Once
}

// kill resets both connections.
func (c *pair) kill() {
	c.once.Do(func() {
		close(c.done)
		for _, conn := range []*net.TCPConn{c.client, c.server} {
			conn.SetLinger(0)
			conn.Close()
		}
	})
}

// Listen opens the listening socket of a proxy, "127.0.0.1:0" for any free
// port. Connections wait until Run.
func Listen(address, target string) (*Proxy, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &Proxy{listener: l.(*net.TCPListener), target: target, changed: make(chan struct{}), pairs: make(map[*pair]bool)}, nil
}

// Addr returns host:port that the proxy listens on.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the weather for all connections, also those that there are.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) now() (Weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.changed
}

// Cut resets every connection that there is. New ones are not refused.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		c.kill()
	}
}

// Traffic returns how many bytes were forwarded to the target and back.
func (p *Proxy) Traffic() (there, back int64) { return p.there.Load(), p.back.Load() }

// Run forwards until ctx ends, then resets all connections, closes the
// listening socket and returns nil when all goroutines are gone. It can't run
// again.
func (p *Proxy) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all.Go(func() {
		<-ctx.Done()
		p.stop()
	})
	for {
		client, err := p.listener.AcceptTCP()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				client.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", p.Addr(), err)
		case err != nil: // out of files, or a client that is gone: none of it lasts
			time.Sleep(10 * time.Millisecond)
			continue
		}
		all.Go(func() { p.connection(ctx, client) })
	}
}

func (p *Proxy) stop() {
	p.listener.Close()
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.Cut()
}

// connection serves one client from its first byte to its last.
func (p *Proxy) connection(ctx context.Context, client *net.TCPConn) {
	reset := func() { client.SetLinger(0); client.Close() }
	if w, _ := p.now(); w.Refuse {
		reset()
		return
	}
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", p.target)
	if err != nil {
		reset()
		return
	}
	c := &pair{client: client, server: server.(*net.TCPConn), done: make(chan struct{})}
	if !p.add(c) {
		c.kill()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(c, c.server, client, &p.there) })
	both.Go(func() { p.forward(c, client, c.server, &p.back) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
	client.Close()
	server.Close()
}

// add reports whether the pair may live.
func (p *Proxy) add(c *pair) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.pairs[c] = true
	}
	return !p.stopped
}

// chunk is what one read gave.
type chunk struct {
	bytes []byte
	read  time.Time
}

// forward copies one direction. An end of the stream goes through as such; any
// error ends both directions.
func (p *Proxy) forward(c *pair, dst, src *net.TCPConn, count *atomic.Int64) {
	due := make(chan chunk, readsDue)
	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(func() {
		defer close(due)
		for {
			b := make([]byte, readSize)
			n, err := src.Read(b)
			if err != nil {
				if err != io.EOF {
					c.kill()
				}
				return
			}
			select {
			case due <- chunk{b[:n], time.Now()}:
			case <-c.done:
				return
			}
		}
	})
	for ch := range due {
		if !p.write(c, dst, ch, count) {
			c.kill()
			return
		}
	}
	dst.CloseWrite()
}

// write brings one chunk through the weather.
func (p *Proxy) write(c *pair, dst *net.TCPConn, ch chunk, count *atomic.Int64) bool {
	for len(ch.bytes) > 0 {
		w, changed := p.now()
		if late := time.Until(ch.read.Add(w.RoundTrip / 2)); w.Hold || late > 0 {
			if w.Hold {
				late = time.Hour
			}
			if !wait(c, changed, late) {
				return false
			}
			continue
		}
		n := len(ch.bytes)
		if w.Rate > 0 {
			n = min(n, max(1, w.Rate/20))
		}
		if _, err := dst.Write(ch.bytes[:n]); err != nil {
			return false
		}
		count.Add(int64(n))
		ch.bytes = ch.bytes[n:]
		if w.Rate > 0 && !wait(c, changed, time.Duration(n)*time.Second/time.Duration(w.Rate)) {
			return false
		}
	}
	return true
}

// wait returns after d or when the weather changes; false if the pair is dead.
func wait(c *pair, changed <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-c.done:
		return false
	}
	return true
}
