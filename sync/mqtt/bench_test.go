package mqtt_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/mqtt"
)

// BenchmarkPublish sends messages from one link to another through a broker, no
// more in flight than fit the receiver, and then the same bytes in as many
// writes over a bare TCP connection: x-tcp is how many times longer the broker
// takes.
func BenchmarkPublish(b *testing.B) {
	plain := func(addr string) *broker { return &broker{addr: addr} }
	for name, start := range map[string]func(testing.TB) *broker{
		"mosquitto/plain": func(t testing.TB) *broker {
			addr := freePort(t)
			runMosquitto(t, addr, "allow_anonymous true\n")
			return plain(addr)
		},
		"nats/plain": func(t testing.TB) *broker {
			addr := freePort(t)
			runNATS(t, addr, func(*natsOptions) {})
			return plain(addr)
		},
		"mosquitto/tls": func(t testing.TB) *broker { return mosquitto(t, valid) },
		"nats/tls":      func(t testing.TB) *broker { return natsServer(t, valid) },
	} {
		for _, size := range []int{200, 48 << 10} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				at := start(b)
				from, to := run(b, client(b, at)), run(b, client(b, at, "x"))
				from.is(true)
				to.is(true)
				b.SetBytes(int64(size))
				b.ResetTimer()
				through(b, from, to, make([]byte, size))
				took := b.Elapsed()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/took.Seconds(), "msg/s")
				b.ReportMetric(took.Seconds()/bareTCP(b, size, b.N).Seconds(), "x-tcp")
			})
		}
	}
}

// client may publish and subscribe to anything at a broker with or without TLS.
func client(t testing.TB, b *broker, subscribe ...string) mqtt.Config {
	if b.ca != nil {
		return as(t, b, "desk", subscribe...)
	}
	return mqtt.Config{Broker: "mqtt://" + b.addr, Subscribe: subscribe, Jitter: quick, Log: zerolog.Nop()}
}

// through sends b.N messages.
func through(b *testing.B, from, to *running, payload []byte) {
	window := make(chan struct{}, mqtt.Backlog/2)
	sent := make(chan error, 1)
	go func() {
		var err error
		for range b.N {
			window <- struct{}{}
			if err == nil {
				err = from.Publish(b.Context(), "x", payload)
			}
		}
		sent <- err
	}()
	for i := range b.N {
		select {
		case <-to.Messages():
			<-window
		case <-time.After(waitLimit):
			b.Fatalf("message %d of %d is lost: %+v", i, b.N, to.Status())
		}
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
}

// bareTCP returns how long n writes of size take until the last byte was read.
func bareTCP(b *testing.B, size, n int) time.Duration {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	read := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.CopyN(io.Discard, c, int64(size)*int64(n))
			c.Close()
		}
		read <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	payload := make([]byte, size)
	began := time.Now()
	for range n {
		if _, err := c.Write(payload); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-read; err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkConnect is one connection from the dial to the SUBACK and its orderly
// end, beside a bare TLS handshake with the same certificates.
func BenchmarkConnect(b *testing.B) {
	for name, start := range map[string]func(testing.TB, days) *broker{"mosquitto": mosquitto, "nats": natsServer} {
		b.Run(name, func(b *testing.B) {
			at := start(b, valid)
			cfg := as(b, at, "desk", "x")
			cfg.Jitter.First = time.Nanosecond
			b.ResetTimer()
			for range b.N {
				l := run(b, cfg)
				l.is(true)
				l.stop()
			}
			took := b.Elapsed()
			b.StopTimer()
			b.ReportMetric(took.Seconds()/handshakes(b, at, cfg, b.N).Seconds(), "x-tls")
		})
	}
}

func handshakes(b *testing.B, at *broker, cfg mqtt.Config, n int) time.Duration {
	c, err := cfg.TLS("")
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	for range n {
		conn, err := tls.Dial("tcp", at.addr, c)
		if err != nil {
			b.Fatal(err)
		}
		conn.Close()
	}
	return time.Since(began)
}
