package authority

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Files with the issuer's keys, in its directory. Those shared with the front have the front's
// names.
const (
	FilePlace  = "registry.json" // what tokens say: the registry's id and hosts
	FileIssuer = "issuer.key"    // PEM, Ed25519: lists, House documents
	FileCAKey  = "ca.key"        // PEM, ECDSA P-256: gateways' certificates
	FileDesk   = "desk.key"      // PEM, HPKE: opens tenancy records
	// FileTrustPlain, FileTrustTwo and FileTrustFour are the twins of formats 1, 2 and 4 of the newest trust
	// document, where that is of a newer format and they say less.
	FileTrustPlain = "trust-1.cose"
	FileTrustTwo   = "trust-2.cose"
	FileTrustFour  = "trust-4.cose"
)

// olderFormat is a format of trust documents before the newest, with the file of the twin in it.
type olderFormat struct {
	format uint64
	file   string
	reduce func(*wire.Trust) // takes away what it does not have
}

func olderFormats() []olderFormat {
	return []olderFormat{
		{1, FileTrustPlain, func(t *wire.Trust) { t.False, t.Addresses, t.Approvers, t.Retention = nil, nil, nil, nil }},
		{2, FileTrustTwo, func(t *wire.Trust) { t.Approvers, t.Retention = nil, nil }},
		{4, FileTrustFour, func(t *wire.Trust) { t.Retention = nil }},
	}
}

// Files that belong on a stick, away from both processes.
const (
	FileRootKey = "root.key"    // PEM, Ed25519: signs trust documents
	FileSecond  = "second.key"  // PEM, Ed25519: another issuer's, for lists that remove many tenancies
	FileRecords = "records.key" // PEM, HPKE: opens persons and who parts
	FileEscrow  = "escrow.key"  // PEM, HPKE: opens building keys
)

// Kinds of PEM blocks.
const (
	certificateBlock = "CERTIFICATE"
	privateBlock     = "PRIVATE KEY"
)

func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s: no PEM block %q", path, kind)
	}
	return block.Bytes, nil
}

func writePEM(path, kind string, mode os.FileMode, ders ...[]byte) error {
	var b bytes.Buffer
	for _, der := range ders {
		if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return durable.WriteFile(path, b.Bytes(), mode)
}

func newKey(path string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, keys.SavePrivateKey(path, key)
}

func newSealKey(path string) (public []byte, err error) {
	private, public, err := sealing.GenerateKey()
	if err != nil {
		return nil, err
	}
	return public, keys.SaveSealKey(path, private)
}

// areDirectories refuses directories that Init has not made, before anything is written there. Each
// is recognised by a file that holds no key, because keys may be lost. An empty front is elsewhere.
func areDirectories(issuer, front string) error {
	if err := isDirectory(issuer, FilePlace, "--dir names the issuer's directory"); err != nil || front == "" {
		return err
	}
	return isDirectory(front, api.FileRoot, "--front-dir names the front's directory")
}

func isDirectory(dir, file, hint string) error {
	_, err := os.Stat(filepath.Join(dir, file))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return api.Hinted(hint+", which registryd init made", "there is no directory %s", dir)
	}
	return api.Hinted(hint+", which registryd init made", "%s is another directory: it has no %s", dir, file)
}

// Lives of certificates.
const (
	caYears     = 20
	serverYears = 2
	clientYears = 1
	backdated   = time.Hour // for clocks that are a little behind
)

// ca is a certificate authority, for gateways and the front.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a certificate from a template, valid from a little before first until last, and no
// longer than the CA: so its own end is the true one.
func (a ca) sign(t *x509.Certificate, public any, first, last time.Time) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] &= 0x7f
	t.SerialNumber, t.NotBefore, t.NotAfter = new(big.Int).SetBytes(serial), first.Add(-backdated), a.within(last)
	der, err := x509.CreateCertificate(rand.Reader, t, cmp.Or(a.cert, t), public, a.key) // a CA signs its own
	if err != nil {
		return nil, fmt.Errorf("make certificate of %s: %w", t.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

// within limits the end of a certificate to that of the CA.
func (a ca) within(end time.Time) time.Time {
	if a.cert != nil && end.After(a.cert.NotAfter) {
		return a.cert.NotAfter
	}
	return end
}

func makeCA(registry string, now time.Time) (a ca, err error) {
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return a, fmt.Errorf("make CA key: %w", err)
	}
	a.cert, err = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "gatehouse registry " + registry}, IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}, a.key.Public(), now, now.AddDate(caYears, 0, 0))
	return a, err
}

func loadCA(dir string) (a ca, err error) {
	if a.cert, err = loadCertificate(filepath.Join(dir, api.FileCA)); err != nil {
		return a, err
	}
	if a.key, err = loadECDSA(filepath.Join(dir, FileCAKey)); err != nil {
		return a, err
	}
	if !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return a, fmt.Errorf("%s and %s in %s do not belong together", api.FileCA, FileCAKey, dir)
	}
	return a, nil
}

func loadCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path, certificateBlock)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
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

func saveECDSA(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writePEM(path, privateBlock, 0o600, der)
}

// server makes the front's certificate, for names and IP addresses.
func (a ca) server(public any, hosts []string, now time.Time) (*x509.Certificate, error) {
	t := &x509.Certificate{Subject: pkix.Name{CommonName: hosts[0]},
		KeyUsage:    x509.KeyUsageDigitalSignature, // Client too: the front shows it to a broker that runs elsewhere.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return a.sign(t, public, now, now.AddDate(serverYears, 0, 0))
}

// ClientCertificate makes the certificate of a gateway, for the key in its request. Its subject's
// serial number is the id of the gateway's signing key, so that a replaced machine is out. It is
// valid from the earliest possible present time, and for a year from the latest: the broker uses
// the machine's clock, which the issuer may doubt.
func (k Keys) ClientCertificate(p wire.Place, signer wire.KeyID, request []byte, first, last time.Time) (*x509.Certificate, error) {
	csr, err := x509.ParseCertificateRequest(request)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("request for a certificate: %w", err)
	}
	if public, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return nil, errors.New("request for a certificate: not a P-256 key")
	}
	name := &url.URL{Scheme: "gatehouse", Opaque: p.District + "/" + p.Town + "/" + p.Building + "/" + p.Gateway}
	return ca{k.CA, k.caKey}.sign(&x509.Certificate{Subject: pkix.Name{CommonName: p.Address(), SerialNumber: hex.EncodeToString(signer[:])},
		URIs: []*url.URL{name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}},
		csr.PublicKey, first, last.AddDate(clientYears, 0, 0))
}
