package enrol

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/internal/durable"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// PEM blocks.
const (
	blockPrivate     = "PRIVATE KEY"
	blockPublic      = "PUBLIC KEY"
	blockCertificate = "CERTIFICATE"
)

// signingKey loads or makes the gateway's own key.
func signingKey(path string) (ed25519.PrivateKey, error) {
	key, err := keys.LoadPrivateKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if _, key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	return key, keys.SavePrivateKey(path, key)
}

// sealKey loads or makes the key that siblings and registry seal to.
func sealKey(path string) ([]byte, error) {
	key, err := keys.LoadSealKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, _, err = sealing.GenerateKey(); err != nil {
		return nil, err
	}
	return key, keys.SaveSealKey(path, key)
}

func sealPublic(private []byte) ([]byte, error) {
	key, err := hpke.MLKEM768X25519().NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	return key.PublicKey().Bytes(), nil
}

// clientKey loads or makes the key of the TLS certificate.
func clientKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := loadClientKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, durable.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: blockPrivate, Bytes: der}), 0o600)
}

func loadClientKey(path string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load client key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != blockPrivate {
		return nil, fmt.Errorf("load client key: %s: no PEM block %q", path, blockPrivate)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("load client key: %s: not an ECDSA P-256 key in PKCS #8", path)
	}
	return key, nil
}

// certificateRequest makes the request for a client certificate. The issuer decides the names in it
// by the place; the common name is for people.
func certificateRequest(at wire.Place, key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: at.Address()}}, key)
	if err != nil {
		return nil, fmt.Errorf("request for a certificate: %w", err)
	}
	return der, nil
}

func certificatesPEM(ders [][]byte) (all []byte) {
	for _, der := range ders {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: der})...)
	}
	return all
}

// loadCertificates reads the CERTIFICATE blocks of a file, at least one.
func loadCertificates(path string) (all []*x509.Certificate, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || block.Type != blockCertificate {
			return nil, fmt.Errorf("load certificate: %s: not a certificate", path)
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("load certificate: %s: no PEM block %q", path, blockCertificate)
	}
	return all, nil
}

func publicPEM(key ed25519.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		panic(err) // an Ed25519 key always can be
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPublic, Bytes: der})
}
