package enrol

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// issuer plays a registry's front and issuer in one, by the same messages. The
// fields that a test sets make it lie or fail.
type issuer struct {
	t             *testing.T
	root, signing ed25519.PrivateKey
	ca            *x509.Certificate
	caKey         *ecdsa.PrivateKey
	escrow        []byte // private
	trust         wire.Trust
	house         wire.House
	place         wire.Place
	secret        [16]byte
	server        *httptest.Server
	notBefore     time.Time // of the server's certificate

	mu        sync.Mutex
	keyNumber uint8
	signer    string // id of the gateway's signing key
	used      []byte // the request that burnt the token
	answer    []byte
	served    map[string]int
	lose      bool // the next answer is lost on its way
	change    func(*wire.Enrolled)
	rootSigns ed25519.PrivateKey        // in place of the root
	certify   func() *ecdsa.PublicKey   // in place of the key of the request
	expel     bool                      // the gateway is no longer of the house after the next check
	anonymous bool                      // the house does not name the gateway
	listeners func(*tls.Certificate)    // changes what the server shows
	intro     func(*wire.Introduction)  // changes the introduction
	refuse    func(http.ResponseWriter) // answers in its place
	snapshot  http.HandlerFunc          // nil: it knows of none
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newIssuer(t *testing.T, change ...func(*issuer)) *issuer {
	i := &issuer{t: t, place: wire.Place{District: "north", Town: "xin", Building: "house-1", Gateway: "gate-1"}, served: map[string]int{},
		notBefore: time.Now().Add(-time.Hour)}
	_, i.root, _ = ed25519.GenerateKey(rand.Reader)
	_, i.signing, _ = ed25519.GenerateKey(rand.Reader)
	i.rootSigns = i.root
	rand.Read(i.secret[:])
	i.ca, i.caKey = makeCA(t)
	var public []byte
	var err error
	i.escrow, public, err = sealing.GenerateKey()
	fatal(t, err)
	i.trust = wire.Trust{Version: 3, Issued: 1_790_000_000, Registry: "city", Records: public, Desk: public, Escrow: public,
		CAs:  [][]byte{i.ca.Raw},
		Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 1, Public: [32]byte(i.signing.Public().(ed25519.PublicKey))}}}
	i.house = wire.House{Version: 1, Issued: 1_790_000_000, District: "north", Town: "xin", NoticeDays: 3}
	for _, f := range change {
		f(i)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathIntroduce, i.introduce)
	mux.HandleFunc("POST "+pathEnrol, i.enrol)
	mux.HandleFunc("POST "+pathRenew, i.renew)
	if i.snapshot != nil {
		mux.HandleFunc("POST "+pathSnapshot, i.snapshot)
	}
	i.server = httptest.NewUnstartedServer(mux)
	cert := i.serverCertificate()
	if i.listeners != nil {
		i.listeners(&cert)
	}
	i.server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
	i.server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are the point
	i.server.StartTLS()
	t.Cleanup(i.server.Close)
	return i
}

func makeCA(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(20, 0, 0), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	fatal(t, err)
	ca, err := x509.ParseCertificate(der)
	fatal(t, err)
	return ca, key
}

func (i *issuer) serverCertificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fatal(i.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: i.notBefore, NotAfter: i.notBefore.AddDate(1, 0, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, i.ca, &key.PublicKey, i.caKey)
	fatal(i.t, err)
	return tls.Certificate{Certificate: [][]byte{der, i.ca.Raw}, PrivateKey: key}
}

func (i *issuer) token() wire.Token {
	host := strings.TrimPrefix(i.server.URL, "https://")
	return wire.Token{Registry: "city", Place: [4]string{i.place.District, i.place.Town, i.place.Building, i.place.Gateway},
		Enrol: host, Broker: "127.0.0.1:8883", CA: sha256.Sum256(i.ca.Raw), Root: [32]byte(i.root.Public().(ed25519.PublicKey)), Secret: i.secret}
}

