package authority

import (
	"bytes"
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

// Files with the issuer's keys, in its directory. Those that it shares with the front bear the
// front's names.
const (
	FilePlace  = "registry.json" // what tokens say: the registry's id and hosts
	FileIssuer = "issuer.key"    // PEM, Ed25519: lists, House documents
	FileCAKey  = "ca.key"        // PEM, ECDSA P-256: gateways' certificates
	FileDesk   = "desk.key"      // PEM, HPKE: opens tenancy records
	// FileTrustPlain is the newest trust document of format 1, where that in
	// api.FileTrust is of format 2.
	FileTrustPlain = "trust-1.cose"
)

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

// areDirectories refuses directories that Init has not made, before anything is written there.
// Keys may be lost from them: each is told by a file that holds none. An empty front
// is elsewhere.
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
