package front

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/sealing"
)

// timeout is for what happens soon on any machine; whoever waits that long has
// failed.
const timeout = time.Minute

// until waits for what happens soon.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(timeout); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("in vain: %s", what)
		}
	}
}

// rig has every key of a registry, and its front's directory.
type rig struct {
	t                    testing.TB
	dir                  string
	root, issuer, second ed25519.PrivateKey
	witness              ed25519.PrivateKey
	ca                   *x509.Certificate
	caKey                *ecdsa.PrivateKey
	kem                  []byte
	listHash             wire.Hash
	startTimeout         time.Duration // for a start, if that may take longer than timeout
}

func newKey(t testing.TB) ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(key ed25519.PrivateKey) [32]byte { return [32]byte(key.Public().(ed25519.PublicKey)) }

func newRig(t testing.TB) *rig {
	dir, err := os.MkdirTemp("", "front") // short: a socket's path has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{t: t, dir: dir, root: newKey(t), issuer: newKey(t), second: newKey(t), witness: newKey(t)}
	if _, r.kem, err = sealing.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	r.caKey, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.ca = r.sign(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &r.caKey.PublicKey)
	r.write(api.FileRoot, "PUBLIC KEY", r.pkix(r.root.Public()))
	r.write(api.FileWitnessKey, "PRIVATE KEY", r.pkcs8(r.witness))
	r.write(api.FileCA, "CERTIFICATE", r.ca.Raw)
	server := r.certificate(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "registry"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	r.write(api.FileServerCert, "CERTIFICATE", server.Certificate[0])
	r.write(api.FileServerKey, "PRIVATE KEY", r.pkcs8(server.PrivateKey))
	r.must(os.WriteFile(filepath.Join(dir, api.FileTrust), r.trust(1), 0o600))
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) write(name, kind string, der []byte) {
	r.must(os.WriteFile(filepath.Join(r.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (r *rig) pkix(key any) []byte {
	b, err := x509.MarshalPKIXPublicKey(key)
	r.must(err)
	return b
}

func (r *rig) pkcs8(key any) []byte {
	b, err := x509.MarshalPKCS8PrivateKey(key)
	r.must(err)
	return b
}

func (r *rig) sign(template *x509.Certificate, key *ecdsa.PublicKey) *x509.Certificate {
	parent := r.ca
	if parent == nil {
		parent = template
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, r.caKey)
	r.must(err)
	cert, err := x509.ParseCertificate(der)
	r.must(err)
	return cert
}

func (r *rig) certificate(template *x509.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.must(err)
	cert := r.sign(template, &key.PublicKey)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// client makes the certificate of a gateway at a place, for the signing key of
// this one.
func (r *rig) client(g *model, p wire.Place) tls.Certificate {
	id := wire.IDOf(g.key.Public().(ed25519.PublicKey))
	return r.certificate(&x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: p.Address(), SerialNumber: hex.EncodeToString(id[:])},
		URIs:        []*url.URL{{Scheme: "gatehouse", Opaque: strings.Join([]string{p.District, p.Town, p.Building, p.Gateway}, "/")}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (r *rig) envelope(kind string, role wire.Role, epoch uint64, address string, payload []byte, key ed25519.PrivateKey) []byte {
	r.t.Helper()
	b, err := wire.Sign(wire.Protected{Type: kind, Role: role, Epoch: epoch, Address: address}, payload, key)
	r.must(err)
	return b
}

func (r *rig) encode(p wire.Payload) []byte {
	r.t.Helper()
	b, err := wire.Encode(p)
	r.must(err)
	return b
}

func (r *rig) trust(version uint64) []byte {
	return r.envelope(wire.TypeTrust, wire.RoleRoot, 0, "test-registry", r.encode(wire.Trust{Version: version, Issued: 1_700_000_000,
		Registry: "test-registry", Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 1, Public: public(r.issuer)},
			{Role: wire.RoleIssuer, Epoch: 1, Public: public(r.second)}, {Role: wire.RoleWitness, Epoch: 1, Public: public(r.witness)}},
		Records: r.kem, Desk: r.kem, Escrow: r.kem, CAs: [][]byte{r.ca.Raw}}), r.root)
}

// house makes the House document of a building with these gateways.
func (r *rig) house(version uint64, gateways ...*model) api.Document {
	h := wire.House{Version: version, Issued: 1_700_000_000, District: "d1", Town: "t1", NoticeDays: 3}
	slices.SortFunc(gateways, func(a, b *model) int { return strings.Compare(a.place.Gateway, b.place.Gateway) })
	for _, g := range gateways {
		h.Gateways = append(h.Gateways, wire.HouseGateway{ID: g.place.Gateway, Public: public(g.key), KEM: r.kem, Doors: []string{"front"}})
	}
	building := "b1"
	if len(gateways) > 0 {
		building = gateways[0].place.Building
	}
	return api.Document{Building: building, Envelope: r.envelope(wire.TypeHouse, wire.RoleIssuer, 1, building, r.encode(h), r.issuer)}
}

// list makes a list of the building with one bucket; listHash is then its hash.
func (r *rig) list(version uint64, grants int) api.List {
	bucket := make([]wire.Grant, grants)
	for i := range bucket {
		bucket[i] = wire.Grant{Credential: wire.CredentialID{1, byte(i >> 8), byte(i), byte(version)}, ID: wire.ID{1, byte(i)}, Tenancy: wire.ID{1, byte(i)},
			Kind: wire.GrantResident, State: wire.GrantActive}
	}
	body, err := wire.EncodeBucket(bucket)
	r.must(err)
	m := wire.Manifest{Format: wire.ListFormat, Version: version, Issued: 1_700_000_000, Buckets: []wire.Hash{sha256.Sum256(body)},
		Doors: []string{"front"}, DoorSets: [][]uint16{{0}}}
	payload, err := m.Encode()
	r.must(err)
	r.listHash = sha256.Sum256(payload)
	return api.List{Building: "b1", Manifest: r.envelope(wire.TypeGrantList, wire.RoleIssuer, 1, "b1", payload, r.issuer), Buckets: [][]byte{body}}
}

func (r *rig) config() Config {
	c := Config{State: r.dir, MQTTListen: "127.0.0.1:0", EnrolListen: "127.0.0.1:0"}
	c.defaults(r.dir)
	return c
}

// started is a front that runs.
type started struct {
	*Front
	client        *api.Client
	broker, enrol string
	stop          func()
}

// dropped is how many messages found no room.
func (s *started) dropped() uint64 {
	n, _ := s.intake.Counts()
	return n
}

func (r *rig) start(o Options) *started {
	r.t.Helper()
	if o.Config.State == "" {
		o.Config = r.config()
	}
	o.Log = zerolog.New(zerolog.NewTestWriter(r.t)).Level(zerolog.ErrorLevel)
	ready := make(chan [2]string, 1)
	o.Ready = func(broker, enrol string) { ready <- [2]string{broker, enrol} }
	f, err := New(o)
	r.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	s := &started{Front: f, client: api.NewClient(o.Config.Socket)}
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("front ended: %v", err)
		}
	})
	r.t.Cleanup(s.stop)
	select {
	case at := <-ready:
		s.broker, s.enrol = at[0], at[1]
	case err := <-ended:
		ended <- nil
		r.t.Fatalf("front did not start: %v", err)
	case <-time.After(max(timeout, r.startTimeout)):
		r.t.Fatal("front is not ready")
	}
	return s
}

// memory is a link within the test: what the front publishes waits in sent.
type memory struct {
	receive func(string, []byte)
	mu      sync.Mutex
	sent    []packet
	cut     []wire.Place
	arrived chan struct{}
}

type packet struct {
	topic   string
	payload []byte
}

func newMemory() (*memory, func(func(string, []byte)) (Link, error)) {
	m := &memory{arrived: make(chan struct{}, 1)}
	return m, func(receive func(string, []byte)) (Link, error) { m.receive = receive; return m, nil }
}

func (m *memory) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (m *memory) Connected() bool               { return true }

func (m *memory) Disconnect(p wire.Place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = append(m.cut, p)
}

func (m *memory) Publish(topic string, payload []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, packet{topic, payload})
	select {
	case m.arrived <- struct{}{}:
	default:
	}
	return nil
}

var errSilence = errors.New("nothing came")

// next returns the next message on a topic.
func (m *memory) next(topic string, wait time.Duration) ([]byte, error) {
	deadline := time.After(wait)
	for {
		m.mu.Lock()
		for i, p := range m.sent {
			if p.topic == topic {
				m.sent = slices.Delete(m.sent, i, i+1)
				m.mu.Unlock()
				return p.payload, nil
			}
		}
		m.mu.Unlock()
		select {
		case <-m.arrived:
		case <-deadline:
			return nil, errSilence
		}
	}
}

// model is a gateway reduced to what the registry sees of it.
type model struct {
	r       *rig
	place   wire.Place
	key     ed25519.PrivateKey
	nonce   wire.Nonce
	epoch   uint64
	headers [][]byte
	whos    [][]byte
	ranges  []tree.Range // after so many entries
	boot    uint64
	format  uint64 // of the newest ack
}

func (r *rig) gateway(id string, epoch uint64) *model {
	return &model{r: r, place: wire.Place{District: "d1", Town: "t1", Building: "b1", Gateway: id}, key: newKey(r.t), epoch: epoch,
		nonce: wire.Nonce{1, byte(epoch)}, ranges: []tree.Range{{}}, boot: 1}
}

// add appends an entry; with who, one that names somebody.
func (m *model) add(h wire.Header, who bool) {
	m.r.t.Helper()
	h.Boot, h.Counter = m.boot, uint64(len(m.headers))
	if h.Wall == 0 {
		h.Wall = 1_700_000_000_000 + int64(len(m.headers))
	}
	b, err := h.Encode()
	m.r.must(err)
	var hash wire.Hash
	whos := []byte(nil)
	if who {
		hash = wire.WhoHash([16]byte{byte(len(m.headers))}, []byte{1})
		whos = hash[:]
	}
	m.headers, m.whos = append(m.headers, b), append(m.whos, whos)
	m.ranges = append(m.ranges, m.ranges[len(m.ranges)-1].Add(tlog.RecordHash(wire.LeafRecord(b, hash))))
}

func (m *model) fill(n int) {
	for range n {
		m.add(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "reader-1",
			Direction: wire.DirectionIn, BootTime: 123_456_789_012, Clock: wire.ClockNTP}, true)
	}
}

func (m *model) checkpoint(size uint64) checkpoint.Checkpoint {
	return checkpoint.Checkpoint{Address: m.place.Address(), Epoch: m.epoch, Size: size, Root: wire.Hash(m.ranges[size].Root())}
}

func (m *model) batch(first, n int) wire.Batch {
	end := m.checkpoint(uint64(first + n))
	return wire.Batch{Epoch: m.epoch, First: uint64(first), Headers: m.headers[first : first+n], Whos: m.whos[first : first+n],
		Root: end.Root, Sealed: []byte("sealed"), Signature: end.Sign(m.key)}
}

func (m *model) say(kind string, p wire.Payload) (string, []byte) {
	m.r.t.Helper()
	topic := m.place.Up(kind)
	if kind == wire.TypeStatus {
		topic = m.place.Status()
	}
	b, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: m.place.Address(), Version: wire.VersionOf(p)}, m.r.encode(p), m.key)
	m.r.must(err)
	return topic, b
}

