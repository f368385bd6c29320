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

// Message is what goes over the link. The payload belongs to the receiver.
type Message struct {
	Topic   string
	Payload []byte
}

// Config says where to connect and how. Durations that are zero take their
// default.
type Config struct {
	// Broker is mqtts://host[:port], 8883 if no port is given, or mqtt:// for
	// a plain connection to a loopback address, 1883.
	Broker string

	// Others are further addresses of the same broker, newer ones first, asked for at
	// each attempt; nil: none. The one that was up last is tried first, at the start
	// these before Broker, and the rest in between for ever.
	Others func() []string

	// TLS is asked at each attempt for the host of its address, so that a renewed
	// certificate is used. The link only raises the lowest version to 1.3 and fills in
	// the server's name: a gateway without a clock judges by its own VerifyConnection.
	TLS func(host string) (*tls.Config, error)

	// Refused is called after an attempt at which the broker refused our
	// certificate; it returns at once. Nil: nobody wants to know.
	Refused func()

	// Dial opens the socket; nil: the machine's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Subscribe has the filters. All are asked for after each connect; if the
	// broker refuses one of them, the link is not up.
	Subscribe []string

	// Will makes the last will, anew at each attempt: the broker publishes it
	// when the connection ends in any way but an orderly stop. Nil: none.
	Will func() Message

	Jitter         Jitter        // waits between attempts
	ConnectTimeout time.Duration // from the first packet to the last SUBACK; default 20 s
	WriteTimeout   time.Duration // a write that takes longer ends the connection; default 30 s
	KeepAlive      time.Duration // whole seconds, rounded up; default 52 s; the ping goes up to 5 s late
	PingTimeout    time.Duration // a ping unanswered for longer ends the connection; default 10 s; seen up to 5 s late

	Log zerolog.Logger
}

// Jitter has the longest waits before an attempt. Each wait is random between a fifth
// of it and all of it, so that gateways do not come back at once. With the defaults a
// broker that is there again is found within a minute and a half: a revocation waits.
type Jitter struct {
	First time.Duration // before the first attempt of all; default 2 s
	Loss  time.Duration // after a loss or the first failure, doubled at each further one; default 5 s
	Max   time.Duration // never more than that; default 40 s
}

// maxSpread bounds what the other end may wish for the wait after a loss.
const maxSpread = time.Minute

// limit returns the longest wait after that many failures in a row.
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

// pingsLate is how much later than due the client library looks at its pings.
const pingsLate = 5 * time.Second

// Silence is after how long a connection on which nothing comes any more ends, at most.
func (c Config) Silence() time.Duration {
	c = c.WithDefaults()
	return c.KeepAlive + pingsLate + c.PingTimeout + pingsLate
}

// WithDefaults returns the configuration with every zero filled in.
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

// check refuses what can never work.
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

// checkTopic refuses what no broker accepts as the topic of a message; most
// answer it by closing the connection.
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

// checkFilter is checkTopic for filters: + is a whole level, # the last one.
func checkFilter(filter string) error {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if level == "+" || level == "#" && i == len(levels)-1 {
			levels[i] = "x"
		}
	}
	return checkTopic(strings.Join(levels, "/"))
}
