package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// gateway is a light gateway: keys and certificate of its own, the real uplink and link, and journal
// and keyring in memory.
type gateway struct {
	place   wire.Place
	key     ed25519.PrivateKey
	cert    tls.Certificate
	journal *journal
	keyring *keyring
	link    *mqtt.Link
	uplink  *uplink.Uplink
}

// newGateway makes a gateway's keys, and the issuer's certificate for them as an enrolment does.
func newGateway(p wire.Place, k authority.Keys, now time.Time) (*gateway, error) {
	g := &gateway{place: p}
	var err error
	if _, g.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	client, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: p.Address()}}, client)
	if err != nil {
		return nil, err
	}
	cert, err := k.ClientCertificate(p, wire.IDOf(g.public()), request, now, now)
	if err != nil {
		return nil, err
	}
	g.cert = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: client, Leaf: cert}
	return g, nil
}

func (g *gateway) public() ed25519.PublicKey { return g.key.Public().(ed25519.PublicKey) }

// member is the gateway in the house document of its building.
func (g *gateway) member(kem []byte) wire.HouseGateway {
	return wire.HouseGateway{ID: g.place.Gateway, Public: [32]byte(g.public()), KEM: kem, Doors: []string{door}}
}

// connectTo makes link and uplink. Nothing runs yet.
func (g *gateway) connectTo(broker string, roots *x509.CertPool, k authority.Keys, house wire.House, acks *latencies) (err error) {
	g.journal, g.keyring = newJournal(acks), newKeyring(g.place, k.Root, k.Trust, house)
	g.link, err = mqtt.New(mqtt.Config{Broker: "mqtts://" + broker, Subscribe: []string{g.place.Down("+"), g.place.House("+")},
		TLS: func(string) (*tls.Config, error) {
			return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{g.cert}}, nil
		},
		Will: func() mqtt.Message { return g.uplink.Will() }, Log: zerolog.Nop()})
	if err != nil {
		return fmt.Errorf("gateway %s: %w", g.place.Address(), err)
	}
	g.uplink, err = uplink.New(uplink.Options{Link: g.link, Place: g.place, Registry: k.Trust.Registry, Journal: g.journal, Keyring: g.keyring,
		Key: g.key, Clock: stamp, Software: "gatesim", Zone: "Asia/Shanghai", Spread: g.link.Spread, Log: zerolog.Nop()})
	return err
}

// run connects, and stays in step, until ctx ends.
func (g *gateway) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { _ = g.link.Run(ctx) }) // both end with ctx alone
	running.Go(func() { _ = g.uplink.Run(ctx) })
	running.Wait()
}

// inStep reports whether the registry has all entries of the gateway, and its list is active.
func (g *gateway) inStep() bool { return g.uplink.Status().State == uplink.StateInStep }

// door is the one door of each building.
const door = "front"

// pass enters that somebody was let in.
func (g *gateway) pass(card wire.Grant) {
	g.journal.Queue(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: door, Source: "street",
		Direction: wire.DirectionIn}, wire.Who{Credential: &card.Credential, Grant: &card.ID, Tenancy: &card.Tenancy})
}
