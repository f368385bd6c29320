package front

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/broker"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// brokerDir is the embedded broker's directory, in the state directory.
const brokerDir = "broker"

// newLink returns the link to the gateways, which passes messages to the intake.
func (f *Front) newLink() (Link, error) {
	receive := func(topic string, payload []byte) { f.intake.Receive(topic, payload) }
	if f.o.Link != nil {
		return f.o.Link(receive)
	}
	if f.o.Config.Broker == Embedded {
		return broker.New(broker.Options{Listen: f.o.Config.MQTTListen, Certificate: f.keys.server.Get,
			CAs:     func() *x509.CertPool { return f.active.Load().CAs },
			Member:  f.admits,
			Receive: receive, Dir: f.o.Config.path(brokerDir), Log: f.o.Log})
	}
	return newOutside(f.o.Config, receive, f.o.Log)
}

// admits reports whether a certificate is that of a member at this place, for the signing key in
// the house document. A machine that was replaced has another key.
func (f *Front) admits(p wire.Place, cert *x509.Certificate) bool {
	g, key, ok := f.roster.Member(p)
	id := wire.IDOf(key.Public)
	if !ok || cert.Subject.SerialNumber == hex.EncodeToString(id[:]) {
		return ok
	}
	f.roster.HeardStranger(g)
	return false
}

// outside is the link to another broker. Which client may use which topic is up to that broker;
// here only signatures count.
type outside struct {
	*mqtt.Link
	receive func(topic string, payload []byte)
}

func newOutside(c Config, receive func(string, []byte), log zerolog.Logger) (*outside, error) {
	l, err := mqtt.New(mqtt.Config{Broker: c.Broker, TLS: func(string) (*tls.Config, error) { return clientTLS(c) },
		Subscribe: []string{wire.UpFilter, wire.StatusFilter}, KeepAlive: time.Minute,
		// There is one front, and a city waits for it: it reconnects fast.
		Jitter: mqtt.Jitter{First: time.Millisecond, Loss: 200 * time.Millisecond, Max: 2 * time.Second}, Log: log})
	if err != nil {
		return nil, err
	}
	return &outside{l, receive}, nil
}

func clientTLS(c Config) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(c.BrokerCertificate, c.BrokerKey)
	if err != nil {
		return nil, fmt.Errorf("certificate for the broker: %w", err)
	}
	pem, err := os.ReadFile(c.BrokerCA)
	if err != nil {
		return nil, fmt.Errorf("the broker's CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the broker's CA: no certificate in " + c.BrokerCA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: pool}, nil
}

// Run connects, and passes on messages, until ctx ends.
func (o *outside) Run(ctx context.Context) error {
	var handing sync.WaitGroup
	defer handing.Wait()
	handing.Go(func() {
		for {
			select {
			case m := <-o.Messages():
				o.receive(m.Topic, m.Payload)
			case <-ctx.Done():
				return
			}
		}
	})
	return o.Link.Run(ctx)
}

// Publish blocks at most as long as the link waits for its socket.
func (o *outside) Publish(topic string, payload []byte) error {
	return o.Link.Publish(context.Background(), topic, payload)
}

// Connected reports whether the link is connected.
func (o *outside) Connected() bool {
	up, _ := o.State()
	return up
}

// Disconnect does nothing: not every broker can disconnect a client. Messages of the gateway are
// refused from then on.
func (o *outside) Disconnect(wire.Place) {}
