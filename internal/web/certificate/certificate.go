// Package certificate makes the TLS certificate of a house's page on the gateway itself: a browser
// asks about it once, and its fingerprint is on the label.
//
// It refuses to replace an unreadable key: people who trust it would be asked again, and could not
// tell it from a thief's.
package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/durable"
)

// validFrom and validUntil of a certificate do not depend on the clock: a board without a
// battery starts in 1970, and a page that nobody can open helps nobody. The end is the
// last that the short form of a time allows (RFC 5280, 4.1.2.5.1).
var (
	validFrom  = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Own returns the certificate in page.pem of a directory, and makes one for these host names and
// addresses if there is none.
func Own(directory string, names []string) (tls.Certificate, error) {
	path := filepath.Join(directory, "page.pem")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if raw, err = create(names); err != nil {
			return tls.Certificate{}, fmt.Errorf("make the page's certificate: %w", err)
		}
		if err := durable.WriteFile(path, raw, 0o600); err != nil {
			return tls.Certificate{}, fmt.Errorf("keep the page's certificate: %w", err)
		}
	} else if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the page's certificate: %w", err)
	}
	c, err := tls.X509KeyPair(raw, raw)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("the page's certificate %s is damaged (%w): put it back from a backup, or remove it; then a new one is made, and each browser asks once more", path, err)
	}
	return c, nil
}

func create(names []string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	t := x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "Gatehouse"}, NotBefore: validFrom, NotAfter: validUntil,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, &t, &t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = errors.Join(pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return out.Bytes(), err
}

// Fingerprint returns the SHA-256 of a certificate as browsers show it: pairs of hex digits with
// colons.
func Fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
