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

// walk is somebody's way through a door, which makes a passage's entries as time goes by.
type walk struct {
	of    *gateway
	card  wire.Grant
	began time.Time
	ref   wire.Ref // of the grant
	steps int      // taken
}

// walkAt is when each step of a walk is, from its begin: let in, the door opens, the door is closed.
var walkAt = [...]time.Duration{0, time.Second, 4 * time.Second}

// walkEntries is how many entries a whole walk makes.
const walkEntries = 5

// goOn enters what has happened until now, and reports whether the walk is over.
func (w *walk) goOn(now time.Time) (over bool) {
	for w.steps < len(walkAt) && now.Sub(w.began) >= walkAt[w.steps] {
		w.enter()
		w.steps++
	}
	return w.steps == len(walkAt)
}

func (w *walk) enter() {
	j, at := w.of.journal, wire.Header{Door: door}
	switch w.steps {
	case 0:
		granted, released := at, at
		granted.Kind, granted.Outcome, granted.Reason = wire.KindAccess, wire.OutcomeGranted, wire.ReasonGranted
		granted.Source, granted.Direction = "street", wire.DirectionIn
		w.ref = j.Queue(granted, wire.Who{Credential: &w.card.Credential, Grant: &w.card.ID, Tenancy: &w.card.Tenancy})
		released.Kind, released.Ref = wire.KindReleased, &w.ref
		j.Queue(released, wire.Who{})
	case 1:
		at.Kind, at.Ref = wire.KindOpened, &w.ref
		j.Queue(at, wire.Who{})
	default:
		for _, at.Kind = range []wire.Kind{wire.KindClosed, wire.KindSecured} {
			j.Queue(at, wire.Who{})
		}
	}
}
