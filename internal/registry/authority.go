package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// errStale means a document that is older than the one in force.
var errStale = errors.New("older than what is in force")

// authority is a Trust document as the front uses it. It never changes.
type authority struct {
	trust    wire.Trust
	envelope []byte
	issuers  []wire.Key
	witness  *uint64 // epoch of this front's witness key; nil: not certified
	cas      *x509.CertPool
}

// openTrust checks a Trust document by the root's key.
func openTrust(envelope []byte, root, witness ed25519.PublicKey) (*authority, error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the registry's id
	key := wire.Key{Role: wire.RoleRoot, Epoch: p.Epoch, Public: root}
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: p.Address}, []wire.Key{key})
	if err != nil {
		return nil, fmt.Errorf("trust document: %w", err)
	}
	a := &authority{envelope: envelope, cas: x509.NewCertPool()}
	if err := wire.Decode(payload, &a.trust); err != nil {
		return nil, fmt.Errorf("trust document: %w", err)
	}
	if a.trust.Registry != p.Address {
		return nil, fmt.Errorf("trust document: %w: of registry %s, addressed to %s", wire.ErrWrongAddress, a.trust.Registry, p.Address)
	}
	for _, der := range a.trust.CAs {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("trust document: CA: %w", err)
		}
		a.cas.AddCert(cert)
	}
	a.issuers = a.trust.Keyset(wire.RoleIssuer)
	for _, k := range a.trust.Keyset(wire.RoleWitness) {
		if bytes.Equal(k.Public, witness) {
			a.witness = &k.Epoch
		}
	}
	return a, nil
}

// openHouse checks a building's House document.
func (a *authority) openHouse(building string, envelope []byte) (h wire.House, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: building}, a.issuers)
	if err == nil {
		err = wire.Decode(payload, &h)
	}
	if err != nil {
		return h, fmt.Errorf("house document of %s: %w", building, err)
	}
	return h, nil
}

// openList checks the manifest of a building's list, and what a second issuer
// says of it where there is such a word. Whether one is needed is for the
// gateways to say.
func (a *authority) openList(l api.List) (m wire.Manifest, hash wire.Hash, err error) {
	payload, first, err := wire.Open(l.Manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: l.Building}, a.issuers)
	if err == nil {
		m, err = wire.DecodeManifest(payload)
	}
	if err != nil {
		return m, hash, fmt.Errorf("list of %s: %w", l.Building, err)
	}
	hash = sha256.Sum256(payload)
	if len(l.Second) == 0 {
		return m, hash, nil
	}
	word, second, err := wire.Open(l.Second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: l.Building}, a.issuers)
	if err != nil {
		return m, hash, fmt.Errorf("second signature on the list of %s: %w", l.Building, err)
	}
	if !bytes.Equal(word, hash[:]) || second.KeyID == first.KeyID {
		return m, hash, fmt.Errorf("second signature on the list of %s: of another list, or of the same issuer", l.Building)
	}
	return m, hash, nil
}
