package enrolment

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// TestRateLimitForgetsTheOldest: who comes from very many networks keeps nobody
// else from asking.
func TestRateLimitForgetsTheOldest(t *testing.T) {
	l := newRateLimit(2)
	at := time.Unix(1_700_000_000, 0)
	for i := range 3 * maxSources {
		for range 3 {
			l.allow(fmt.Sprintf("[2001:db8:%x:%x::1]:1", i>>16, i&0xffff), at)
		}
	}
	if len(l.counts) != maxSources || l.order.Len() != maxSources {
		t.Errorf("%d sources are remembered, %d in order", len(l.counts), l.order.Len())
	}
	for i := range 3 {
		if l.allow("192.0.2.1:1", at) != (i < 2) {
			t.Errorf("request %d of a new source is not judged by its own count", i)
		}
	}
	if l.allow(fmt.Sprintf("[2001:db8:0:%x::9]:1", 3*maxSources-1), at) {
		t.Error("a source that is remembered has a new count")
	}
}

// TestFewConnections: a source holds so many connections and no more, and gets
// its place back when one is closed.
func TestFewConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newFewConns(inner)
	accepted := make(chan net.Conn, 2*maxConnsOfSource)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.all
	}
	var first net.Conn
	for i := range maxConnsOfSource {
		dial()
		if c := <-accepted; i == 0 {
			first = c
		}
	}
	extra := dial()
	_ = extra.SetReadDeadline(time.Now().Add(10 * time.Second)) // a connection that stays says nothing
	if _, err := extra.Read(make([]byte, 1)); err != io.EOF {
		if e, ok := err.(net.Error); !ok || e.Timeout() {
			t.Errorf("one connection more: %v", err)
		}
	}
	if first.Close(); count() != maxConnsOfSource-1 {
		t.Errorf("%d connections count", count())
	}
	_ = first.Close()
	dial()
	(<-accepted).Close()
	inner.Close()
	for c := range accepted {
		c.Close()
	}
	if count() != maxConnsOfSource-1 || len(l.open) != 1 {
		t.Errorf("%d connections count at the end, of %d sources", count(), len(l.open))
	}
}
