package broker

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rs/zerolog"

	"gatehouse/internal/registry/ratelog"
	"gatehouse/sync/wire"
)

const (
	ownName     = "front"
	maxConns    = 4 // of one gateway; one more ends the oldest
	placeScheme = "gatehouse"
)

// door decides which clients may connect, and with what permissions.
type door struct {
	o       Options
	secret  string
	server  atomic.Pointer[server.Server]
	open    atomic.Bool     // the stores are bounded; nobody but the front comes in before
	limited *zerolog.Logger // for certificates that are refused

	mu    sync.Mutex
	conns map[string][]uint64 // ids of a gateway's connections, oldest first
}

func newDoor(o Options) *door {
	return &door{o: o, secret: rand.Text(), conns: map[string][]uint64{}, limited: ratelog.New(o.Log)}
}

// Check admits the front itself by its secret, and a gateway by its
// certificate, which TLS has checked. It is called by the server.
func (d *door) Check(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if state == nil {
		given := c.GetOpts()
		if given.Username != ownName || subtle.ConstantTimeCompare([]byte(given.Password), []byte(d.secret)) == 0 {
			return false
		}
		c.RegisterUser(&server.User{Username: ownName})
		return true
	}
	if !d.open.Load() || len(state.PeerCertificates) == 0 || len(state.VerifiedChains) == 0 {
		return false
	}
	cert := state.PeerCertificates[0]
	if d.o.Front != nil && d.o.Front(cert) {
		c.RegisterUser(&server.User{Username: ownName})
		return true
	}
	p, err := placeOf(cert)
	if err != nil || !d.o.Member(p, cert) {
		d.limited.Warn().Str("gateway", p.Address()).AnErr("why", err).Msg("a certificate of no member is refused by the broker")
		return false
	}
	c.RegisterUser(&server.User{Username: p.Address(), Permissions: permissions(p)})
	d.admit(p.Address(), c.GetID())
	return true
}

// permissions are exactly the topics of a gateway. The message types are listed, so
// that it can't make any number of topics for retained messages.
func permissions(p wire.Place) *server.Permissions {
	publish := []string{subject(p.Status()), subject(p.House(p.Gateway))}
	for _, kind := range []string{wire.TypeHello, wire.TypeBatch, wire.TypeNotice, wire.TypeWant, wire.TypeDelivery, wire.TypeHolding} {
		publish = append(publish, subject(p.Up(kind)))
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: []string{subject(p.Down("*")), subject(p.House("*"))}},
	}
}

// admit counts a connection. The server does not report ended ones, so they are left
// out here: a gateway must not lose its connection to a tool that came and went.
func (d *door) admit(address string, id uint64) {
	s := d.server.Load()
	d.mu.Lock()
	ids := slices.DeleteFunc(d.conns[address], func(id uint64) bool { return s.GetClient(id) == nil })
	ids = append(ids, id)
	d.conns[address] = ids
	d.mu.Unlock()
	if len(ids) > maxConns {
		d.disconnect(address, maxConns)
	}
}

// disconnect ends the oldest connections of a gateway, so that `keep` are left.
func (d *door) disconnect(address string, keep int) {
	d.mu.Lock()
	ids := d.conns[address]
	end := ids[:max(0, len(ids)-keep)]
	if keep == 0 {
		delete(d.conns, address)
	} else {
		d.conns[address] = append([]uint64(nil), ids[len(end):]...)
	}
	d.mu.Unlock()
	s := d.server.Load()
	for _, id := range end {
		_ = s.DisconnectClientByID(id) // an error: it is gone
	}
}

// placeOf reads a gateway's place from its certificate: the common name building/gateway
// and one URI gatehouse:district/town/building/gateway, which must agree.
func placeOf(cert *x509.Certificate) (wire.Place, error) {
	var found []wire.Place
	for _, u := range cert.URIs {
		parts := strings.Split(u.Opaque, "/")
		if u.Scheme != placeScheme || len(parts) != 4 {
			continue
		}
		found = append(found, wire.Place{District: parts[0], Town: parts[1], Building: parts[2], Gateway: parts[3]})
	}
	if len(found) != 1 {
		return wire.Place{}, fmt.Errorf("certificate %q has %d places, want one", cert.Subject.CommonName, len(found))
	}
	if err := found[0].Check(); err != nil {
		return wire.Place{}, fmt.Errorf("certificate: %w", err)
	}
	if found[0].Address() != cert.Subject.CommonName {
		return wire.Place{}, fmt.Errorf("certificate of %q names the place of %q", cert.Subject.CommonName, found[0].Address())
	}
	return found[0], nil
}
