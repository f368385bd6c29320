// Package broker is the registry's own MQTT broker: an embedded nats-server
// with one listener, MQTT 3.1.1 over TLS 1.3 with client certificates, and a
// connection to it within the process.
//
// A certificate gives access to exactly the topics of its gateway. Other topics, system
// topics, wildcards beyond its own and connections without a member's certificate are
// refused. The broker proves and keeps nothing: its files are wiped at every start, and
// what it drops is sent again.
package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"gatehouse/internal/registry/ratelog"
	"gatehouse/sync/wire"
)

// Options of a broker. All but Front, Receive and Log are needed.
type Options struct {
	Listen      string                                               // host:port; port 0: any
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error) // of the server, for each connection
	// CAs returns what gateways' certificates are checked by.
	CAs func() *x509.CertPool
	// Member decides whether the owner of a certificate that was checked may come in.
	Member func(wire.Place, *x509.Certificate) bool
	// Front decides whether a checked certificate is that of a front elsewhere,
	// which may use every topic; nil: there is none.
	Front func(*x509.Certificate) bool
	// Receive gets what gateways send on their up and status topics. It must
	// return at once; the payload is its own. Nil: a front elsewhere does.
	Receive func(topic string, payload []byte)
	Dir     string // wiped at start
	Log     zerolog.Logger
}

// Broker is an embedded broker. Its methods may be called at any time, from
// any goroutine.
type Broker struct {
	o    Options
	host string
	port int
	door *door
	live atomic.Pointer[live]
}

// live is what runs between Run's start and its end.
type live struct {
	server *server.Server
	conn   *nats.Conn
	addr   string
}

// Limits of the server and its stores, against malicious clients: gateways need it to
// keep little.
const (
	startTime    = 30 * time.Second
	maxPending   = 4 << 20 // bytes that wait for a slow gateway; an answer to a Want is half of it
	maxStore     = 256 << 20
	maxMemory    = 64 << 20
	tlsTimeout   = 10 // s
	writeTimeout = 30 * time.Second
)

// errNotRunning means that the broker is not there to publish through.
var errNotRunning = errors.New("broker is not running")

// New makes a broker. It starts nothing.
func New(o Options) (*Broker, error) {
	host, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("broker: address to listen on: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("broker: port to listen on: %w", err)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return &Broker{o: o, host: host, port: int(port), door: newDoor(o)}, nil
}

// Run serves until ctx ends, and returns when the server is gone.
func (b *Broker) Run(ctx context.Context) error {
	if err := os.RemoveAll(b.o.Dir); err != nil {
		return fmt.Errorf("broker: wipe %s: %w", b.o.Dir, err)
	}
	options := b.options()
	s, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	log := &natsLog{log: b.o.Log, limited: ratelog.New(b.o.Log)}
	s.SetLoggerV2(log, false, false, false)
	b.door.server.Store(s)
	s.Start()
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
	}()
	if !s.ReadyForConnections(startTime) {
		return fmt.Errorf("broker: not listening on %s: %s", b.o.Listen, log.lastError())
	}
	conn, err := b.connect(ctx, s)
	if err != nil {
		return fmt.Errorf("broker: own connection: %w", err)
	}
	defer conn.Close()
	if err := bound(ctx, conn); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	b.door.open.Store(true)
	defer b.door.open.Store(false)
	b.live.Store(&live{s, conn, net.JoinHostPort(b.host, strconv.Itoa(options.MQTT.Port))})
	defer b.live.Store(nil)
	<-ctx.Done()
	return nil
}

func (b *Broker) options() *server.Options {
	port := b.port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	o := &server.Options{
		ServerName: "gatehouse-registry", DontListen: true, NoSigs: true, NoSystemAccount: true,
		JetStream: true, StoreDir: b.o.Dir, JetStreamMaxMemory: maxMemory, JetStreamMaxStore: maxStore,
		MaxPayload: wire.MaxMessage, MaxPending: maxPending, WriteDeadline: writeTimeout, MaxConn: server.DEFAULT_MAX_CONNECTIONS,
		CustomClientAuthentication: b.door,
	}
	o.MQTT = server.MQTTOpts{Host: b.host, Port: port, TLSTimeout: tlsTimeout, AuthTimeout: tlsTimeout, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: b.o.Certificate,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: b.o.CAs(),
	}}
	config := o.MQTT.TLSConfig.Clone()
	o.MQTT.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := config.Clone()
		now.ClientCAs = b.o.CAs() // a new trust document may have brought another
		return now, nil
	}
	// Sessions are of the moment: no gateway asks for one that lasts. The server
	// can't refuse those that do, so they last no longer than this.
	o.MQTT.ConsumerInactiveThreshold, o.MQTT.ConsumerMemoryStorage = time.Minute, true
	return o
}

