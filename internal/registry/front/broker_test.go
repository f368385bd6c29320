package front

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/freeport"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// need skips a test whose part is not installed, or fails it where parts are
// demanded.
func need(t *testing.T, part, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	for _, demanded := range strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ",") {
		if demanded == part {
			t.Fatalf("%s is demanded and not installed", program)
		}
	}
	t.Skipf("SKIP (needs %s): %s is not installed", part, program)
	return ""
}

// wired is a model gateway on a real connection.
type wired struct {
	*model
	link *mqtt.Link
	stop func()
}

func (r *rig) clientTLS(cert tls.Certificate) func(string) (*tls.Config, error) {
	pool := x509.NewCertPool()
	pool.AddCert(r.ca)
	return func(string) (*tls.Config, error) {
		return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}, nil
	}
}

func (r *rig) wire(g *model, broker string, cert tls.Certificate, filters ...string) *wired {
	r.t.Helper()
	if filters == nil {
		filters = []string{g.place.Down("+"), g.place.House("+")}
	}
	l, err := mqtt.New(mqtt.Config{Broker: "mqtts://" + broker, TLS: r.clientTLS(cert), Subscribe: filters,
		Jitter: mqtt.Jitter{First: time.Nanosecond, Loss: 100 * time.Millisecond, Max: 200 * time.Millisecond}, Log: zerolog.Nop()})
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = l.Run(ctx) }()
	w := &wired{g, l, sync.OnceFunc(func() { cancel(); <-ended })}
	r.t.Cleanup(w.stop)
	return w
}

// up waits until the link stands.
func (w *wired) up(wait time.Duration) bool {
	deadline := time.After(wait)
	for {
		up, changed := w.link.State()
		if up {
			return true
		}
		select {
		case <-changed:
		case <-deadline:
			return false
		}
	}
}

// refused waits until the link is up, or the broker refused what it asked for.
func (w *wired) refused() bool {
	w.r.t.Helper()
	w.r.until("the broker decides", func() bool { s := w.link.Status(); return s.Up || s.Err != nil })
	return w.link.Status().Connects == 0
}

func (w *wired) next(topic string, wait time.Duration) ([]byte, error) {
	deadline := time.After(wait)
	for {
		select {
		case m := <-w.link.Messages():
			if m.Topic == topic {
				return m.Payload, nil
			}
		case <-deadline:
			return nil, errSilence
		}
	}
}

// ask repeats a message until it is acked: nothing on the way confirms it. Other
// acks may be late, for what was repeated before.
func (w *wired) ask(kind string, p wire.Payload, good func(wire.Ack) bool) {
	w.r.t.Helper()
	topic, payload := w.say(kind, p)
	var last wire.Ack
	w.r.until("an ack of a "+kind, func() bool {
		_ = w.link.Publish(context.Background(), topic, payload)
		for {
			envelope, err := w.next(w.place.Down(wire.TypeAck), time.Second)
			if err != nil {
				return false
			}
			if last = w.ack(envelope); good(last) {
				return true
			}
			w.r.t.Logf("%s is answered %+v", kind, last)
		}
	})
}

// play is the same life of a gateway over any broker.
func (r *rig) play(f *started, broker string) {
	r.t.Helper()
	ctx := context.Background()
	g := r.gateway("g1", 7)
	g.fill(900)
	_, err := f.client.PutHouse(ctx, r.house(1, g))
	r.must(err)
	w := r.wire(g, broker, r.client(g, g.place))
	if !w.up(timeout) {
		r.t.Fatalf("the gateway does not get in: %v", w.link.Status().Err)
	}
	w.ask(wire.TypeHello, g.hello(), func(a wire.Ack) bool { return a.Next == 0 && a.Nonce == g.nonce })
	big := g.batch(0, 600)
	big.Sealed = make([]byte, wire.MaxBatchSize-len(r.encode(big))-200) // as large as a batch may be
	w.ask(wire.TypeBatch, big, func(a wire.Ack) bool { return a.Next == 600 })
	w.ask(wire.TypeBatch, g.batch(500, 400), func(a wire.Ack) bool { return a.Next == 900 })
	l := r.list(1, 600)
	if p, err := f.client.PutList(ctx, l); err != nil || p.Pushed != 1 {
		r.t.Fatalf("pushed %+v, %v", p, err)
	}
	_, err = w.next(g.place.Down(wire.TypeList), timeout)
	r.must(err)
	topic, payload := w.say(wire.TypeWant, wire.Want{House: true, Buckets: []wire.Hash{sha256.Sum256(l.Buckets[0])}})
	r.must(w.link.Publish(ctx, topic, payload))
	for _, kind := range []string{wire.TypeHouse, wire.TypeList} {
		_, err := w.next(g.place.Down(kind), timeout)
		r.must(err)
	}
	var count int
	_, err = f.client.Entries(ctx, api.EntryFilter{Limit: 10000}, func(api.Entry) error { count++; return nil })
	r.must(err)
	if count != 900 {
		r.t.Fatalf("%d entries are stored", count)
	}
}

