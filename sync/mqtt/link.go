package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/rs/zerolog"
)

// backlog is how many messages wait for a slow reader before new ones are
// dropped: at 64 KiB each, 16 MiB at worst.
const backlog = 256

// ErrDown means that a message was not sent because there is no connection, or because the
// connection ended while it was written.
var ErrDown = errors.New("link is down")

// Link is one connection to the broker, which is made again whenever it ends. Its methods are safe
// for concurrent use.
type Link struct {
	cfg      Config
	broker   endpoint
	clientID string
	started  atomic.Bool
	messages chan Message
	soon     chan struct{} // Again asks for an attempt
	book     book          // used by Run alone
	connects atomic.Int64
	dropped  atomic.Int64

	mu      sync.Mutex
	session *session      // nil while down
	changed chan struct{} // closed when session changes
	since   time.Time
	last    error // why the link is not up, or was not
	at      endpoint
	spread  time.Duration
}

// Status is the state of a link as others see it.
type Status struct {
	Up       bool
	Since    time.Time // of the last change; zero if it was never up
	Err      error     // why the last attempt or connection ended; nil if none did
	Advice   string    // Err in plain words, with what to do
	Cause    Cause     // what Err is about
	Address  string    // host:port of the connection, or of the last attempt
	Connects int64     // how often it came up
	Dropped  int64     // messages lost because nobody read Messages, or too large
}

// New returns a link that Run starts. Its random client id is secret and lasts as long as the link:
// a broker ends the connection that holds an id when another client comes with it.
func New(cfg Config) (*Link, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	broker, err := parseBroker(cfg)
	if err != nil {
		return nil, err
	}
	var id [16]byte
	rand.Read(id[:])
	return &Link{cfg: cfg, broker: broker, clientID: hex.EncodeToString(id[:]),
		messages: make(chan Message, backlog), soon: make(chan struct{}, 1), changed: make(chan struct{})}, nil
}

// Run connects and reconnects until ctx ends, then says goodbye to the broker,
// so that the will is not published. It returns nil when all goroutines of the
// connection are gone, in two seconds if nobody takes the goodbye, and an error
// only when it is called twice.
func (l *Link) Run(ctx context.Context) error {
	if l.started.Swap(true) {
		return errors.New("link runs already, or did")
	}
	failures, logged := 0, ""
	wait := upTo(l.cfg.Jitter.First)
	for l.sleep(ctx, wait) {
		held, err := l.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		if held >= l.cfg.Jitter.Max {
			failures = 0 // a connection that is dropped at once would be retried for ever otherwise
		}
		wait = l.pause(failures)
		failures++
		level := zerolog.WarnLevel
		if err.Error() == logged { // repeated errors are logged at debug level
			level = zerolog.DebugLevel
		}
		logged = err.Error()
		l.cfg.Log.WithLevel(level).Err(err).Str("advice", advice(err)).Str("broker", l.Status().Address).
			Stringer("retry_in", wait.Round(time.Millisecond)).Msg("link is down")
	}
	return nil
}

// pause returns the wait before the next attempt. After the loss of a connection that held, it is
// the wait that the registry asked for, if it did.
func (l *Link) pause(failures int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failures == 0 && l.spread > 0 {
		return min(time.Second, l.spread) + mathrand.N(max(l.spread-time.Second, 0)+1)
	}
	return upTo(l.cfg.Jitter.limit(failures))
}

// Spread sets the longest wait after the loss of a connection, at least a second, in place of
// Jitter.Loss. The limit is a minute; 0 restores the default.
func (l *Link) Spread(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spread = min(max(d, 0), maxSpread)
}

// Again makes a link that is down try at once, because its obstacle may be gone.
func (l *Link) Again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		return
	}
	select {
	case l.soon <- struct{}{}:
	default:
	}
}

