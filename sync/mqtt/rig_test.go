package mqtt_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/rs/zerolog"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
)

// waitLimit is for what happens soon on any machine; whoever waits that long has
// failed.
const waitLimit = 30 * time.Second

// quick are waits that a test can afford.
var quick = mqtt.Jitter{First: time.Millisecond, Loss: 20 * time.Millisecond, Max: 100 * time.Millisecond}

// never means one attempt only: the random wait is one of years.
var never = mqtt.Jitter{First: time.Millisecond, Loss: 100_000 * time.Hour, Max: 100_000 * time.Hour}

// as is the configuration of a client of b with a good certificate.
func as(t testing.TB, b *broker, name string, subscribe ...string) mqtt.Config {
	return with(b, b.ca, b.ca.issue(t, name, valid), subscribe...)
}

// with trusts a CA and shows a certificate.
func with(b *broker, trusted *authority, cert tls.Certificate, subscribe ...string) mqtt.Config {
	return mqtt.Config{Broker: "mqtts://" + b.addr, Subscribe: subscribe, Jitter: quick, Log: zerolog.Nop(),
		TLS: func(string) (*tls.Config, error) {
			return &tls.Config{RootCAs: trusted.pool(), Certificates: []tls.Certificate{cert}}, nil
		}}
}

// running is a link that runs.
type running struct {
	*mqtt.Link
	t    testing.TB
	stop func() // and wait until Run has returned
}

// run starts a link. At the end of the test it must stop and leave no
// goroutine.
func run(t testing.TB, cfg mqtt.Config) *running {
	t.Helper()
	l, err := mqtt.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	r := &running{Link: l, t: t, stop: func() {
		t.Helper()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			ended <- nil
		case <-time.After(waitLimit):
			t.Fatalf("Run does not return:\n%s", stacks())
		}
	}}
	t.Cleanup(func() { r.stop() })
	return r
}

func stacks() []byte {
	b := make([]byte, 1<<22)
	return b[:runtime.Stack(b, true)]
}

// leftovers are goroutines of the package or of paho.
var leftovers = regexp.MustCompile(`paho\.mqtt\.golang|sync/mqtt\.\(\*`)

// noGoroutines checks that the last one ends: paho's are past their last act
// when Run returns, but perhaps not yet off the list.
func noGoroutines(t testing.TB) {
	t.Helper()
	var left [][]byte
	for end := time.Now().Add(waitLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		left = nil
		for g := range bytes.SplitSeq(stacks(), []byte("\n\n")) {
			if leftovers.Match(g) {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("%d goroutines left:\n%s", len(left), bytes.Join(left, []byte("\n\n")))
}

// is waits until the link is up or down.
func (r *running) is(up bool) {
	r.t.Helper()
	late := time.After(waitLimit)
	for {
		now, changed := r.State()
		if now == up {
			return
		}
		select {
		case <-changed:
		case <-late:
			r.t.Fatalf("link is not up = %v: %+v", up, r.Status())
		}
	}
}

// until waits for a status.
func (r *running) until(what string, ok func(mqtt.Status) bool) {
	r.t.Helper()
	for end := time.Now().Add(waitLimit); !ok(r.Status()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("in vain: %s: %+v", what, r.Status())
		}
	}
}

// problem waits for a status whose advice contains text, and checks that the
// link was never up.
func (r *running) problem(text string) {
	r.t.Helper()
	r.until("an error", func(s mqtt.Status) bool { return s.Err != nil })
	if s := r.Status(); !strings.Contains(s.Advice, text) || s.Up || s.Connects > 0 {
		r.t.Errorf("want advice %q, got %+v", text, s)
	}
}

func (r *running) say(topic string, payload []byte) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	if err := r.Publish(ctx, topic, payload); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) hear(topic string, payload []byte) {
	r.t.Helper()
	select {
	case m := <-r.Messages():
		if m.Topic != topic || !bytes.Equal(m.Payload, payload) {
			r.t.Fatalf("heard %d bytes on %s", len(m.Payload), m.Topic)
		}
	case <-time.After(waitLimit):
		r.t.Fatalf("nothing heard on %s: %+v", topic, r.Status())
	}
}

// proxyTo runs a proxy before b.
func proxyTo(t testing.TB, b *broker) *faultnet.Proxy {
	t.Helper()
	p, err := faultnet.Listen("127.0.0.1:0", b.addr)
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
	})
	return p
}

// sendRaw publishes what a link would refuse to.
func sendRaw(t testing.TB, addr, topic string, payload []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier = "MQTT", 4, true, "raw"
	if err := hello.Write(c); err != nil {
		t.Fatal(err)
	}
	if _, err := packets.ReadPacket(c); err != nil {
		t.Fatal(err)
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, payload
	if err := p.Write(c); err != nil {
		t.Fatal(err)
	}
	if err := packets.NewControlPacket(packets.Disconnect).Write(c); err != nil {
		t.Fatal(err)
	}
	packets.ReadPacket(c) // until the broker has read all of it
}