func TestOverTheEmbeddedBroker(t *testing.T) {
	r := newRig(t)
	f := r.start(Options{})
	r.play(f, f.broker)
}

// mosquitto runs Debian's broker with the rig's certificates.
func (r *rig) mosquitto(program string) (address string) {
	r.t.Helper()
	var port [1]int
	release, err := freeport.Hold(port[:])
	r.must(err)
	r.t.Cleanup(release)
	address = fmt.Sprintf("127.0.0.1:%d", port[0])
	path := func(name string) string { return filepath.Join(r.dir, name) }
	config := fmt.Sprintf("listener %d 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\ntls_version tlsv1.3\nrequire_certificate true\n"+
		"use_identity_as_username true\nallow_anonymous false\npersistence false\nuser root\n", port[0], path(api.FileCA), path(api.FileServerCert), path(api.FileServerKey))
	r.must(os.WriteFile(path("mosquitto.conf"), []byte(config), 0o600))
	cmd := exec.Command(program, "-c", path("mosquitto.conf"))
	r.must(cmd.Start())
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r.until("mosquitto listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return address
}

func TestOverMosquitto(t *testing.T) {
	program := need(t, "mosquitto", "mosquitto")
	r := newRig(t)
	address := r.mosquitto(program)
	c := r.config()
	c.Broker = "mqtts://" + address
	r.play(r.start(Options{Config: c}), address)
}

// twoGateways are of one building, both connected to the embedded broker.
func twoGateways(t *testing.T) (*rig, *started, [2]*wired) {
	r := newRig(t)
	f := r.start(Options{})
	g1, g2 := r.gateway("g1", 7), r.gateway("g2", 8)
	_, err := f.client.PutHouse(t.Context(), r.house(1, g1, g2))
	r.must(err)
	both := [2]*wired{r.wire(g1, f.broker, r.client(g1, g1.place)), r.wire(g2, f.broker, r.client(g2, g2.place))}
	for _, w := range both {
		if !w.up(timeout) {
			t.Fatal(w.link.Status().Err)
		}
	}
	return r, f, both
}

func TestSiblingsHearEachOther(t *testing.T) {
	_, _, w := twoGateways(t)
	if err := w[0].link.Publish(t.Context(), w[0].place.House("g1"), []byte("a record")); err != nil {
		t.Fatal(err)
	}
	if got, err := w[1].next(w[1].place.House("g1"), timeout); err != nil || string(got) != "a record" {
		t.Fatalf("%q, %v", got, err)
	}
}

// TestGatewaysSeeOnlyTheirTopics: what a certificate may not hear it is refused,
// and what it may not say reaches nobody.
func TestGatewaysSeeOnlyTheirTopics(t *testing.T) {
	r, f, w := twoGateways(t)
	other := wire.Place{District: "d1", Town: "t1", Building: "b2", Gateway: "g1"}
	for _, filter := range []string{"#", "gatehouse/#", "$SYS/#", "gatehouse/v1/+/+/+/+/up/+", w[1].place.Down("+"), w[1].place.Up("+"), other.House("+"),
		w[0].place.Down("+") + "/#", "gatehouse/v1/d1/t1/b1/+/down/+", "$JS/API/#", "$MQTT/#", "+/+/+/+/+/+/+/+", w[0].place.Status()} {
		nosy := r.wire(w[0].model, f.broker, r.client(w[0].model, w[0].place), filter)
		if !nosy.refused() {
			t.Errorf("a gateway may subscribe to %s", filter)
		}
		nosy.stop()
	}
	for _, topic := range []string{w[1].place.Down(wire.TypeAck), w[1].place.House("g2"), w[1].place.Up(wire.TypeHello), w[1].place.Status(),
		other.House("g1"), "$JS/API/STREAM/LIST", w[0].place.Up("other")} {
		_ = w[0].link.Publish(t.Context(), topic, []byte("forged"))
		if !w[0].up(timeout) {
			t.Fatal("link lost")
		}
	}
	// What comes after them has come: so have they, or never will.
	w[0].ask(wire.TypeHello, w[0].hello(), func(a wire.Ack) bool { return a.Nonce == w[0].nonce })
	if _, n := f.intake.Counts(); n != 0 {
		t.Errorf("%d forged messages reached the front", n)
	}
	r.must(w[0].link.Publish(t.Context(), w[0].place.House("g1"), []byte("honest")))
	select {
	case m := <-w[1].link.Messages():
		if m.Topic != w[0].place.House("g1") {
			t.Errorf("a sibling got %q on %s", m.Payload, m.Topic)
		}
	case <-time.After(timeout):
		t.Error("a sibling hears nothing")
	}
}

func TestStrangersDoNotGetIn(t *testing.T) {
	r, f, w := twoGateways(t)
	elsewhere := newRig(t)
	moved := w[0].place
	moved.Town = "t2"
	for name, cert := range map[string]tls.Certificate{
		"not of the house":   r.client(w[0].model, wire.Place{District: "d1", Town: "t1", Building: "b1", Gateway: "g9"}),
		"another town":       r.client(w[0].model, moved),
		"a replaced machine": r.client(r.gateway("g1", 1), w[0].place),
		"another registry's": elsewhere.client(w[0].model, w[0].place),
		"the server's own":   r.certificate(&x509.Certificate{SerialNumber: w[0].cert().SerialNumber}),
	} {
		stranger := r.wire(w[0].model, f.broker, cert)
		if !stranger.refused() {
			t.Errorf("got in: %s", name)
		}
		stranger.stop()
	}
	before := w[0].link.Status().Connects
	_, err := f.client.PutHouse(t.Context(), r.house(2, w[1].model))
	r.must(err)
	r.until("a removed gateway is cut off, and tries in vain to come back", func() bool {
		s := w[0].link.Status()
		return !s.Up && s.Err != nil && strings.HasPrefix(s.Err.Error(), "connect to ")
	})
	if s := w[0].link.Status(); s.Up || s.Connects != before {
		t.Errorf("a removed gateway is connected again: %+v", s)
	}
	if up, _ := w[1].link.State(); !up {
		t.Error("its sibling is not")
	}
}

func (w *wired) cert() *x509.Certificate { return w.r.client(w.model, w.place).Leaf }

// TestMosquittoSub is what a curious landlord would try with the files of a
// gateway.
func TestMosquittoSub(t *testing.T) {
	program := need(t, "mosquitto", "mosquitto_sub")
	r, f, w := twoGateways(t)
	cert := r.client(w[0].model, w[0].place)
	path := func(name string) string { return filepath.Join(r.dir, name) }
	r.must(os.WriteFile(path("c.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
	r.must(os.WriteFile(path("c.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: r.pkcs8(cert.PrivateKey)}), 0o600))
	host, port, _ := net.SplitHostPort(f.broker)
	args := []string{"-h", host, "-p", port, "--cafile", path(api.FileCA), "--cert", path("c.crt"), "--key", path("c.key"), "-F", "%t", "-C", "30", "-W", "60",
		"-t", "#", "-t", "gatehouse/#", "-t", "$SYS/#", "-t", w[1].place.Up("+"), "-t", w[1].place.Down("+"), "-t", w[0].place.Down("+"), "-t", w[0].place.House("+")}
	cmd := exec.Command(program, args...)
	ctx, cancel := context.WithCancel(t.Context())
	talking := make(chan struct{})
	go func() {
		defer close(talking)
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			for _, g := range w {
				topic, payload := g.say(wire.TypeHello, g.hello())
				_ = g.link.Publish(context.Background(), topic, payload)
			}
		}
	}()
	out, _ := cmd.Output() // ends when it has heard enough
	cancel()
	<-talking
	seen := map[string]bool{}
	for topic := range strings.Lines(string(out)) {
		seen[strings.TrimSpace(topic)] = true
	}
	delete(seen, w[0].place.Down(wire.TypeTrust)) // its hello says that it has none
	if !seen[w[0].place.Down(wire.TypeAck)] || len(seen) != 1 {
		t.Errorf("it sees %v, want its own acks alone", seen)
	}
}
