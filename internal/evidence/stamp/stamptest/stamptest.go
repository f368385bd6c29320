// Package stamptest plays a time-stamping authority, for tests.
package stamptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
)

// Authority is a time-stamping authority and who certified it. It is a handler, of one question at a time.
type Authority struct {
	t    testing.TB
	Root *x509.Certificate
	Cert *x509.Certificate
	Key  crypto.Signer
	// Now is the authority's clock.
	Now time.Time
	// Change is done to a token before it is signed; nil: nothing.
	Change func(*timestamp.Timestamp)
}

// New makes an authority whose certificate is good for a year from a time on. Purpose is what its key may be
// used for.
func New(t testing.TB, from time.Time, purpose ...x509.ExtKeyUsage) *Authority {
	t.Helper()
	a := &Authority{t: t, Now: from.Add(24 * time.Hour)}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, NotBefore: from, NotAfter: from.AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key := a.key()
	a.Root = a.certify(root, root, key.Public(), key)
	a.Key = a.key()
	a.Cert = a.certify(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Test Authority"}, NotBefore: from, NotAfter: from.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: purposes(t, purpose)}, a.Root, a.Key.Public(), key)
	return a
}

// purposes is the extension that RFC 3161 wants critical.
func purposes(t testing.TB, purpose []x509.ExtKeyUsage) []pkix.Extension {
	var oids []asn1.ObjectIdentifier
	for _, p := range purpose {
		oids = append(oids, map[x509.ExtKeyUsage]asn1.ObjectIdentifier{x509.ExtKeyUsageTimeStamping: {1, 3, 6, 1, 5, 5, 7, 3, 8}, x509.ExtKeyUsageServerAuth: {1, 3, 6, 1, 5, 5, 7, 3, 1}}[p])
	}
	value, err := asn1.Marshal(oids)
	if err != nil {
		t.Fatal(err)
	}
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: value}}
}

func (a *Authority) key() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *Authority) certify(c, by *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, c, by, public, key)
	if err == nil {
		c, err = x509.ParseCertificate(der)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// Answer answers a question, as the authority's server does.
func (a *Authority) Answer(question []byte) []byte {
	q, err := timestamp.ParseRequest(question)
	if err != nil {
		a.t.Fatal(err)
	}
	s := timestamp.Timestamp{HashAlgorithm: q.HashAlgorithm, HashedMessage: q.HashedMessage, Time: a.Now, Accuracy: time.Second, Nonce: q.Nonce, Policy: asn1.ObjectIdentifier{1, 2, 3}, AddTSACertificate: true}
	if a.Change != nil {
		a.Change(&s)
	}
	answer, err := s.CreateResponseWithOpts(a.Cert, a.Key, crypto.SHA256)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer
}

// ServeHTTP implements http.Handler.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	question, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "no question", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	_, _ = w.Write(a.Answer(question))
}

// PEM is a certificate as a file has it.
func PEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
