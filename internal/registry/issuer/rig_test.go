package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/intake"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// waitLimit is for what happens soon on any machine.
const waitLimit = time.Minute

// world is a registry with its issuer, a front that is a fake, and gateways.
type world struct {
	t     testing.TB
	dir   string
	front *fakeFront
	i     *Issuer
	now   time.Time
	clock agreed.Source // what now is held against; zero: nothing
	trust wire.Trust
	// thiefsTime is by how much lists of a thief are of later, s.
	thiefsTime uint32
}

const building1 = "house-1"

var start = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	w := &world{t: t, dir: t.TempDir(), front: newFront(), now: start}
	if err := authority.Init(w.dir, authority.Setup{Registry: "registry-1", Hosts: []string{"registry.example.org", "192.0.2.1"}, Enrol: 8443, Broker: 8883, Now: start}); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.trust = w.i.ledger.Keys.Trust
	t.Cleanup(func() { _ = w.i.Close() })
	return w
}

func (w *world) directory(name string) string { return filepath.Join(w.dir, name) }

func (w *world) open() {
	w.t.Helper()
	i, err := Open(Options{Dir: w.directory(authority.DirIssuer), Front: w.front, Log: zerolog.Nop(), Now: func() time.Time { return w.now }, Clock: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	w.i = i
}

// reopen is a restart of the issuer.
func (w *world) reopen() {
	w.t.Helper()
	if err := w.i.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// update runs f in a transaction, which fails with it.
func (w *world) update(f func(*ledger.Change) error) error {
	return w.i.ledger.Update(func(c *ledger.Change) { c.Fail(f(c)) })
}

// view is the ledger as it is now.
func (w *world) view() (v ledger.View) {
	_ = w.i.ledger.View(func(now ledger.View) error {
		v = now
		return nil
	})
	return v
}

// building is what the issuer knows of the only one.
func (w *world) building() *building.Building {
	w.t.Helper()
	b, err := w.view().Building(building1)
	if err != nil || b == nil {
		w.t.Fatalf("no building: %v", err)
	}
	return b
}

// waits is what status says that waits for an operator.
func (w *world) waits() string {
	w.t.Helper()
	s, err := w.i.status()
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(s.Lines, "\n")
}

// hexID is an id as operators see it.
func hexID(text string) (id wire.ID, err error) {
	b, err := hex.DecodeString(text)
	copy(id[:], b)
	return id, err
}

// turn is one round of the issuer's loop, with nothing to wait for.
func (w *world) turn() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), waitLimit)
	defer cancel()
	after := w.i.ledger.After()
	work, err := w.front.Work(ctx, after, 0)
	if err == nil {
		err = w.i.ledger.TakeIn(work.Deliveries, intake.Deliver)
	}
	for _, e := range work.Enrolments {
		if err == nil {
			err = w.i.enrolment(ctx, e)
		}
	}
	if err == nil {
		err = w.i.sender.sendAll(ctx)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// box is a gateway as far as the issuer can see it.
type box struct {
	w      *world
	place  wire.Place
	key    ed25519.PrivateKey
	client *ecdsa.PrivateKey
	kem    []byte
	line   uint64
	number uint64
}

func (w *world) newBox(gateway string) *box {
	_, key, _ := ed25519.GenerateKey(nil)
	client, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, kem, _ := sealing.GenerateKey()
	return &box{w: w, place: wire.Place{District: "d1", Town: "t1", Building: building1, Gateway: gateway}, key: key, client: client, kem: kem, line: 7}
}

func (w *world) token(gateway string, replace bool, flats ...string) wire.Token {
	w.t.Helper()
	var t operator.Token
	err := w.update(func(c *ledger.Change) (err error) {
		t, err = enrol.Add(c, operator.NewGateway{Place: api.Place{District: "d1", Town: "t1", Building: building1, Gateway: gateway}, Replace: replace, Flats: flats})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := wire.ParseToken(t.Text)
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// ask hands an enrolment to the issuer by the front.
func (w *world) ask(kind string, p wire.Place, envelope []byte) api.Answer {
	w.t.Helper()
	return w.hand(api.Enrolment{Kind: kind, Place: api.Place{Building: p.Building, Gateway: p.Gateway}, Envelope: envelope})
}

// introduce asks for an introduction as one who has the token.
func (w *world) introduce(t wire.Token) api.Answer {
	w.t.Helper()
	proof := wire.IntroduceProof(t.Secret, t.At().Address())
	return w.hand(api.Enrolment{Kind: api.KindIntroduce, Place: api.Place{Building: t.At().Building, Gateway: t.At().Gateway}, Proof: proof[:]})
}

func (w *world) hand(e api.Enrolment) api.Answer {
	w.t.Helper()
	e.ID = fmt.Sprintf("%s-%d", e.Kind, len(w.front.answers))
	w.front.enrolments = append(w.front.enrolments, e)
	w.turn()
	return w.front.answers[e.ID]
}

func (b *box) csr() []byte {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, b.client)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return der
}

func (b *box) sign(kind string, payload []byte) []byte {
	b.w.t.Helper()
	e, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: b.place.Address()}, payload, b.key)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return e
}

// request is an enrolment with a building key of that number (0: none).
func (b *box) request(token wire.Token, number uint8) []byte {
	b.w.t.Helper()
	return b.requestFor(token, number, "back", "front")
}

func (b *box) requestFor(token wire.Token, number uint8, doors ...string) []byte {
	b.w.t.Helper()
	r := wire.EnrolRequest{Public: [32]byte(b.key.Public().(ed25519.PublicKey)), KEM: b.kem, CSR: b.csr(), Doors: doors, Number: number}
	if number != 0 {
		r.Escrow = []byte("sealed building key")
	}
	if err := r.Prove(token.Secret); err != nil {
		b.w.t.Fatal(err)
	}
	payload, err := wire.Encode(r)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.sign(wire.TypeEnrol, payload)
}

// enrolled makes a gateway that is enrolled.
func (w *world) enrolled(gateway string, flats ...string) *box {
	w.t.Helper()
	b := w.newBox(gateway)
	token := w.token(gateway, false, flats...)
	a := w.introduce(token)
	var intro wire.Introduction
	if err := wire.Decode(a.Body, &intro); err != nil {
		w.t.Fatal(a.Error, err)
	}
	number := uint8(0)
	if intro.KeyNumber == 0 {
		number = 1
	}
	if a := w.ask(api.KindEnrol, b.place, b.request(token, number)); a.Error != "" {
		w.t.Fatal(a.Error, a.Hint)
	}
	return b
}

// record makes the next tenancy record.
func (b *box) record(id wire.ID, change wire.Change) api.Delivery {
	b.number++
	return b.recordAt(b.line, b.number, id, change)
}

func (b *box) recordAt(line, number uint64, id wire.ID, change wire.Change) api.Delivery {
	b.w.t.Helper()
	plain, err := wire.Encode(change)
	if err != nil {
		b.w.t.Fatal(err)
	}
	sealed, err := sealing.Seal(b.w.trust.Desk, sealing.Change, b.place.Address(), plain)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return b.sealed(line, number, id, sealed)
}

func (b *box) sealed(line, number uint64, id wire.ID, sealed []byte) api.Delivery {
	b.w.t.Helper()
	payload, err := wire.Encode(wire.Record{Line: line, Number: number, ID: id, House: []byte{1}, Desk: sealed, Person: sha256.Sum256(id[:])})
	if err != nil {
		b.w.t.Fatal(err)
	}
	return api.Delivery{Place: api.Place(b.place), Line: line, Record: number, Envelope: b.sign(wire.TypeRecord, payload)}
}

// id makes ids that can be told apart.
func id(kind byte, n int) wire.ID { return wire.ID{kind, byte(n >> 8), byte(n), 1} }

func credential(n int) wire.CredentialID {
	sum := sha256.Sum256(fmt.Append(nil, "card", n))
	return wire.CredentialID(append([]byte{1}, sum[:16]...))
}

// at is a time so many minutes after the start.
func at(minutes int) uint32 { return uint32(start.Unix()) + uint32(minutes)*60 }

func checkIn(n, minutes int) wire.Change {
	return wire.Change{Op: wire.OpCheckIn, At: at(minutes), Clock: wire.ClockNTP, Proof: wire.ProofLandlord, Tenancy: id('t', n), Grant: id('g', n),
		Credentials: []wire.CredentialID{credential(n)}, Kind: wire.GrantResident, Doors: []string{"front"}, Flat: "3b",
		Basis: wire.BasisContract, Informed: true, Document: wire.DocumentResidentID}
}

func other(op wire.Op, n, minutes int) wire.Change {
	c := wire.Change{Op: op, At: at(minutes), Proof: wire.ProofLandlord, Tenancy: id('t', n), Grant: id('g', n)}
	switch op {
	case wire.OpBind, wire.OpSuspend, wire.OpResume:
		c.Credentials = []wire.CredentialID{credential(n)}
	case wire.OpEnd:
		c.Cause = wire.CauseMovedOut
	case wire.OpNotice:
		c.Cause, c.Until = wire.CauseAgreed, at(minutes+3*24*60)
	}
	return c
}

// listed returns the newest list at the front, verified as a gateway does.
func (w *world) listed() (wire.Manifest, map[wire.ID][]wire.Grant) {
	w.t.Helper()
	w.front.mu.Lock() // a request of an issuer that was killed may still be served
	defer w.front.mu.Unlock()
	l, there := w.front.lists[building1]
	if !there {
		return wire.Manifest{}, nil
	}
	payload, _, err := wire.Open(l.Manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building1}, w.trust.Keyset(wire.RoleIssuer))
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := wire.DecodeManifest(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	grants := make(map[wire.ID][]wire.Grant)
	for n, hash := range m.Buckets {
		all, err := m.DecodeBucket(n, w.front.buckets[hash])
		if err != nil {
			w.t.Fatal(err)
		}
		for _, g := range all {
			grants[g.ID] = append(grants[g.ID], g)
		}
	}
	return m, grants
}

// want checks the state of the only card of a grant in the newest list; 0: the
// grant is not in it.
func (w *world) want(n int, state wire.GrantState) wire.Grant {
	w.t.Helper()
	_, grants := w.listed()
	lines := grants[id('g', n)]
	if state == 0 && len(lines) == 0 {
		return wire.Grant{}
	}
	if len(lines) != 1 || lines[0].State != state {
		w.t.Fatalf("grant %d: %v, want %v", n, lines, state)
	}
	return lines[0]
}

func (w *world) do(a operator.Act) operator.Done {
	w.t.Helper()
	d, err := w.i.act(w.t.Context(), "test", a)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func secondKey(w *world) ed25519.PrivateKey {
	w.t.Helper()
	key, err := keys.LoadPrivateKey(filepath.Join(w.directory(authority.DirOffline), authority.FileSecond))
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}