func (m *model) hello() wire.Hello {
	size := uint64(len(m.headers))
	return wire.Hello{Nonce: m.nonce, Boot: m.boot, Epoch: m.epoch, Next: size, Root: wire.Hash(m.ranges[size].Root()), Trust: 1, Wall: 1, Software: "test"}
}

// ack opens what the witness says.
func (m *model) ack(envelope []byte) wire.Ack { return m.ack2(envelope).Ack }

func (m *model) ack2(envelope []byte) wire.Ack2 {
	m.r.t.Helper()
	payload, p, err := wire.Open(envelope, wire.Expect{Type: wire.TypeAck, Role: wire.RoleWitness, Address: m.place.Address(), Newest: wire.Formats},
		[]wire.Key{{Role: wire.RoleWitness, Epoch: 1, Public: m.r.witness.Public().(ed25519.PublicKey)}})
	m.r.must(err)
	a, err := wire.DecodeAck(p.Version, payload)
	m.r.must(err)
	m.format = p.Version
	if c := (checkpoint.Checkpoint{Address: m.place.Address(), Epoch: a.Epoch, Size: a.Next, Root: a.Root}); a.Cosignature != (wire.Signature{}) &&
		!c.VerifyCosignature(m.r.witness.Public().(ed25519.PublicKey), uint64(a.Time), a.Cosignature) {
		m.r.t.Fatal("the cosignature of an ack does not verify")
	}
	return a
}

func leafHash(header []byte, who wire.Hash) tlog.Hash {
	return tlog.RecordHash(wire.LeafRecord(header, who))
}

func osWrite(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }
