package mqtt_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
)

// TestThousandMessages: in order, of every size up to the largest, both ways;
// and what the access list denies vanishes without harm.
func TestThousandMessages(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		gate, desk := run(t, as(t, b, "gate", "down/gate/#")), run(t, as(t, b, "desk", "up/#"))
		gate.is(true)
		desk.is(true)
		gate.say("up/other/x", []byte("denied"))
		messages := 1000
		if testing.Short() {
			messages = 50
		}
		for i := range messages {
			payload := bytes.Repeat([]byte{byte(i)}, i)
			gate.say("up/gate/x", payload)
			desk.hear("up/gate/x", payload)
			desk.say("down/gate/y/z", payload)
			gate.hear("down/gate/y/z", payload)
		}
		largest := bytes.Repeat([]byte("x"), mqtt.MaxPayload)
		gate.say("up/gate/x", largest)
		desk.hear("up/gate/x", largest)
		if err := gate.Publish(t.Context(), "up/gate/x", append(largest, 0)); err == nil || errors.Is(err, mqtt.ErrDown) {
			t.Errorf("a payload too large: %v", err)
		}
		if s := gate.Status(); !s.Up || s.Connects != 1 || s.Dropped != 0 || s.Err != nil || s.Since.IsZero() {
			t.Errorf("status %+v", s)
		}
		gate.stop()
		desk.stop()
		noGoroutines(t)
	})
}

// TestWhatIsRefused: each cause has its own words, and none brings the link up.
func TestWhatIsRefused(t *testing.T) {
	stranger := newAuthority(t, "another CA")
	each(t, valid, func(t *testing.T, b *broker) {
		good, bad := b.ca.issue(t, "gate", valid), stranger.issue(t, "gate", valid)
		plain := with(b, b.ca, good)
		plain.Broker = "mqtt://" + b.addr
		plain.ConnectTimeout = time.Second // brokers wait for more of what they take for TLS
		none := with(b, b.ca, good)
		none.TLS = func(string) (*tls.Config, error) { return nil, errors.New("no key yet") }
		for name, c := range map[string]struct {
			cfg    mqtt.Config
			advice string
			cause  mqtt.Cause
		}{
			"subscription":         {with(b, b.ca, good, "down/gate/#", "down/other/#"), "subscribe to down/other/#", mqtt.CauseOther},
			"one of everything":    {with(b, b.ca, good, "#"), "subscribe to #", mqtt.CauseOther},
			"unknown CA there":     {with(b, stranger, good), "signed by an unknown CA", mqtt.CauseTheirCertificate},
			"unknown CA here":      {with(b, b.ca, bad), "certificate", mqtt.CauseOurCertificate},
			"expired client":       {with(b, b.ca, b.ca.issue(t, "gate", days{-9, -1})), "certificate", mqtt.CauseOurCertificate},
			"client of the future": {with(b, b.ca, b.ca.issue(t, "gate", days{1, 9})), "certificate", mqtt.CauseOurCertificate},
			"no client":            {with(b, b.ca, tls.Certificate{}), "certificate", mqtt.CauseOurCertificate},
			"plain":                {plain, "", mqtt.CauseOther},
			"no configuration":     {none, "unexpected", mqtt.CauseOther},
		} {
			t.Run(name, func(t *testing.T) {
				var refused atomic.Int32
				c.cfg.Jitter, c.cfg.Refused = never, func() { refused.Add(1) }
				l := run(t, c.cfg)
				l.problem(c.advice)
				l.stop()
				if s, n := l.Status(), refused.Load(); s.Cause != c.cause || (n == 1) != (c.cause == mqtt.CauseOurCertificate) {
					t.Errorf("cause %d, told %d times that the certificate is refused", s.Cause, n)
				}
				noGoroutines(t)
			})
		}
	})
}

