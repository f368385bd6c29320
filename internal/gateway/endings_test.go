package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gateway"
	"gatehouse/internal/keys"
	"gatehouse/sync/mqtt"
)

// deadLink never comes up, and says why.
type deadLink struct{ status mqtt.Status }

func (deadLink) Run(ctx context.Context) error                 { <-ctx.Done(); return nil }
func (deadLink) Publish(context.Context, string, []byte) error { return mqtt.ErrDown }
func (deadLink) Messages() <-chan mqtt.Message                 { return nil }
func (deadLink) State() (up bool, changed <-chan struct{})     { return false, nil }
func (l deadLink) Status() mqtt.Status                         { return l.status }
func (deadLink) Again()                                        {}
func (deadLink) Spread(time.Duration)                          {}
func (deadLink) Look(context.Context) error                    { return mqtt.ErrDown }

func (l deadLink) dial(o *gateway.Options) {
	o.Dial = func(mqtt.Config) (gateway.Link, error) { return l, nil }
}

// toDo is what status says that somebody should do.
func (h *house) toDo() string {
	h.t.Helper()
	s, err := h.client.Status(h.t.Context())
	must(h.t, err)
	return strings.Join(s.Problems, "\n")
}

// clientCertificate gives the gateway one that ends then, and its key.
func (h *house) clientCertificate(until time.Time) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(h.t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(h.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(h.t, err)
	for file, block := range map[string]*pem.Block{keys.ClientCertFile: {Type: "CERTIFICATE", Bytes: der}, keys.ClientKeyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		must(h.t, os.WriteFile(filepath.Join(h.dir, "state", "keys", file), pem.EncodeToMemory(block), 0o600))
	}
}

// TestCertificatesAreToDo: which certificate keeps the link down is said at the
// first try, and one that ends within a month is named before it does.
func TestCertificatesAreToDo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.enrol()
	h.clientCertificate(time.Now().AddDate(0, 0, 12))
	h.startWith(deadLink{mqtt.Status{Err: errors.New("no"), Cause: mqtt.CauseTheirCertificate, Advice: "the broker's certificate has expired: somebody renews it"}}.dial)
	for _, want := range []string{"can't be believed: the broker's certificate has expired", "Doors go on", "this gateway's certificate is over at", "in 11 days"} {
		if text := h.toDo(); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	h.clientCertificate(time.Now().AddDate(0, 0, 31))
	if text := h.toDo(); strings.Contains(text, "this gateway's certificate") {
		t.Errorf("with a month to go:\n%s", text)
	}
	h.clientCertificate(time.Now().AddDate(0, 0, -2))
	if text := h.toDo(); !strings.Contains(text, "this gateway's certificate is over since") {
		t.Errorf("after its end:\n%s", text)
	}
}

// TestRefusedCertificateIsToDo: so is our own, with what the renewal met.
func TestRefusedCertificateIsToDo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.enrol()
	h.startWith(deadLink{mqtt.Status{Err: errors.New("no"), Cause: mqtt.CauseOurCertificate, Advice: "our certificate has expired"}}.dial)
	if text := h.toDo(); !strings.Contains(text, "refuses this gateway's certificate: our certificate has expired") {
		t.Errorf("status says\n%s", text)
	}
}

// TestEndOfTheCA: a gateway whose registry can't be believed any more is enrolled anew in its
// place. The building's key stays: where there is no other gateway, no card would open
// until the operator has taken it from escrow.
func TestEndOfTheCA(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(-20, 0, 0), NotAfter: time.Now().AddDate(0, 0, -1), IsCA: true, BasicConstraintsValid: true}
	ca, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	h := newHouse(t)
	h.enrolAt(ca, nil)
	h.startWith(deadLink{mqtt.Status{Err: errors.New("no"), Advice: "unexpected"}}.dial)
	const want = "can be believed here: enrol the gateway with a new token (at the registry registryd gateway add --replace --district panyu --town shiqiao --building lane-7 --gateway gw1, here gatehouse enrol)"
	if text := h.toDo(); !strings.Contains(text, want) || strings.Contains(text, "empty directory") || strings.Contains(text, "away") {
		t.Errorf("status says\n%s", text)
	}
}
