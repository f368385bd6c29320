// Package document checks the signed documents that the front passes on: the trust document by the
// root's key, house documents and lists by the issuers' keys. It is pure.
package document

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// ErrStale means a document that is older than the active one.
var ErrStale = errors.New("older than what is active")

// Authority is a verified trust document. It is immutable.
type Authority struct {
	Trust    wire.Trust
	Envelope []byte
	Witness  *uint64        // epoch of this front's witness key; nil: not certified
	CAs      *x509.CertPool // of the gateways' certificates

	format uint64
	// older is the newest one of an older format, for gateways that read no other; nil if this one is
	// of format 1, or there is none.
	older   *Authority
	issuers []wire.Key
}

// Active points to the active Authority.
type Active = atomic.Pointer[Authority]

// OpenTrust verifies a trust document by the root's key.
func OpenTrust(envelope []byte, root, witness ed25519.PublicKey) (*Authority, error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the registry's id
	key := wire.Key{Role: wire.RoleRoot, Epoch: p.Epoch, Public: root}
	payload, p, err := wire.Open(envelope, wire.Expect{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: p.Address, Newest: wire.Formats}, []wire.Key{key})
	if err != nil {
		return nil, fmt.Errorf("trust document: %w", err)
	}
	a := &Authority{Envelope: envelope, format: p.Version, CAs: x509.NewCertPool()}
	if a.Trust, err = wire.DecodeTrust(p.Version, payload); err != nil {
		return nil, fmt.Errorf("trust document: %w", err)
	}
	if a.Trust.Registry != p.Address {
		return nil, fmt.Errorf("trust document: %w: of registry %s, addressed to %s", wire.ErrWrongAddress, a.Trust.Registry, p.Address)
	}
	for _, der := range a.Trust.CAs {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("trust document: CA: %w", err)
		}
		a.CAs.AddCert(cert)
	}
	a.issuers = a.Trust.Keyset(wire.RoleIssuer)
	for _, k := range a.Trust.Keyset(wire.RoleWitness) {
		if bytes.Equal(k.Public, witness) {
			a.Witness = &k.Epoch
		}
	}
	return a, nil
}

// Read returns the newest document of a format up to this one; nil: there is none.
func (a *Authority) Read(format uint64) *Authority {
	for a != nil && a.format > max(format, 1) {
		a = a.older
	}
	return a
}

// Follow returns the active Authority after a document has arrived: the new one, with the old one
// for readers of older formats if the new is of another. The same document again changes nothing.
func (a *Authority) Follow(next *Authority) (*Authority, error) {
	if next.format < a.format && next.Trust.Version < a.Trust.Version {
		if old := a.older; old != nil {
			followed, err := old.Follow(next)
			if err != nil || followed == old {
				return a, err
			}
			next = followed
		}
		both := *a
		both.older = next
		return &both, nil
	}
	switch {
	case next.Trust.Registry != a.Trust.Registry:
		return nil, fmt.Errorf("trust document: %w: of registry %s", wire.ErrWrongAddress, next.Trust.Registry)
	case next.Trust.Version == a.Trust.Version && bytes.Equal(next.Envelope, a.Envelope):
		return a, nil
	case next.Trust.Version <= a.Trust.Version:
		return nil, fmt.Errorf("trust document %d: %w: version %d", next.Trust.Version, ErrStale, a.Trust.Version)
	}
	if next.format > 1 {
		both := *next
		both.older = a.Read(next.format - 1)
		return &both, nil
	}
	return next, nil
}

// OpenHouses verifies a building's house document in both formats.
func (a *Authority) OpenHouses(d api.Document) (wire.House, error) {
	h, err := a.OpenHouse(d.Building, d.Envelope)
	if err != nil || len(d.Old) == 0 {
		return h, err
	}
	old, err := a.OpenHouse(d.Building, d.Old)
	if err == nil && (old.Version != h.Version || len(old.Earlier) > 0) {
		err = fmt.Errorf("house document %d of %s: its first format is another document", h.Version, d.Building)
	}
	return h, err
}

// OpenHouse verifies a building's house document.
func (a *Authority) OpenHouse(building string, envelope []byte) (h wire.House, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeHouse, Role: wire.RoleIssuer, Address: building}, a.issuers)
	if err == nil {
		err = wire.Decode(payload, &h)
	}
	if err != nil {
		return h, fmt.Errorf("house document of %s: %w", building, err)
	}
	return h, nil
}

// OpenList verifies the manifest of a building's list in both formats, the second issuer's
// signature, if there is one, and the form of its log. The gateways decide whether a second
// signature is needed.
func (a *Authority) OpenList(l api.List) (m wire.Manifest, head Head, err error) {
	for _, logged := range l.Log {
		if len(logged.Hash) != len(wire.Hash{}) {
			return m, head, fmt.Errorf("log of %s: a hash of %d bytes", l.Building, len(logged.Hash))
		}
	}
	m, head.Epoch, head.Hash, err = a.openForm(l.Building, l.Manifest, l.Second)
	if err != nil {
		return m, head, err
	}
	head.Building, head.Version, head.Format, head.Earlier = l.Building, m.Version, m.Format, m.Earlier
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

// openForm verifies one manifest.
func (a *Authority) openForm(building string, envelope, second []byte) (m wire.Manifest, epoch uint64, hash wire.Hash, err error) {
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
	signed, other, err := wire.Open(second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: building}, a.issuers)
	if err != nil {
		return m, 0, hash, fmt.Errorf("second signature on the list of %s: %w", building, err)
	}
	if !bytes.Equal(signed, hash[:]) || other.KeyID == first.KeyID {
		return m, 0, hash, fmt.Errorf("second signature on the list of %s: of another list, or of the same issuer", building)
	}
	return m, first.Epoch, hash, nil
}