// TestServerOfTheFuture: without a clock a gateway judges the broker by the
// pinned CA alone. The link forbids nothing that the caller's check allows, and
// says what is wrong when there is none.
func TestServerOfTheFuture(t *testing.T) {
	each(t, days{50, 60}, func(t *testing.T, b *broker) {
		strict := as(t, b, "gate")
		strict.Jitter = never
		run(t, strict).problem("not valid yet")

		cfg := as(t, b, "gate")
		given := cfg.TLS
		cfg.TLS = func(host string) (*tls.Config, error) {
			c, err := given(host)
			pinned := c.RootCAs
			c.InsecureSkipVerify = true
			c.VerifyConnection = func(s tls.ConnectionState) error {
				server := s.PeerCertificates[0]
				_, err := server.Verify(x509.VerifyOptions{Roots: pinned, CurrentTime: server.NotBefore})
				return err
			}
			return c, err
		}
		run(t, cfg).is(true)
	})
}

// TestLook: the certificate that the broker shows now is judged anew, beside a
// connection that stays; a link that is down has nothing to look at.
func TestLook(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		var judged, bad atomic.Int64
		cfg := as(t, b, "gate")
		given := cfg.TLS
		cfg.TLS = func(host string) (*tls.Config, error) {
			c, err := given(host)
			c.VerifyConnection = func(tls.ConnectionState) error {
				judged.Add(1)
				if bad.Load() > 0 {
					return errors.New("it is over")
				}
				return nil
			}
			return c, err
		}
		l := run(t, cfg)
		l.is(true)
		if err := l.Look(t.Context()); err != nil || judged.Load() != 2 {
			t.Errorf("judged %d times, %v", judged.Load(), err)
		}
		bad.Store(1)
		if err := l.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "it is over") {
			t.Errorf("a certificate that is over: %v", err)
		}
		if s := l.Status(); !s.Up || s.Connects != 1 {
			t.Errorf("looking touches the connection: %+v", s)
		}
		b.stop()
		l.is(false)
		if err := l.Look(t.Context()); !errors.Is(err, mqtt.ErrDown) {
			t.Errorf("a link that is down: %v", err)
		}
	})
}

// TestBrokerComesAndGoes: down at the start, killed, back at the same address;
// the link follows, and each time asks for its certificate, its will and its
// subscriptions anew.
func TestBrokerComesAndGoes(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		b.stop()
		cfg := as(t, b, "desk", "x")
		asked, wills := make(chan bool, 1000), 0
		given := cfg.TLS
		cfg.TLS = func(host string) (*tls.Config, error) { asked <- true; return given(host) }
		cfg.Will = func() mqtt.Message { wills++; return mqtt.Message{Topic: "will"} }
		l := run(t, cfg)
		l.problem("nothing listens there")
		if err := l.Publish(t.Context(), "x", nil); err != mqtt.ErrDown {
			t.Errorf("publish without a broker: %v", err)
		}
		for i := range 3 {
			b.start()
			l.is(true)
			payload := fmt.Append(nil, i)
			l.say("x", payload)
			l.hear("x", payload)
			b.stop()
			l.is(false)
		}
		l.stop()
		if n := len(asked); n < 3 || wills < 4 || l.Status().Connects != 3 {
			t.Errorf("certificate asked for %d times, will %d times: %+v", n, wills, l.Status())
		}
		noGoroutines(t)
	})
}

// TestWill: published when the connection breaks, not when it is ended in
// order.
func TestWill(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		desk := run(t, as(t, b, "desk", "up/#"))
		desk.is(true)
		proxy := proxyTo(t, b)
		cfg := as(t, b, "gate")
		cfg.Broker, cfg.Jitter = "mqtts://"+proxy.Addr(), never
		lives := byte(0)
		cfg.Will = func() mqtt.Message {
			lives++
			return mqtt.Message{Topic: "up/gate/will", Payload: []byte{lives}}
		}
		first := run(t, cfg)
		first.is(true)
		proxy.Cut()
		first.is(false)
		desk.hear("up/gate/will", []byte{1})

		second := run(t, cfg)
		second.is(true)
		second.say("up/gate/bye", nil)
		second.stop()
		desk.hear("up/gate/bye", nil) // before another connection can overtake it
		third := run(t, cfg)
		third.is(true)
		third.say("up/gate/hello", nil)
		desk.hear("up/gate/hello", nil) // nothing came between
	})
}

