package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/registry/issuer/authority"

	"gatehouse/internal/enrol"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/mqtt"

	"github.com/rs/zerolog"
)

// TestServerCertificateThatEnds: status names it, and the command in that line
// mends it while the front runs.
func TestServerCertificateThatEnds(t *testing.T) {
	r := newCentre(t)
	front, directory := filepath.Join(r.dir, "front"), filepath.Join(r.dir, "issuer")
	if out := r.ok("status"); strings.Contains(out, "certificate") {
		t.Errorf("a new registry complains:\n%s", out)
	}
	if _, err := authority.RenewServer(directory, front, nil, time.Now().AddDate(-2, 0, 12)); err != nil {
		t.Fatal(err)
	}
	out := r.ok("status")
	found := regexp.MustCompile(`the front's certificate is over at [^,]+, in 11 days: .*Run registryd (renew-server [^;]+);`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no line about it:\n%s", out)
	}
	if said := r.ok(strings.Fields(found[1])...); !strings.Contains(said, "by itself") {
		t.Errorf("said %q", said)
	}
	if out := r.ok("status"); strings.Contains(out, "certificate") {
		t.Errorf("the command in the line has not mended it:\n%s", out)
	}
}

// expire gives a gateway a certificate that was over yesterday.
func (r *centre) expire(dir string) {
	r.t.Helper()
	read := func(path string) []byte {
		raw, err := os.ReadFile(path)
		if err != nil {
			r.t.Fatal(err)
		}
		block, _ := pem.Decode(raw)
		return block.Bytes
	}
	must := func(err error) {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	ca, err := x509.ParseCertificate(read(filepath.Join(r.dir, "issuer", api.FileCA)))
	must(err)
	key, err := x509.ParsePKCS8PrivateKey(read(filepath.Join(r.dir, "issuer", authority.FileCAKey)))
	must(err)
	path := filepath.Join(dir, keys.ClientCertFile)
	cert, err := x509.ParseCertificate(read(path))
	must(err)
	cert.NotBefore, cert.NotAfter = time.Now().AddDate(-1, 0, -1), time.Now().AddDate(0, 0, -1)
	der, err := x509.CreateCertificate(rand.Reader, cert, ca, cert.PublicKey.(*ecdsa.PublicKey), key)
	must(err)
	must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
}

// TestExpiredGatewayIn1970: a gateway whose certificate is over, and that has no
// time, comes back by the broker's word alone: front and issuer are the real ones.
func TestExpiredGatewayIn1970(t *testing.T) {
	r := newCentre(t)
	dir := r.gateway("gw-1")
	r.expire(dir)
	reg, err := keys.LoadRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	wake := func() {}
	in1970 := func() time.Time { return time.Unix(60, 0) }
	renewer := enrol.NewRenewer(enrol.RenewerOptions{Dir: dir, Now: in1970, Trusted: func() bool { return false },
		Renewed: func() { wake() }, Log: zerolog.Nop()})
	judge := enrol.Broker{Dir: dir, Now: in1970, Trusted: func() bool { return false }}
	link, err := mqtt.New(mqtt.Config{Broker: "mqtts://" + reg.Broker, TLS: func(host string) (*tls.Config, error) { return judge.TLS(host) },
		Refused: renewer.Soon, Subscribe: []string{reg.Place.Down("+")}, Log: zerolog.Nop(),
		Jitter: mqtt.Jitter{First: time.Millisecond, Loss: time.Hour, Max: time.Hour}}) // only the renewal makes a second attempt
	if err != nil {
		t.Fatal(err)
	}
	wake = link.Again
	ctx := t.Context()
	var work sync.WaitGroup
	t.Cleanup(work.Wait) // after the context
	work.Go(func() { _ = link.Run(ctx) })
	work.Go(func() { _ = renewer.Run(ctx) })
	r.until("the gateway is connected with a new certificate", func() bool { up, _ := link.State(); return up })
}
