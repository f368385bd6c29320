// Package authority makes and keeps the identity of a registry: the keys of its issuers, its CA
// with the certificates of gateways and of the server, and the trust documents that its root signs,
// in the directories that Init makes.
//
// It refuses to overwrite a key, to give out one that the trust document does not name, and to look
// for the root's key anywhere but where it is told: that one is kept on a stick.
package authority

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/periods"
)

// Keys are the issuer's keys.
type Keys struct {
	Place         Place
	Issuer        ed25519.PrivateKey
	Epoch         uint64     // of its key
	Issuers       []wire.Key // all that the trust document names
	Trust         wire.Trust
	TrustEnvelope []byte
	TrustOlder    [][]byte // envelopes for readers of older formats alone, the newest format first
	Root          ed25519.PublicKey
	Desk          []byte
	CA            *x509.Certificate
	caKey         *ecdsa.PrivateKey
}

// Place is the content of FilePlace.
type Place struct {
	Registry string `json:"registry"`
	Enrol    string `json:"enrol"`  // host:port of the front's HTTPS
	Broker   string `json:"broker"` // host:port of its MQTT over TLS
}

// BriefDays is for how many days the registry names somebody under 14, by the policy of now.
func (k Keys) BriefDays() int {
	return int(k.Trust.Retention.Least(periods.Periods{Children: periods.Brief}).Children)
}

// Public is the issuer's public key.
func (k Keys) Public() ed25519.PublicKey { return k.Issuer.Public().(ed25519.PublicKey) }

// Load reads the keys of an issuer's directory. It fails where one is missing or does not belong to the others.
func Load(dir string) (k Keys, err error) {
	b, err := os.ReadFile(filepath.Join(dir, FilePlace))
	if err != nil {
		return k, api.Hinted("registryd init makes a registry; --dir names its issuer directory", "%v", err)
	}
	if err := json.Unmarshal(b, &k.Place); err != nil {
		return k, fmt.Errorf("%s: %w", filepath.Join(dir, FilePlace), err)
	}
	if k.Root, err = keys.LoadRoot(filepath.Join(dir, api.FileRoot)); err != nil {
		return k, err
	}
	if k.TrustEnvelope, err = os.ReadFile(filepath.Join(dir, api.FileTrust)); err != nil {
		return k, err
	}
	if k.Trust, err = keys.OpenTrust(k.TrustEnvelope, k.Root, k.Place.Registry); err != nil {
		return k, err
	}
	if k.TrustOlder, err = loadOlder(dir, k.Trust); err != nil {
		return k, err
	}
	if k.Issuer, err = keys.LoadPrivateKey(filepath.Join(dir, FileIssuer)); err != nil {
		return k, err
	}
	if k.Desk, err = keys.LoadSealKey(filepath.Join(dir, FileDesk)); err != nil {
		return k, err
	}
	own, err := loadCA(dir)
	if err != nil {
		return k, err
	}
	k.CA, k.caKey = own.cert, own.key
	return k, k.match()
}

// ForAll returns the trust document that every gateway reads, of whatever version.
func (k *Keys) ForAll() []byte {
	if n := len(k.TrustOlder); n > 0 {
		return k.TrustOlder[n-1]
	}
	return k.TrustEnvelope
}

// Trusts returns the newest trust document, then its twins.
func (k *Keys) Trusts() [][]byte { return append([][]byte{k.TrustEnvelope}, k.TrustOlder...) }

func loadOlder(dir string, t wire.Trust) (all [][]byte, err error) {
	for _, older := range slices.Backward(olderFormats()) {
		if older.format >= wire.VersionOf(t) {
			continue
		}
		envelope, err := os.ReadFile(filepath.Join(dir, older.file))
		if err == nil {
			all = append(all, envelope)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return all, nil
}

// match checks that the keys are those of the trust document.
func (k *Keys) match() error {
	k.Issuers = k.Trust.Keyset(wire.RoleIssuer)
	own := slices.IndexFunc(k.Issuers, func(o wire.Key) bool { return bytes.Equal(o.Public, k.Public()) })
	if own < 0 {
		return errors.New("the trust document does not name this issuer's key")
	}
	k.Epoch = k.Issuers[own].Epoch
	if !slices.ContainsFunc(k.Trust.CAs, func(der []byte) bool { return bytes.Equal(der, k.CA.Raw) }) {
		return errors.New("the trust document does not name this CA")
	}
	return nil
}

// SignAs signs a payload with a key that the trust document names as an issuer's.
func SignAs(trust wire.Trust, kind, address string, payload []byte, key ed25519.PrivateKey) ([]byte, error) {
	for _, k := range trust.Keyset(wire.RoleIssuer) {
		if bytes.Equal(k.Public, key.Public().(ed25519.PublicKey)) {
			return wire.Sign(wire.Protected{Type: kind, Role: wire.RoleIssuer, Epoch: k.Epoch, Address: address}, payload, key)
		}
	}
	return nil, api.Hinted("use the stick with second.key", "the trust document does not name this key as an issuer's")
}