// TestHalfOpen: a line that is silent without an end is seen by the ping, and
// by a write that nobody takes; and it comes back when the line does.
func TestHalfOpen(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		for name, c := range map[string]struct {
			keepAlive, write time.Duration
			weather          faultnet.Weather
			floods           bool
		}{
			"silence":         {2 * time.Second, waitLimit, faultnet.Weather{Hold: true}, false},
			"nobody reads":    {time.Hour, floodTimeout, faultnet.Weather{Hold: true}, true},
			"a byte a second": {time.Hour, floodTimeout, faultnet.Weather{Rate: 1}, true},
		} {
			t.Run(name, func(t *testing.T) {
				proxy := proxyTo(t, b)
				cfg := as(t, b, "gate")
				cfg.Broker, cfg.KeepAlive = "mqtts://"+proxy.Addr(), c.keepAlive
				cfg.PingTimeout, cfg.WriteTimeout = 300*time.Millisecond, c.write
				cfg.ConnectTimeout = waitLimit // an attempt that begins in bad weather lasts until good, and gives no other reason
				l := run(t, cfg)
				l.is(true)
				proxy.Set(c.weather)
				if c.floods {
					flood(t, l)
				}
				l.is(false)
				proxy.Set(faultnet.Weather{})
				l.is(true)
				want := "the broker fell silent"
				if c.floods {
					want = "no answer in time"
				}
				if s := l.Status(); !strings.Contains(s.Advice, want) || s.Connects != 2 {
					t.Errorf("status %+v", s)
				}
				l.stop()
				noGoroutines(t)
			})
		}
	})
}

// floodTimeout is the link's timeout of one write, far above that of flood.
const floodTimeout = time.Second

// flood publishes until a write fails. Its own limit is shorter than the
// link's: a call that was given up leaves the link alone.
func flood(t *testing.T, l *running) {
	t.Helper()
	payload := make([]byte, mqtt.MaxPayload)
	gaveUp := false
	for end := time.Now().Add(waitLimit); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(t.Context(), floodTimeout/50)
		err := l.Publish(ctx, "up/gate/x", payload)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			gaveUp = true
		case errors.Is(err, mqtt.ErrDown):
			if !gaveUp {
				t.Error("a blocked publish did not mind its context")
			}
			return
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatal("a peer that does not read takes everything")
}

// TestSlowReader: nobody reads Messages; the ping is answered all the same and
// the newest are dropped and counted.
func TestSlowReader(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		cfg := as(t, b, "desk", "x")
		cfg.KeepAlive, cfg.PingTimeout = 2*time.Second, 1500*time.Millisecond // nats-server makes 1.5 times 1 s a second
		l := run(t, cfg)
		l.is(true)
		const sent = mqtt.Backlog + 500
		for i := range sent {
			l.say("x", fmt.Append(nil, i))
		}
		l.until("the newest are dropped", func(s mqtt.Status) bool { return s.Dropped == sent-mqtt.Backlog })
		// A connection whose ping is not answered is over before that. On a busy
		// machine one may end for another reason: then it is the next that lives.
		const pinged = 4500 * time.Millisecond
		l.until("a connection outlives its ping", func(s mqtt.Status) bool { return s.Up && time.Since(s.Since) > pinged })
		if s := l.Status(); s.Dropped != sent-mqtt.Backlog {
			t.Errorf("status %+v", s)
		}
		for i := range mqtt.Backlog {
			l.hear("x", fmt.Append(nil, i))
		}
	})
}

// TestTakeover: whoever knows a client id throws its holder out, whatever the
// certificate: that is why the id is secret. It is seen, and the will tells.
func TestTakeover(t *testing.T) {
	each(t, valid, func(t *testing.T, b *broker) {
		desk := run(t, as(t, b, "desk", "up/#"))
		desk.is(true)
		cfg := as(t, b, "gate")
		cfg.Jitter = never
		cfg.Will = func() mqtt.Message { return mqtt.Message{Topic: "up/gate/will"} }
		victim := run(t, cfg)
		victim.is(true)
		thief, err := mqtt.New(as(t, b, "desk"))
		if err != nil {
			t.Fatal(err)
		}
		mqtt.SameID(thief, victim.Link)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- thief.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		victim.is(false)
		if b.willsOnTakeover {
			desk.hear("up/gate/will", nil)
		}
		if s := victim.Status(); !strings.Contains(s.Advice, "another one came with its id") {
			t.Errorf("status %+v", s)
		}
	})
}