// sleep waits for d or for a call of Again, and reports false when ctx ended first.
func (l *Link) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.soon:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// attempt tries the broker's address and, if that fails, one of the others. It stays with the
// connection, and returns how long that held and why it ended.
func (l *Link) attempt(ctx context.Context) (held time.Duration, err error) {
	list := l.addresses()
	held, err = l.connection(ctx, l.book.pick(list))
	if held > 0 || ctx.Err() != nil {
		return held, err
	}
	at, ok := l.book.other(list, time.Now())
	if !ok {
		return held, err
	}
	held, otherErr := l.connection(ctx, at)
	if held == 0 {
		l.book.failed(at, time.Now())
		l.cfg.Log.Debug().Err(otherErr).Str("broker", at.addr).Msg("another address of the broker does not answer")
		l.because(ctx, l.book.current, err)
		return 0, err
	}
	return held, otherErr
}

// connection makes one connection and stays with it. It returns how long it was up (0: never) and
// why it ended.
func (l *Link) connection(ctx context.Context, at endpoint) (held time.Duration, err error) {
	s, err := l.open(ctx, at)
	if err != nil {
		l.because(ctx, at, err)
		if l.cfg.Refused != nil && causeOf(err) == CauseOurCertificate {
			l.cfg.Refused()
		}
		return 0, err
	}
	began := time.Now()
	l.book.good(at)
	l.connects.Add(1)
	l.set(s, at)
	l.cfg.Log.Info().Str("broker", at.addr).Msg("link is up")
	err = s.serve(ctx)
	l.because(ctx, at, err)
	l.set(nil, at)
	s.close()
	return max(time.Since(began), 1), err
}

// because stores why there is no connection; our own stop is no reason.
func (l *Link) because(ctx context.Context, at endpoint, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() == nil {
		l.last, l.at = err, at
	}
}

// set makes s the connection that Publish uses, and wakes those who wait for a change.
func (l *Link) set(s *session, at endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.at = s, at
	select {
	case <-l.soon: // it was for this attempt
	default:
	}
	l.since = time.Now()
	close(l.changed)
	l.changed = make(chan struct{})
}

// Publish writes one message to the broker, QoS 0. Nil means written to the socket, no
// more. It blocks for WriteTimeout at most, after which the connection ends; if ctx ends
// first the message may still go out, so the payload may not be changed afterwards.
// ErrDown: there is no connection; other errors: topic or payload can't be sent at all.
func (l *Link) Publish(ctx context.Context, topic string, payload []byte) error {
	if err := checkTopic(topic); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if len(payload) > MaxPayload {
		return fmt.Errorf("publish on %s: payload of %d bytes, at most %d", topic, len(payload), MaxPayload)
	}
	l.mu.Lock()
	s := l.session
	l.mu.Unlock()
	if s == nil {
		return ErrDown
	}
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = topic, payload
	if err := s.write(ctx, p); err != nil {
		return fmt.Errorf("publish on %s: %w", topic, err)
	}
	return nil
}

// Messages returns the channel of incoming messages, of all filters and connections. It is never
// closed. When 256 messages wait, newer ones are dropped.
func (l *Link) Messages() <-chan Message { return l.messages }

// receive takes a message from the client library and never blocks, because the answer to a ping
// waits behind it.
func (l *Link) receive(topic string, payload []byte) {
	if len(payload) > MaxPayload {
		l.dropped.Add(1)
		return
	}
	select {
	case l.messages <- Message{topic, payload}:
	default:
		l.dropped.Add(1)
	}
}

// State reports whether the link is up, and a channel that is closed at the next change. A caller
// woken by the channel that finds the link up has a new connection and must say hello, even if the
// loss between was too short to be seen.
func (l *Link) State() (up bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil, l.changed
}

// Status returns how the link is.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Status{Up: l.session != nil, Since: l.since, Err: l.last, Address: l.at.addr, Connects: l.connects.Load(), Dropped: l.dropped.Load()}
	if s.Err != nil {
		s.Advice, s.Cause = advice(s.Err), causeOf(s.Err)
	}
	return s
}

// addresses returns all configured addresses in order of preference, without those that can't be
// parsed.
func (l *Link) addresses() (list []endpoint) {
	if l.cfg.Others != nil {
		for _, address := range l.cfg.Others() {
			c := l.cfg
			c.Broker = address
			e, err := parseBroker(c)
			if err != nil {
				l.cfg.Log.Warn().Err(err).Msg("an address of the broker can't be used")
			} else if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	if !slices.Contains(list, l.broker) {
		list = append(list, l.broker)
	}
	return list
}
