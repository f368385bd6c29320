package issuer

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// TestOpenRefuses an issuer whose keys do not belong together, and a second one.
func TestOpenRefuses(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	if _, err := Open(Options{Dir: w.directory(authority.DirIssuer), Front: w.front}); err == nil {
		t.Error("two issuers have one database")
	}
	_ = w.i.Close()
	for _, name := range []string{authority.FileIssuer, authority.FileCAKey, api.FileCA, api.FileTrust} {
		path := filepath.Join(w.directory(authority.DirIssuer), name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := os.ReadFile(filepath.Join(stranger.directory(authority.DirIssuer), name))
		for what, content := range map[string][]byte{"another's": other, "cut": good[:len(good)/2], "no": nil} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if i, err := Open(Options{Dir: w.directory(authority.DirIssuer), Front: w.front}); err == nil {
				t.Errorf("opened with %s %s", what, name)
				_ = i.Close()
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.open()
}

// TestEnrolment: token, introduction, request; then certificate and House
// document name the gateway.
func TestEnrolment(t *testing.T) {
	w := newWorld(t)
	g := w.newBox("gw-1")
	if a := w.introduce(wire.Token{Place: [4]string{"d1", "t1", building1, "gw-1"}}); a.Error == "" {
		t.Fatal("introduced without a token")
	}
	token := w.token("gw-1", false, "3b", "3a", "3a")
	if token.At() != g.place || token.Enrol != "registry.example.org:8443" || token.Broker != "registry.example.org:8883" {
		t.Fatalf("%+v", token)
	}
	var intro wire.Introduction
	a := w.introduce(token)
	if err := wire.Decode(a.Body, &intro); err != nil || intro.KeyNumber != 0 {
		t.Fatal(a, err)
	}
	if _, err := keys.OpenTrust(intro.Trust, token.Root[:], token.Registry); err != nil {
		t.Fatal(err)
	}
	g.checkEnrolled(w.ask(api.KindEnrol, g.place, g.request(token, 1)))
	h := w.house()
	if h.Version != 1 || !slices.Equal(h.Flats, []string{"3a", "3b"}) || h.NoticeDays != 3 || len(h.Gateways) != 1 || !slices.Equal(h.Gateways[0].Doors, []string{"back", "front"}) {
		t.Fatalf("%+v", h)
	}
	w.reopen()
	g.checkEnrolled(w.ask(api.KindEnrol, g.place, g.request(token, 1))) // the answer was lost
	if w.house().Version != 1 {
		t.Fatal("a repeated request makes another House document")
	}
	e, err := report.Escrow(w.i.ledger, building1)
	if err != nil || e.Number != 1 || e.Address != "house-1/gw-1" || string(e.Sealed) != "sealed building key" {
		t.Fatal(e, err)
	}
}

// checkEnrolled verifies an answer as the gateway does.
func (b *box) checkEnrolled(a api.Answer) {
	t := b.w.t
	t.Helper()
	var e wire.Enrolled
	if err := wire.Decode(a.Body, &e); err != nil {
		t.Fatal(a.Error, a.Hint, err)
	}
	h, err := keys.OpenHouse(e.House, b.w.trust, building1)
	if err != nil {
		t.Fatal(err)
	}
	if g := h.Gateway(b.place.Gateway); g == nil || !slices.Equal(g.Public[:], b.key.Public().(ed25519.PublicKey)) {
		t.Fatal("the House document does not name this gateway")
	}
	cert, err := x509.ParseCertificate(e.Certificates[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(b.w.i.ledger.Keys.CA)
	opts := x509.VerifyOptions{Roots: pool, CurrentTime: b.w.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if _, err := cert.Verify(opts); err != nil {
		t.Fatal(err)
	}
	opts.CurrentTime = b.w.now.AddDate(1, 0, 1)
	if _, err := cert.Verify(opts); err == nil {
		t.Fatal("it is good for more than a year")
	}
	name := "gatehouse:d1/t1/" + b.place.Address()
	if cert.Subject.CommonName != b.place.Address() || len(cert.URIs) != 1 || cert.URIs[0].String() != name || !b.client.PublicKey.Equal(cert.PublicKey) {
		t.Fatalf("%v %v", cert.Subject, cert.URIs)
	}
}

func (w *world) house() wire.House {
	w.t.Helper()
	h, err := keys.OpenHouse(w.front.houses[building1], w.trust, building1)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// TestEnrolmentRefused says what to do.
func TestEnrolmentRefused(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	token := w.token("gw-2", false)
	h, thief := w.newBox("gw-2"), w.newBox("gw-2")
	wrong := token
	wrong.Secret[0]++
	cloned := w.newBox("gw-2")
	cloned.key = g.key
	elsewhere := w.newBox("gw-3")
	refused := func(name string, p wire.Place, request []byte) {
		t.Helper()
		if a := w.ask(api.KindEnrol, p, request); a.Error == "" || len(a.Body) > 0 {
			t.Errorf("%s: enrolled", name)
		}
	}
	refused("wrong secret", h.place, h.request(wrong, 0))
	refused("key of another gateway", h.place, cloned.request(token, 0))
	refused("signed for another gateway", h.place, elsewhere.request(token, 0))
	refused("no token", elsewhere.place, elsewhere.request(token, 0))
	refused("nonsense", h.place, []byte{0xd2, 0x80})
	refused("a second building key", h.place, h.request(token, 1))
	h.checkEnrolled(w.ask(api.KindEnrol, h.place, h.request(token, 0)))
	refused("token used by another key", h.place, thief.request(token, 0))
	if h := w.house(); h.Version != 2 || len(h.Gateways) != 2 {
		t.Fatalf("%+v", h)
	}
	late := w.token("gw-4", false)
	w.now = w.now.Add(73 * time.Hour)
	box := w.newBox("gw-4")
	refused("too late", box.place, box.request(late, 0))
}

// TestEnrolmentBytes: no other bytes than those that the key signed are a
// request: not one bit more, less or different.
func TestEnrolmentBytes(t *testing.T) {
	b := (&world{t: t}).newBox("gw-1")
	good := b.request(wire.Token{Secret: [16]byte{1}}, 1)
	if _, err := wire.OpenEnrol(good, b.place.Address()); err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := wire.OpenEnrol(good[:n], b.place.Address()); err == nil {
			t.Fatalf("taken when cut at %d", n)
		}
		other := slices.Clone(good)
		other[n] ^= 1 << (n % 8)
		if _, err := wire.OpenEnrol(other, b.place.Address()); err == nil {
			t.Fatalf("taken with byte %d changed", n)
		}
	}
	if _, err := wire.OpenEnrol(append(slices.Clone(good), 0), b.place.Address()); err == nil {
		t.Fatal("taken with a byte more")
	}
}

// TestBuildingKeyMadeTwice: of two gateways that enrol at the same moment one
// has to take the other's key.
func TestBuildingKeyMadeTwice(t *testing.T) {
	w := newWorld(t)
	a, b := w.newBox("gw-1"), w.newBox("gw-2")
	ta, tb := w.token("gw-1", false), w.token("gw-2", false)
	w.introduce(ta)
	w.introduce(tb)
	a.checkEnrolled(w.ask(api.KindEnrol, a.place, a.request(ta, 1)))
	if got := w.ask(api.KindEnrol, b.place, b.request(tb, 1)); got.Error == "" || got.Hint == "" {
		t.Fatal("two keys of one number")
	}
	w.introduce(tb)
	if got := w.ask(api.KindEnrol, b.place, b.request(tb, 1)); got.Error == "" || got.Hint == "" {
		t.Fatal("it asks once more with the key that it made, which has the right number by now")
	}
	tb = w.token("gw-2", false)
	w.introduce(tb)
	if got := w.ask(api.KindEnrol, b.place, b.request(tb, 1)); got.Error == "" {
		t.Fatal("the same with a new token")
	}
	b.checkEnrolled(w.ask(api.KindEnrol, b.place, b.request(tb, 0)))
	// A replaced first gateway brings the key back as it was restored from escrow.
	again := w.newBox("gw-2")
	token := w.token("gw-2", true)
	w.introduce(token)
	if got := w.ask(api.KindEnrol, again.place, again.request(token, 2)); got.Error == "" {
		t.Fatal("another number was taken")
	}
	restored := again.request(token, 1)
	again.checkEnrolled(w.ask(api.KindEnrol, again.place, restored))
	again.checkEnrolled(w.ask(api.KindEnrol, again.place, restored)) // the answer was lost
}

// TestCertificateOfADoubtfulClock: an issuer whose clock was set 400 days ahead
// goes by the time before, the broker by the machine's: a certificate is good at
// both, or the gateway could never connect until the clock is mended.
func TestCertificateOfADoubtfulClock(t *testing.T) {
	w := newWorld(t)
	boot := time.Hour
	w.clock = agreed.Source{Wall: func() time.Time { return w.now }, Boot: func() time.Duration { return boot },
		Synced: func() bool { return false }, BootID: "boot"}
	w.reopen()
	g := w.enrolled("gw-1")
	before := w.now
	w.now = before.AddDate(0, 0, 400)
	payload, err := wire.Encode(wire.RenewRequest{CSR: g.csr()})
	if err != nil {
		t.Fatal(err)
	}
	a := w.ask(api.KindRenew, g.place, g.sign(wire.TypeRenew, payload))
	var enrolled wire.Enrolled
	if err := wire.Decode(a.Body, &enrolled); err != nil {
		t.Fatal(a.Error, err)
	}
	cert, err := x509.ParseCertificate(enrolled.Certificates[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{before, w.now, w.now.AddDate(0, 11, 0)} {
		if at.Before(cert.NotBefore) || at.After(cert.NotAfter) {
			t.Errorf("not good on %v: from %v to %v", at, cert.NotBefore, cert.NotAfter)
		}
	}
}

// TestRenewal: the gateway's own key is enough, that of one replaced or removed
// is not.
func TestRenewal(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	renewal := func(b *box) []byte {
		payload, err := wire.Encode(wire.RenewRequest{CSR: b.csr()})
		if err != nil {
			t.Fatal(err)
		}
		return b.sign(wire.TypeRenew, payload)
	}
	w.now = w.now.AddDate(0, 8, 0)
	g.checkEnrolled(w.ask(api.KindRenew, g.place, renewal(g)))
	_, err := report.Gateways(w.i.ledger, "")
	if err != nil {
		t.Fatal(err)
	}
	next := w.newBox("gw-1")
	if err := w.update(func(c *ledger.Change) error {
		_, err := enrol.Add(c, operator.NewGateway{Place: api.Place(g.place)})
		return err
	}); err == nil {
		t.Fatal("a token for an enrolled gateway without being asked to replace it")
	}
	token := w.token("gw-1", true)
	g.checkEnrolled(w.ask(api.KindRenew, g.place, renewal(g))) // still enrolled until the other comes
	w.introduce(token)
	next.checkEnrolled(w.ask(api.KindEnrol, next.place, next.request(token, 0)))
	if a := w.ask(api.KindRenew, g.place, renewal(g)); a.Error == "" {
		t.Fatal("a replaced gateway got a certificate")
	}
	if err := w.update(func(c *ledger.Change) error { return enrol.Remove(c, building1, "gw-1") }); err != nil {
		t.Fatal(err)
	}
	w.turn()
	if len(w.house().Gateways) != 0 {
		t.Fatal("still in the House document")
	}
	if a := w.ask(api.KindRenew, next.place, renewal(next)); a.Error == "" {
		t.Fatal("a removed gateway got a certificate")
	}
}

// TestCountersignTool signs with the stick's key, and with no other.
func TestCountersignTool(t *testing.T) {
	w := newWorld(t)
	l := operator.List{Building: building1, Hash: make([]byte, 32), Trust: w.i.ledger.Keys.TrustEnvelope}
	rootFile := filepath.Join(w.directory(authority.DirOffline), api.FileRoot)
	s, err := operator.SignList(l, rootFile, "registry-1", filepath.Join(w.directory(authority.DirOffline), authority.FileSecond))
	if err != nil || len(s.Second) == 0 {
		t.Fatal(err)
	}
	if _, err := operator.SignList(l, rootFile, "registry-1", filepath.Join(w.directory(authority.DirOffline), authority.FileRootKey)); err == nil {
		t.Error("the root is no issuer")
	}
	if _, err := operator.SignList(l, rootFile, "registry-1", "nothing"); err == nil || errors.Is(err, fs.ErrExist) {
		t.Error("signed without a key")
	}
}

// TestReplacedKey: after a trust document with another issuer's key all is
// signed again.
func TestReplacedKey(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	_, key, _ := ed25519.GenerateKey(nil)
	w.trust.Version++
	for n := range w.trust.Keys {
		if k := &w.trust.Keys[n]; k.Role == wire.RoleIssuer && slices.Equal(k.Public[:], w.i.ledger.Keys.Public()) {
			k.Epoch, k.Public = 2, [32]byte(key.Public().(ed25519.PublicKey))
		}
	}
	root, err := keys.LoadPrivateKey(filepath.Join(w.directory(authority.DirOffline), authority.FileRootKey))
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := wire.Encode(w.trust)
	envelope, _ := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "registry-1"}, payload, root)
	path := filepath.Join(w.directory(authority.DirIssuer), authority.FileIssuer)
	if err := errors.Join(os.WriteFile(filepath.Join(w.directory(authority.DirIssuer), api.FileTrust), envelope, 0o600), os.Remove(path), keys.SavePrivateKey(path, key)); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	for range 2 {
		if err := w.i.ledger.SignAgain(); err != nil {
			t.Fatal(err)
		}
		w.turn()
	}
	if m, _ := w.listed(); m.Version != 2 || w.house().Version != 2 {
		t.Fatalf("list %d, house %d", m.Version, w.house().Version)
	}
	w.want(1, wire.GrantActive)
}
