package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// MaxPayload is the most that a message may carry, in bytes, either way.
const MaxPayload = 64 << 10

// maxTopic is the longest topic or filter, in bytes; ours take about 120.
const maxTopic = 1 << 10

// Message is one MQTT message. The payload belongs to the receiver.
type Message struct {
	Topic   string
	Payload []byte
}

// Config is where to connect and how. Zero durations take their default.
type Config struct {
	// Broker is mqtts://host[:port] (default 8883), or mqtt:// for a plain connection to a loopback
	// address (default 1883).
	Broker string

	// Others returns further addresses of the same broker, newest first, and is called at each
	// attempt; nil: none. The address that was up last is tried first (at the start: these before
	// Broker), the rest in between for ever.
	Others func() []string

	// TLS returns the configuration for the host of an address. It is called at each attempt, so
	// that a renewed certificate is used. The link only raises the lowest version to 1.3 and fills
	// in the server's name: a gateway without a clock judges by its own VerifyConnection.
	TLS func(host string) (*tls.Config, error)

	// Refused is called after an attempt at which the broker refused our certificate, and must
	// return at once; nil: not called.
	Refused func()

	// Dial opens the socket; nil: net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Subscribe lists the filters. All are requested after each connect; the link is not up if the
	// broker refuses one of them.
	Subscribe []string

	// Will returns the last will of the next connection, which the broker publishes when that ends
	// in any way but an orderly stop. It is called at each attempt; nil: none.
	Will func() Message

	Jitter         Jitter        // waits between attempts
	ConnectTimeout time.Duration // from the first packet to the last SUBACK; default 20 s
	WriteTimeout   time.Duration // a write that takes longer ends the connection; default 30 s
	KeepAlive      time.Duration // whole seconds, rounded up; default 52 s; the ping goes up to 5 s late
	PingTimeout    time.Duration // an unanswered ping ends the connection after this; default 10 s; noticed up to 5 s late

	Log zerolog.Logger
}

// Jitter is the longest wait before an attempt. Each wait is random between a fifth of it and all
// of it, so that gateways do not come back at once. With the defaults a broker that is back is
// found within a minute and a half; a revocation waits for as long.
type Jitter struct {
	First time.Duration // before the first attempt; default 2 s
	Loss  time.Duration // after a loss or the first failure, doubled at each further one; default 5 s
	Max   time.Duration // upper bound; default 40 s
}

// maxSpread bounds the wait after a loss that the registry may ask for.
const maxSpread = time.Minute

func (j Jitter) limit(failures int) time.Duration {
	d := j.Loss
	for range failures {
		if d >= j.Max/2 {
			return j.Max
		}
		d *= 2
	}
	return min(d, j.Max)
}

// upTo returns a random wait from a fifth of limit to all of it.
func upTo(limit time.Duration) time.Duration { return limit/5 + rand.N(limit-limit/5+1) }

// pingsLate is how late the client library checks its pings at most.
const pingsLate = 5 * time.Second

// Silence returns after how long without traffic a connection ends, at most.
func (c Config) Silence() time.Duration {
	c = c.WithDefaults()
	return c.KeepAlive + pingsLate + c.PingTimeout + pingsLate
}

// WithDefaults returns the configuration with every zero duration replaced by its default.
func (c Config) WithDefaults() Config {
	c.Jitter.First = cmp.Or(c.Jitter.First, 2*time.Second)
	c.Jitter.Loss = cmp.Or(c.Jitter.Loss, 5*time.Second)
	c.Jitter.Max = cmp.Or(c.Jitter.Max, 40*time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 20*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 30*time.Second)
	c.KeepAlive = cmp.Or(c.KeepAlive, 52*time.Second)
	c.PingTimeout = cmp.Or(c.PingTimeout, 10*time.Second)
	return c
}

// check refuses a configuration that can never work.
func (c Config) check() error {
	for _, d := range []time.Duration{c.Jitter.First, c.Jitter.Loss, c.Jitter.Max, c.ConnectTimeout, c.WriteTimeout, c.KeepAlive, c.PingTimeout} {
		if d < 0 {
			return fmt.Errorf("a duration is negative: %v", d)
		}
	}
	if c.KeepAlive > 65535*time.Second {
		return fmt.Errorf("keep-alive %v: MQTT has room for 65535 s", c.KeepAlive)
	}
	for i, f := range c.Subscribe {
		if err := checkFilter(f); err != nil {
			return fmt.Errorf("subscribe %q: %w", f, err)
		}
		if slices.Contains(c.Subscribe[:i], f) {
			return fmt.Errorf("subscribe %q: named twice", f)
		}
	}
	return nil
}

// endpoint is a parsed broker address.
type endpoint struct {
	host string // name or address, for the certificate
	addr string // host:port
	tls  bool
}

func parseBroker(c Config) (endpoint, error) {
	u, err := url.Parse(c.Broker)
	if err != nil {
		return endpoint{}, fmt.Errorf("broker %q: %w", c.Broker, err)
	}
	e := endpoint{host: u.Hostname(), tls: u.Scheme == "mqtts"}
	if e.host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return e, fmt.Errorf("broker %q: want mqtts://host:port", u.Redacted())
	}
	port := "8883"
	switch {
	case e.tls && c.TLS == nil:
		return e, fmt.Errorf("broker %q: no TLS configuration", c.Broker)
	case e.tls:
	case u.Scheme != "mqtt":
		return e, fmt.Errorf("broker %q: unknown scheme, want mqtts", c.Broker)
	case !loopback(e.host):
		return e, fmt.Errorf("broker %q: a plain connection is only made to this machine, want mqtts", c.Broker)
	default:
		port = "1883"
	}
	e.addr = net.JoinHostPort(e.host, cmp.Or(u.Port(), port))
	return e, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkTopic refuses topics that no broker accepts for a message; most brokers answer them by
// closing the connection.
func checkTopic(topic string) error {
	switch {
	case topic == "":
		return errors.New("empty topic")
	case len(topic) > maxTopic:
		return fmt.Errorf("topic of %d bytes, at most %d", len(topic), maxTopic)
	case strings.ContainsAny(topic, "+#\x00"):
		return errors.New("topic with a wildcard or a zero byte")
	}
	return nil
}

// checkFilter is checkTopic for filters: + must be a whole level, # the last one.
func checkFilter(filter string) error {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if level == "+" || level == "#" && i == len(levels)-1 {
			levels[i] = "x"
		}
	}
	return checkTopic(strings.Join(levels, "/"))
}
