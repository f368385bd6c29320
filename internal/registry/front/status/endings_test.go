package status

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/front/certificate"
	"gatehouse/internal/registry/front/document"
	"gatehouse/sync/wire"
)

// TestEndings: certificates are named from 30 days before their end on, a CA
// from 400, with the day and what to do; what has time is not.
func TestEndings(t *testing.T) {
	dir := t.TempDir()
	e, leaf := endings(t, dir, time.Now().Add(24*time.Hour))
	at := func(before time.Duration) string { return strings.Join(e.at(leaf.Add(-before)), "\n") }
	const day = 24 * time.Hour
	command := "registryd renew-server --dir " + filepath.Join(filepath.Dir(dir), "issuer") + " --front-dir " + dir
	for _, c := range []struct {
		before     time.Duration
		server, ca bool
	}{{401 * day, false, false}, {399 * day, false, true}, {31 * day, false, true}, {29 * day, true, true}, {-day, true, true}} {
		text := at(c.before)
		if strings.Contains(text, "the front's certificate") != c.server || strings.Contains(text, command) != c.server ||
			strings.Contains(text, `the CA "Test CA"`) != c.ca {
			t.Errorf("%v before: %q", c.before, text)
		}
	}
	if text := at(-day); !strings.Contains(text, "is over since "+leaf.UTC().Format(time.DateOnly)) {
		t.Errorf("after the end: %q", text)
	}
	if text := at(10 * day); !strings.Contains(text, "in 10 days") {
		t.Errorf("before the end: %q", text)
	}
	if strings.Contains(at(-day), "the broker") {
		t.Error("a certificate for a broker elsewhere, and there is none")
	}
	e.Broker = filepath.Join(dir, "server.crt")
	if text := at(29 * day); !strings.Contains(text, "certificate for the broker, "+e.Broker) {
		t.Errorf("with a broker elsewhere: %q", text)
	}
}

// endings are those of a front at dir whose one certificate, which is its own CA, ends
// at a time.
func endings(t *testing.T, dir string, end time.Time) (*Endings, time.Time) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: end.AddDate(-2, 0, 0), NotAfter: end}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	files := [2]string{filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")}
	must(os.WriteFile(files[0], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	must(os.WriteFile(files[1], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	log := zerolog.Nop()
	server, err := certificate.Load(files[0], files[1], &log)
	must(err)
	e := &Endings{Active: &document.Active{}, Server: server, Dir: dir}
	e.Active.Store(&document.Authority{Trust: wire.Trust{CAs: [][]byte{cert}}})
	pair, err := server.Get(nil)
	must(err)
	return e, pair.Leaf.NotAfter
}
