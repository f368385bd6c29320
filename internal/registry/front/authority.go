package front

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// errStale means a document that is older than the one in force.
var errStale = errors.New("older than what is in force")

// authority is a Trust document as the front uses it. It never changes.
type authority struct {
	trust    wire.Trust
	envelope []byte
	format   uint64
	// plain is the newest one of format 1, for gateways that read no other; nil
	// where this one is of format 1, or there is none.
	plain   *authority
	issuers []wire.Key
	witness *uint64 // epoch of this front's witness key; nil: not certified
	cas     *x509.CertPool
}

// openTrust checks a Trust document by the root's key.
func openTrust(envelope []byte, root, witness ed25519.PublicKey) (*authority, error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the registry's id
	key := wire.Key{Role: wire.RoleRoot, Epoch: p.Epoch, Public: root}
	payload, p, err := wire.Open(envelope, wire.Expect{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: p.Address, Newest: wire.Formats}, []wire.Key{key})
	if err != nil {
		return nil, fmt.Errorf("trust document: %w", err)
	}
	a := &authority{envelope: envelope, format: p.Version, cas: x509.NewCertPool()}
	if a.trust, err = wire.DecodeTrust(p.Version, payload); err != nil {
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

// read is the newest document for who reads formats up to one; nil: there is none.
func (a *authority) read(format uint64) *authority {
	if a.format <= max(format, 1) {
		return a
	}
	return a.plain
}

// follow returns what is in force after a document has come: it alone, or with it
// as the one for who reads format 1 alone. The same again is what is in force.
func (a *authority) follow(next *authority) (*authority, error) {
	if a.format > 1 && next.format == 1 && next.trust.Version < a.trust.Version {
		if old := a.plain; old != nil {
			if same, err := old.follow(next); err != nil || same == old {
				return a, err
			}
		}
		both := *a
		both.plain = next
		return &both, nil
	}
	switch {
	case next.trust.Registry != a.trust.Registry:
		return nil, fmt.Errorf("trust document: %w: of registry %s", wire.ErrWrongAddress, next.trust.Registry)
	case next.trust.Version == a.trust.Version && bytes.Equal(next.envelope, a.envelope):
		return a, nil
	case next.trust.Version <= a.trust.Version:
		return nil, fmt.Errorf("trust document %d: %w: version %d", next.trust.Version, errStale, a.trust.Version)
	}
	if next.format > 1 {
		both := *next
		both.plain = a.read(1)
		return &both, nil
	}
	return next, nil
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

// openList checks the manifest of a building's list, in both formats, and what a
// second issuer says of it where there is such a word. Whether one is needed is for
// the gateways to say.
func (a *authority) openList(l api.List) (m wire.Manifest, head listHead, err error) {
	m, head.epoch, head.Hash, err = a.openForm(l.Building, l.Manifest, l.Second)
	if err != nil {
		return m, head, err
	}
	head.Building, head.Version, head.format, head.earlier = l.Building, m.Version, m.Format, m.Earlier
	if len(l.Old) == 0 {
		return m, head, nil
	}
	old, _, hash, err := a.openForm(l.Building, l.Old, l.OldSecond)
	if err == nil && (old.Format != wire.ListFormat || old.Version != m.Version || !slices.Equal(old.Buckets, m.Buckets)) {
		err = fmt.Errorf("list %d of %s: its first format is another list", m.Version, l.Building)
	}
	head.OldHash = hash
	return m, head, err
}

// openForm checks one manifest.
func (a *authority) openForm(building string, envelope, second []byte) (m wire.Manifest, epoch uint64, hash wire.Hash, err error) {
	payload, first, err := wire.Open(envelope, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}, a.issuers)
	if err == nil {
		m, err = wire.DecodeManifest(payload)
	}
	if err != nil {
		return m, 0, hash, fmt.Errorf("list of %s: %w", building, err)
	}
	hash = sha256.Sum256(payload)
	if len(second) == 0 {
		return m, first.Epoch, hash, nil
	}
	word, other, err := wire.Open(second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: building}, a.issuers)
	if err != nil {
		return m, 0, hash, fmt.Errorf("second signature on the list of %s: %w", building, err)
	}
	if !bytes.Equal(word, hash[:]) || other.KeyID == first.KeyID {
		return m, 0, hash, fmt.Errorf("second signature on the list of %s: of another list, or of the same issuer", building)
	}
	return m, first.Epoch, hash, nil
}
