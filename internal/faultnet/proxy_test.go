package faultnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo is a target that sends back what it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

// through starts a proxy before an echo and returns it with a client.
func through(t *testing.T) (*Proxy, net.Conn) {
	t.Helper()
	p, err := Listen("127.0.0.1:0", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := bytes.Count(stacks(), []byte("faultnet.(*Proxy)")); n != 0 {
			t.Errorf("%d frames of the proxy after Run:\n%s", n, stacks())
		}
	})
	return p, dial(t, p)
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// firstError dials and reads: a reset may strike in either.
func firstError(p *Proxy) error {
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	return err
}

// roundTrip sends bytes and reads them back, and returns how long that took.
func roundTrip(t *testing.T, c net.Conn, sent []byte) time.Duration {
	t.Helper()
	began := time.Now()
	go c.Write(sent)
	got := make([]byte, len(sent))
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Fatal("bytes were changed")
	}
	return time.Since(began)
}

func TestProxyForwards(t *testing.T) {
	p, c := through(t)
	sent := make([]byte, 1<<20)
	rand.Read(sent)
	roundTrip(t, c, sent)
	c.(*net.TCPConn).CloseWrite()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if there, back := p.Traffic(); there != 1<<20 || back != 1<<20 { // bytes are counted when they are gone, but before the end is
		t.Errorf("traffic %d, %d", there, back)
	}
}

// TestProxyIsSlow: latency and rate delay at least as much as they say.
func TestProxyIsSlow(t *testing.T) {
	p, c := through(t)
	p.Set(Weather{RoundTrip: 60 * time.Millisecond})
	if d := roundTrip(t, c, []byte("a")); d < 60*time.Millisecond {
		t.Errorf("round trip took %v", d)
	}
	p.Set(Weather{Rate: 10_000})
	if d := roundTrip(t, c, make([]byte, 2_000)); d < 150*time.Millisecond {
		t.Errorf("2,000 bytes at 10,000 a second took %v", d)
	}
	p.Set(Weather{Rate: 1})
	c.Write(make([]byte, 1_000))
	p.Set(Weather{}) // and the rest does not wait for what was set before
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(c, make([]byte, 1_000)); err != nil {
		t.Error(err)
	}
}

// TestProxyHolds: silence without an end, and nothing is lost by it.
func TestProxyHolds(t *testing.T) {
	p, c := through(t)
	p.Set(Weather{Hold: true})
	if _, err := c.Write([]byte("held")); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	p.Set(Weather{})
	got := make([]byte, 4)
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "held" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestProxyCuts: a cut and a refusal are resets, as by a router that restarts.
func TestProxyCuts(t *testing.T) {
	p, c := through(t)
	roundTrip(t, c, []byte("a"))
	p.Cut()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a cut: %v", err)
	}
	p.Set(Weather{Refuse: true})
	if err := firstError(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refused: %v", err)
	}
	p.Set(Weather{})
	roundTrip(t, dial(t, p), []byte("again"))
}

// TestProxyWithoutTarget: a broker that is not there is a reset, not a wait.
func TestProxyWithoutTarget(t *testing.T) {
	const gone = "127.0.0.1:0" // where nobody can listen; a port that was free may not be any more
	p, err := Listen("127.0.0.1:0", gone)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	if err := firstError(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("no target: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := Listen("127.0.0.1:-1", gone); err == nil || !strings.Contains(err.Error(), "listen on") {
		t.Errorf("bad address: %v", err)
	}
}