// connect opens the front's own connection, past every socket.
func (b *Broker) connect(ctx context.Context, s *server.Server) (*nats.Conn, error) {
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo(ownName, b.door.secret), nats.Name(ownName),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.Timeout(startTime))
	if err != nil {
		return nil, err
	}
	take := func(m *nats.Msg) { b.o.Receive(strings.ReplaceAll(m.Subject, ".", "/"), m.Data) }
	for _, filter := range []string{wire.UpFilter, wire.StatusFilter} {
		if err == nil && b.o.Receive != nil {
			_, err = conn.Subscribe(subject(strings.ReplaceAll(filter, "+", "*")), take)
		}
	}
	if err == nil {
		flush, cancel := context.WithTimeout(ctx, startTime)
		defer cancel()
		err = conn.FlushWithContext(flush)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// subject is the server's name of a topic whose levels have no dot.
func subject(topic string) string { return strings.ReplaceAll(topic, "/", ".") }

// Publish sends to a gateway if it is there. It waits for nobody.
func (b *Broker) Publish(topic string, payload []byte) error {
	l := b.live.Load()
	if l == nil {
		return errNotRunning
	}
	if err := l.conn.Publish(subject(topic), payload); err != nil {
		return fmt.Errorf("publish %s: %w", topic, err)
	}
	return nil
}

// Connected reports whether messages can pass.
func (b *Broker) Connected() bool {
	l := b.live.Load()
	return l != nil && l.conn.IsConnected()
}

// Address returns host:port of the listener, or "" while there is none.
func (b *Broker) Address() string {
	if l := b.live.Load(); l != nil {
		return l.addr
	}
	return ""
}

// Disconnect closes the connections of a gateway.
func (b *Broker) Disconnect(p wire.Place) { b.door.disconnect(p.Address(), 0) }

// natsLog passes on what the server warns of; what it says of single clients
// is for debugging.
type natsLog struct {
	log     zerolog.Logger
	limited *zerolog.Logger // for what anybody can cause: a port that is scanned is an error each time
	last    atomic.Pointer[string]
}

func (l *natsLog) lastError() string {
	if p := l.last.Load(); p != nil {
		return *p
	}
	return "no reason given"
}

func (l *natsLog) Noticef(string, ...any) {}
func (l *natsLog) Debugf(string, ...any)  {}
func (l *natsLog) Tracef(string, ...any)  {}
func (l *natsLog) Warnf(format string, v ...any) {
	l.log.Debug().Str("broker", fmt.Sprintf(format, v...)).Msg("the broker warns")
}
func (l *natsLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.last.Store(&text)
	l.limited.Warn().Str("broker", text).Msg("the broker reports an error")
}
func (l *natsLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// maxKeepers is how many subscriptions with QoS 1 or 2 there may be. No gateway
// of ours has one; each is a consumer with a store of its own.
const maxKeepers = 256

// bounds are the server's stores for sessions, retained messages and messages that are
// to be confirmed. The server would make them without limits, and who filled them would
// shut everybody out, since it lets nobody in whose session it can't keep. With these
// the oldest goes, and none of it is ours. Together they are less than maxStore.
var bounds = []jetstream.StreamConfig{
	{Name: "$MQTT_sess", Subjects: []string{"$MQTT.sess.>"}, MaxMsgsPerSubject: 1, MaxBytes: 64 << 20},
	{Name: "$MQTT_msgs", Subjects: []string{"$MQTT.msgs.>"}, Retention: jetstream.InterestPolicy, MaxBytes: 16 << 20, MaxConsumers: maxKeepers},
	{Name: "$MQTT_rmsgs", Subjects: []string{"$MQTT.rmsgs.>"}, MaxMsgsPerSubject: 1, MaxBytes: 16 << 20},
	{Name: "$MQTT_qos2in", Subjects: []string{"$MQTT.qos2.in.>"}, MaxMsgsPerSubject: 1, MaxBytes: 16 << 20},
	{Name: "$MQTT_out", Subjects: []string{"$MQTT.out.>"}, Retention: jetstream.InterestPolicy, MaxBytes: 4 << 20, MaxConsumers: maxKeepers},
}

// bound makes the stores. It is called before the first client may connect, for which
// the server would make them.
func bound(ctx context.Context, conn *nats.Conn) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	for _, c := range bounds {
		c.Discard = jetstream.DiscardOld
		if _, err := js.CreateStream(ctx, c); err != nil {
			return fmt.Errorf("bound the store %s: %w", c.Name, err)
		}
	}
	return nil
}