func (i *issuer) introduce(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.served["introduce"]++
	var ask map[string]string
	proof := wire.IntroduceProof(i.secret, i.place.Address())
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || len(ask) != 3 || ask["building"] != i.place.Building || ask["gateway"] != i.place.Gateway {
		http.Error(w, `{"error":"nobody waits for this gateway","hint":"gateway add"}`, http.StatusNotFound)
		return
	}
	if ask["proof"] != hex.EncodeToString(proof[:]) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error":"no such token","hint":"was it typed in whole?"}`)
		return
	}
	out := wire.Introduction{Trust: i.signTrust(), KeyNumber: i.keyNumber}
	if i.intro != nil {
		i.intro(&out)
	}
	b, err := wire.Encode(out)
	if err != nil {
		i.t.Error(err)
	}
	w.Write(b)
}

func (i *issuer) enrol(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.served["enrol"]++
	body, _ := io.ReadAll(r.Body)
	switch {
	case i.refuse != nil:
		i.refuse(w)
		return
	case i.used != nil && !bytes.Equal(i.used, body):
		w.WriteHeader(http.StatusConflict)
		io.WriteString(w, `{"error":"the token was used","hint":"ask for a new one"}`)
		return
	case i.used != nil:
		w.Write(i.answer)
		return
	}
	req, err := wire.OpenEnrol(body, i.place.Address())
	if err != nil || !req.Proved(i.secret) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, `{"error":"no such token","hint":"was it typed in whole?"}`)
		return
	}
	if id := wire.IDOf(req.Public[:]); i.signer == "" {
		i.signer = hex.EncodeToString(id[:])
	}
	i.used, i.answer = body, i.enrolled(req)
	if i.lose {
		i.lose = false
		panic(http.ErrAbortHandler)
	}
	w.Write(i.answer)
}

// enrolled is called with the lock held.
func (i *issuer) enrolled(req wire.EnrolRequest) []byte {
	if !i.anonymous {
		i.house.Gateways = []wire.HouseGateway{{ID: i.place.Gateway, Public: req.Public, KEM: req.KEM, Doors: req.Doors}}
	}
	if req.Number != 0 {
		i.keyNumber = req.Number
		if _, err := keys.UnsealBuildingKey(i.escrow, i.place.Address(), req.Escrow); err != nil {
			i.t.Errorf("escrow: %v", err)
		}
	}
	return i.compose(req.CSR)
}

func (i *issuer) compose(csr []byte) []byte {
	payload, err := wire.Encode(i.house)
	fatal(i.t, err)
	house, err := wire.Sign(wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Epoch: 1, Address: i.place.Building}, payload, i.signing)
	fatal(i.t, err)
	a := wire.Enrolled{Trust: i.signTrust(), House: house, Certificates: [][]byte{i.certificate(csr), i.ca.Raw}, Time: uint32(time.Now().Unix())}
	if i.change != nil {
		i.change(&a)
	}
	b, err := wire.Encode(a)
	fatal(i.t, err)
	return b
}

func (i *issuer) renew(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.served["renew"]++
	body, _ := io.ReadAll(r.Body)
	g := i.house.Gateway(i.place.Gateway)
	payload, _, err := wire.Open(body, wire.Expect{Type: wire.TypeRenew, Role: wire.RoleGateway, Address: i.place.Address()}, []wire.Key{g.Key()})
	var req wire.RenewRequest
	if err == nil {
		err = wire.Decode(payload, &req)
	}
	if err != nil || i.refuse != nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if i.expel {
		i.house.Gateways = nil
	}
	w.Write(i.compose(req.CSR))
}

func (i *issuer) signTrust() []byte {
	payload, err := wire.Encode(i.trust)
	fatal(i.t, err)
	b, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city"}, payload, i.rootSigns)
	fatal(i.t, err)
	return b
}

func (i *issuer) certificate(csr []byte) []byte {
	req, err := x509.ParseCertificateRequest(csr)
	fatal(i.t, err)
	fatal(i.t, req.CheckSignature())
	public := req.PublicKey.(*ecdsa.PublicKey)
	if i.certify != nil {
		public = i.certify()
	}
	uri, err := url.Parse(URI(i.place))
	fatal(i.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: i.place.Address(), SerialNumber: i.signer}, URIs: []*url.URL{uri},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(1, 0, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, i.ca, public, i.caKey)
	fatal(i.t, err)
	return der
}
