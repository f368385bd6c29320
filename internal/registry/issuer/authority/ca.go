package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Lives of certificates.
const (
	caYears     = 20
	serverYears = 2
	clientYears = 1
	backdated   = time.Hour // for clocks that are a little behind
)

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func makeCA(registry string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make CA key: %w", err)
	}
	t := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "gatehouse registry " + registry},
		NotBefore: now.Add(-backdated), NotAfter: now.AddDate(caYears, 0, 0), IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("make CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func loadCA(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	der, err := readPEM(filepath.Join(dir, api.FileCA), certificateBlock)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(dir, api.FileCA), err)
	}
	key, err := loadECDSA(filepath.Join(dir, FileCAKey))
	if err != nil {
		return nil, nil, err
	}
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return nil, nil, fmt.Errorf("%s and %s in %s do not belong together", api.FileCA, FileCAKey, dir)
	}
	return cert, key, nil
}

func loadECDSA(path string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(path, privateBlock)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s: not an ECDSA key in PKCS #8", path)
	}
	return key, nil
}

// serverCertificate is that of the front, for names and IP addresses.
func serverCertificate(ca *x509.Certificate, caKey *ecdsa.PrivateKey, public any, hosts []string, now time.Time) ([]byte, error) {
	t := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: hosts[0]},
		NotBefore: now.Add(-backdated), NotAfter: within(ca, now.AddDate(serverYears, 0, 0)),
		KeyUsage:    x509.KeyUsageDigitalSignature, // Client too: the front shows it to a broker that runs elsewhere.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, public, caKey)
	if err != nil {
		return nil, fmt.Errorf("make server certificate: %w", err)
	}
	return der, nil
}

// within is the end of a certificate, which is worth nothing after its CA's: so that
// whoever looks at its end sees the true one.
func within(ca *x509.Certificate, end time.Time) time.Time {
	if end.After(ca.NotAfter) {
		return ca.NotAfter
	}
	return end
}

// ClientCertificate is that of a gateway, for the key in its request. The serial
// number of its subject is the id of the gateway's signing key, so that the
// certificate of a machine that was replaced opens nothing any more. It is good
// from the first time that it may be now, and for a year from the last: the broker
// goes by the machine's clock, which the issuer may doubt.
func (k Keys) ClientCertificate(p wire.Place, signer wire.KeyID, request []byte, first, last time.Time) (*x509.Certificate, error) {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, fmt.Errorf("request for a certificate: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("request for a certificate: %w", err)
	}
	if public, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("request for a certificate: not a P-256 key")
	}
	name := &url.URL{Scheme: "gatehouse", Opaque: p.District + "/" + p.Town + "/" + p.Building + "/" + p.Gateway}
	subject := pkix.Name{CommonName: p.Address(), SerialNumber: hex.EncodeToString(signer[:])}
	t := &x509.Certificate{SerialNumber: serial(), Subject: subject, URIs: []*url.URL{name},
		NotBefore: first.Add(-backdated), NotAfter: within(k.CA, last.AddDate(clientYears, 0, 0)),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, t, k.CA, csr.PublicKey, k.caKey)
	if err != nil {
		return nil, fmt.Errorf("make certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}
