package issuer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// Files of the issuer's folder. Those that it shares with the front bear the
// front's names.
const (
	FileDatabase = "issuer.db"
	FileSocket   = "issuer.sock"
	FilePlace    = "registry.json" // what tokens say: the registry's id and hosts
	FileIssuer   = "issuer.key"    // PEM, Ed25519: lists, House documents
	FileCAKey    = "ca.key"        // PEM, ECDSA P-256: gateways' certificates
	FileDesk     = "desk.key"      // PEM, HPKE: opens tenancy records
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

// keys are what the issuer works with.
type keys struct {
	place         registryPlace
	issuer        ed25519.PrivateKey
	epoch         uint64     // of its key
	issuers       []wire.Key // all that the trust document names
	trust         wire.Trust
	trustEnvelope []byte
	trustPlain    []byte // envelope for who reads format 1 alone; nil: the other is of that format
	root          ed25519.PublicKey
	desk          []byte
	ca            *x509.Certificate
	caKey         *ecdsa.PrivateKey
}

// registryPlace is FilePlace.
type registryPlace struct {
	Registry string `json:"registry"`
	Enrol    string `json:"enrol"`  // host:port of the front's HTTPS
	Broker   string `json:"broker"` // host:port of its MQTT over TLS
}

func (k keys) public() ed25519.PublicKey { return k.issuer.Public().(ed25519.PublicKey) }

func loadKeys(dir string) (k keys, err error) {
	b, err := os.ReadFile(filepath.Join(dir, FilePlace))
	if err != nil {
		return k, hinted("registryd init makes a registry; --dir names its issuer folder", "%v", err)
	}
	if err := json.Unmarshal(b, &k.place); err != nil {
		return k, fmt.Errorf("%s: %w", filepath.Join(dir, FilePlace), err)
	}
	if k.root, err = keyring.LoadRoot(filepath.Join(dir, api.FileRoot)); err != nil {
		return k, err
	}
	if k.trustEnvelope, err = os.ReadFile(filepath.Join(dir, api.FileTrust)); err != nil {
		return k, err
	}
	if k.trust, err = keyring.OpenTrust(k.trustEnvelope, k.root, k.place.Registry); err != nil {
		return k, err
	}
	if k.trustPlain, err = loadPlain(dir, k.trust); err != nil {
		return k, err
	}
	if k.issuer, err = keyring.LoadPrivateKey(filepath.Join(dir, FileIssuer)); err != nil {
		return k, err
	}
	if k.desk, err = keyring.LoadSealKey(filepath.Join(dir, FileDesk)); err != nil {
		return k, err
	}
	if k.ca, k.caKey, err = loadCA(dir); err != nil {
		return k, err
	}
	return k, k.match()
}

// forAll is the trust document that every gateway reads, of whatever version.
func (k *keys) forAll() []byte {
	if k.trustPlain != nil {
		return k.trustPlain
	}
	return k.trustEnvelope
}

func loadPlain(dir string, t wire.Trust) ([]byte, error) {
	if wire.VersionOf(t) == 1 {
		return nil, nil
	}
	plain, err := os.ReadFile(filepath.Join(dir, FileTrustPlain))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return plain, err
}

// match checks that the keys are those of the trust document.
func (k *keys) match() error {
	k.issuers = k.trust.Keyset(wire.RoleIssuer)
	found := false
	for _, other := range k.issuers {
		if bytes.Equal(other.Public, k.public()) {
			k.epoch, found = other.Epoch, true
		}
	}
	if !found {
		return errors.New("the trust document does not name this issuer's key")
	}
	for _, der := range k.trust.CAs {
		if bytes.Equal(der, k.ca.Raw) {
			return nil
		}
	}
	return errors.New("the trust document does not name this CA")
}

// countersignature is a second issuer's word on a list.
func countersignature(trust wire.Trust, building string, hash wire.Hash, key ed25519.PrivateKey) ([]byte, error) {
	p := wire.Protected{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: building}
	for _, k := range trust.Keyset(wire.RoleIssuer) {
		if bytes.Equal(k.Public, key.Public().(ed25519.PublicKey)) {
			p.Epoch = k.Epoch
			return wire.Sign(p, hash[:], key)
		}
	}
	return nil, hinted("use the stick with second.key", "the trust document does not name this key as an issuer's")
}

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
