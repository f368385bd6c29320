package mqtt

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// Fixed timeouts within one connection.
const (
	handOver = 5 * time.Second // for paho's own goroutines to take a packet
	goodbye  = time.Second     // for the DISCONNECT packet to be written
)

// session is one connection, from the dial to its end.
type session struct {
	client paho.Client
	conn   *conn
	dialed error      // why there is no conn
	lost   chan error // paho's notice that the connection ended, sent after its goroutines did
	out    chan outgoing
	ended  chan struct{} // closed when nobody takes from out any more
	writer chan struct{} // closed when the writer is gone
}

// outgoing is a packet with the place for its outcome.
type outgoing struct {
	packet packets.ControlPacket
	done   chan error
}

// open dials, connects and subscribes. The session that it returns is up.
func (l *Link) open(ctx context.Context, at endpoint) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.ConnectTimeout)
	defer cancel()
	s := &session{lost: make(chan error, 1), out: make(chan outgoing), ended: make(chan struct{}), writer: make(chan struct{})}
	o, err := l.options(ctx, s, at)
	if err != nil {
		return nil, err
	}
	s.client = paho.NewClient(o)
	t := s.client.Connect()
	<-t.Done() // the dial and the connection both end with ctx
	if err := t.Error(); err != nil {
		if s.conn == nil {
			err = cmp.Or(s.dialed, err)
		} else {
			s.conn.release()
			s.conn.Close()
			err = s.conn.why(err)
		}
		return nil, fmt.Errorf("connect to %s: %w", at.addr, err)
	}
	go s.writePackets()
	err = s.subscribe(l.cfg.Subscribe)
	if !s.conn.release() && err == nil {
		err = fmt.Errorf("subscribe: %w", ctx.Err())
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// options returns paho's configuration: our own loop reconnects, and nothing is stored.
func (l *Link) options(ctx context.Context, s *session, at endpoint) (*paho.ClientOptions, error) {
	o := paho.NewClientOptions().
		AddBroker("tcp://broker"). // only a name: the dial is ours
		SetClientID(l.clientID).
		SetProtocolVersion(4). // 3.1.1, and no second try with 3.1
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(true). // receive never blocks
		SetConnectTimeout(l.cfg.ConnectTimeout).
		SetWriteTimeout(handOver). // conn has the deadline of writes
		SetKeepAlive((l.cfg.KeepAlive + time.Second - 1).Truncate(time.Second)).
		SetPingTimeout(l.cfg.PingTimeout).
		SetConnectionLostHandler(func(_ paho.Client, err error) { s.lost <- err }).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { l.receive(m.Topic(), m.Payload()) }).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) {
			s.conn, s.dialed = l.dial(ctx, at)
			return s.conn, s.dialed
		})
	if l.cfg.Will != nil {
		will := l.cfg.Will()
		if err := checkTopic(will.Topic); err != nil {
			return nil, fmt.Errorf("last will: %w", err)
		}
		o.SetBinaryWill(will.Topic, will.Payload, 0, false)
	}
	return o, nil
}

// dial opens the connection, with TLS unless the broker is a plain one. The connection fails when
// ctx ends before the broker accepted us.
func (l *Link) dial(ctx context.Context, at endpoint) (*conn, error) {
	stream, raw, err := l.reach(ctx, at)
	if err != nil {
		return nil, err
	}
	c := newConn(stream, raw, l.cfg.WriteTimeout, len(l.cfg.Subscribe))
	c.release = context.AfterFunc(ctx, func() { c.fail(ctx.Err()) })
	return c, nil
}

// reach opens a socket to the broker, and what is spoken over it.
func (l *Link) reach(ctx context.Context, at endpoint) (stream, raw net.Conn, err error) {
	dial := l.cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: -1}).DialContext
	}
	if raw, err = dial(ctx, "tcp", at.addr); err != nil || !at.tls {
		return raw, raw, err
	}
	if stream, err = l.handshake(ctx, raw, at.host); err != nil {
		raw.Close()
	}
	return stream, raw, err
}

// Look shakes hands with the broker once more, beside the connection, and hangs up. So the checks
// of Config.TLS see the certificate that the broker shows now, since a connection may outlast the
// one that it began with by months. ErrDown: there is no connection, and its next attempt sees the
// certificate anyway. Other errors: the broker can't be reached or its certificate is not good.
// Look takes at most Config.ConnectTimeout.
func (l *Link) Look(ctx context.Context) error {
	l.mu.Lock()
	up, at := l.session != nil, l.at
	l.mu.Unlock()
	if !up {
		return ErrDown
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.ConnectTimeout)
	defer cancel()
	stream, _, err := l.reach(ctx, at)
	if err != nil {
		return fmt.Errorf("look at the certificate of %s: %w", at.addr, err)
	}
	_ = stream.Close() // nothing was said that could be lost
	return nil
}

func (l *Link) handshake(ctx context.Context, raw net.Conn, host string) (net.Conn, error) {
	given, err := l.cfg.TLS(host)
	if err != nil {
		return nil, fmt.Errorf("TLS configuration: %w", err)
	}
	cfg := given.Clone()
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS13)
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// subscribe requests every filter and checks every code of the answer.
func (s *session) subscribe(filters []string) error {
	if len(filters) == 0 {
		return nil
	}
	want := make(map[string]byte, len(filters))
	for _, f := range filters {
		want[f] = 0
	}
	t := s.client.SubscribeMultiple(want, nil).(*paho.SubscribeToken)
	<-t.Done() // the connection ends with the time to connect, and this with it
	if err := t.Error(); err != nil {
		return fmt.Errorf("subscribe: %w", s.conn.why(err))
	}
	granted := t.Result()
	for _, f := range filters {
		if qos, answered := granted[f]; !answered || qos != 0 {
			return refusedError{f}
		}
	}
	return nil
}

// serve waits until ctx or the connection ends, and returns why that was.
func (s *session) serve(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-s.lost:
		if err != nil && strings.Contains(err.Error(), "pingresp not received") {
			return errNoPing
		}
		return s.conn.why(err)
	}
}

// close disconnects if the broker still listens, and returns when all goroutines of the connection
// are gone: each of them waits on the connection or on out.
func (s *session) close() {
	s.conn.hurry(goodbye)
	s.client.Disconnect(uint((goodbye + goodbye/2).Milliseconds()))
	s.conn.Close()
	s.client.Disconnect(uint(handOver.Milliseconds())) // waits for the first, if that gave up
	close(s.ended)
	<-s.writer
}

// writePackets writes the packets of Publish. Paho's own Publish takes no context, and waits for
// goroutines that are gone when a connection has just ended. Paho's own packets may come between
// ours: each is one Write.
func (s *session) writePackets() {
	defer close(s.writer)
	for {
		select {
		case o := <-s.out:
			o.done <- o.packet.Write(s.conn)
		case <-s.ended:
			return
		}
	}
}

// write hands a packet to the writer and returns its outcome.
func (s *session) write(ctx context.Context, p packets.ControlPacket) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := outgoing{p, make(chan error, 1)}
	select {
	case s.out <- o:
	case <-s.ended:
		return ErrDown
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDown, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