// TestHugeMessage: a message of 512 KiB is refused before room is made for it, and
// the link comes back.
func TestHugeMessage(t *testing.T) {
	addr := freePort(t)
	runNATS(t, addr, func(o *natsOptions) {})
	cfg := mqtt.Config{Broker: "mqtt://" + addr, Subscribe: []string{"x"}, Jitter: quick, Log: zerolog.Nop()}
	l := run(t, cfg)
	l.is(true)
	_, changed := l.State()
	sendRaw(t, addr, "x", make([]byte, 512<<10))
	select {
	case <-changed: // it may be back before anybody sees it down
	case <-time.After(waitLimit):
		t.Fatal("the link takes it")
	}
	l.is(true)
	if s := l.Status(); !strings.Contains(s.Err.Error(), "message of 524291 bytes") || s.Dropped != 0 {
		t.Errorf("status %+v", s)
	}
}

// TestDeafSubscription: Mosquitto's access file grants a subscription that it
// will never serve. No client can see that; this fails when a version does
// better.
func TestDeafSubscription(t *testing.T) {
	addr, ca := freePort(t), newAuthority(t, "test CA")
	b := &broker{ca: ca, addr: addr}
	list := t.TempDir() + "/access"
	text := "user gate\ntopic write up/gate/#\ntopic read down/gate/#\nuser desk\ntopic readwrite #\n"
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start, b.stop = runMosquitto(t, addr, mosquittoTLS(t, ca, valid)+"acl_file "+list+"\n")
	gate := run(t, as(t, b, "gate", "down/#"))
	gate.is(true)
	desk := run(t, as(t, b, "desk"))
	desk.is(true)
	desk.say("down/other/x", []byte("not for gate"))
	desk.say("down/gate/x", []byte("for gate"))
	gate.hear("down/gate/x", []byte("for gate"))
}

// TestPlainMosquitto: without TLS, to this machine only.
func TestPlainMosquitto(t *testing.T) {
	addr := freePort(t)
	runMosquitto(t, addr, "allow_anonymous true\n")
	l := run(t, mqtt.Config{Broker: "mqtt://" + addr, Subscribe: []string{"a/+/c", "d/#"}, Jitter: quick, Log: zerolog.Nop()})
	l.is(true)
	l.say("a/b/c", []byte("1"))
	l.hear("a/b/c", []byte("1"))
	l.say("d", nil)
	l.hear("d", nil)
}

// TestStopsInAnyState: Run returns soon, also while it dials, shakes hands,
// waits or writes.
func TestStopsInAnyState(t *testing.T) {
	b := natsServer(t, valid)
	for name, weather := range map[string]faultnet.Weather{"held": {Hold: true}, "slow": {Rate: 100}, "refused": {Refuse: true}, "good": {}} {
		t.Run(name, func(t *testing.T) {
			for _, after := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond} {
				proxy := proxyTo(t, b)
				cfg := as(t, b, "desk", "x")
				cfg.Broker = "mqtts://" + proxy.Addr()
				l := run(t, cfg)
				if name == "slow" {
					l.is(true)
				}
				proxy.Set(weather)
				go l.Publish(context.Background(), "x", make([]byte, mqtt.MaxPayload))
				time.Sleep(after)
				l.stop()
				if up, _ := l.State(); up {
					t.Error("up after Run")
				}
				if err := l.Publish(t.Context(), "x", nil); err != mqtt.ErrDown {
					t.Errorf("publish after Run: %v", err)
				}
			}
			noGoroutines(t)
		})
	}
	l := run(t, as(t, b, "desk"))
	l.is(true)
	if err := l.Run(t.Context()); err == nil {
		t.Error("a link ran twice")
	}
}
