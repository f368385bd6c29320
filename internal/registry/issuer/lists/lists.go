// Package lists is the signed form of a building's grant lists: a manifest in two formats with the
// buckets that it names, and the log of all manifests that an issuer has taken into account.
//
// It is pure, and signs nothing. It refuses a list whose buckets are not the ones that its manifest
// names; the caller decides whether its signer is trusted.
package lists

import (
	"crypto/sha256"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Form is a manifest of one format, signed.
type Form struct {
	Envelope []byte
	Second   []byte // another issuer's signature; empty: none
	Hash     wire.Hash
}

// Signed is a signed grant list: in the newest format, and in the first one for gateways that read
// no other. Both have the same version and buckets.
type Signed struct {
	Form
	Old      Form          // without an envelope: there is none
	Manifest wire.Manifest // of the newest format; version 0: none
	Epoch    uint64        // of the key that signed it
	Grants   []wire.Grant
	Buckets  map[wire.Hash][]byte
}

// Read reads a list with the keys of the now trusted issuers. A list by another signer is read all
// the same and is not trusted.
func Read(building string, manifest, second []byte, buckets [][]byte, issuers []wire.Key) (l Signed, trusted bool, err error) {
	_, _, refused := wire.Open(manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: building}, issuers)
	if refused != nil && !errors.Is(refused, wire.ErrUnknownKey) {
		return l, false, refused
	}
	byHash := make(map[wire.Hash][]byte, len(buckets))
	for _, b := range buckets {
		byHash[sha256.Sum256(b)] = b
	}
	l = Signed{Form: Form{Envelope: manifest, Second: second}}
	return l, refused == nil, l.Open(byHash)
}

// Open reads the content of the envelopes and these buckets, whoever has signed it.
func (l *Signed) Open(buckets map[wire.Hash][]byte) error {
	payload, err := wire.PayloadOf(l.Envelope)
	if err != nil {
		return err
	}
	if l.Manifest, err = wire.DecodeManifest(payload); err != nil {
		return err
	}
	_, p, _ := wire.Open(l.Envelope, wire.Expect{}, nil) // only to learn the signer's epoch
	l.Epoch, l.Hash, l.Buckets = p.Epoch, sha256.Sum256(payload), make(map[wire.Hash][]byte)
	if l.Old.Envelope != nil {
		if payload, err = wire.PayloadOf(l.Old.Envelope); err != nil {
			return err
		}
		l.Old.Hash = sha256.Sum256(payload)
	}
	for n, hash := range l.Manifest.Buckets {
		grants, err := l.Manifest.DecodeBucket(n, buckets[hash])
		if err != nil {
			return err
		}
		l.Grants = append(l.Grants, grants...)
		l.Buckets[hash] = buckets[hash]
	}
	return nil
}

// SetOld sets the list's first format; an unreadable envelope counts as none.
func (l *Signed) SetOld(envelope, second []byte) {
	if payload, err := wire.PayloadOf(envelope); err == nil {
		l.Old = Form{envelope, second, sha256.Sum256(payload)}
	}
}

// After reports whether a list is newer than another: first by the epoch that the root
// gave the issuers, then by number.
func (l *Signed) After(o *Signed) bool {
	return l.Epoch > o.Epoch || l.Epoch == o.Epoch && l.Manifest.Version > o.Manifest.Version
}

// Logged is one manifest of a building's log.
type Logged struct {
	Hash    wire.Hash
	Epoch   uint64 // of the issuers' role that signed it
	Version uint64
	Own     bool // signed from this database
}

// Leaf is the manifest's leaf in the tree over the log.
func (l Logged) Leaf() tlog.Hash { return tlog.RecordHash(l.Hash[:]) }

// Logged returns the list's entry in the log.
func (l *Signed) Logged(own bool) Logged {
	return Logged{Hash: l.Hash, Epoch: l.Epoch, Version: l.Manifest.Version, Own: own}
}

// Forms returns the entries by which gateways may name a list of another database: one that reads
// the first format alone has the same without the log.
func (l *Signed) Forms() ([]Logged, error) {
	own := l.Logged(false)
	if l.Manifest.Format != wire.LogFormat {
		return []Logged{own}, nil
	}
	m, old := l.Manifest, own
	m.Format, m.Earlier, m.Log, m.Registers = wire.ListFormat, 0, wire.Hash{}, nil
	var err error
	old.Hash, err = HashOf(m)
	return []Logged{old, own}, err
}

// HashOf returns the hash that identifies a manifest.
func HashOf(m wire.Manifest) (wire.Hash, error) {
	payload, err := m.Encode()
	return sha256.Sum256(payload), err
}

// Proved returns the manifests before a list, if they have the root that it names.
func Proved(m wire.Manifest, all []api.Logged) ([]Logged, bool) {
	if m.Format != wire.LogFormat || uint64(len(all)) < m.Earlier {
		return nil, false
	}
	out, r := make([]Logged, 0, m.Earlier), tree.Range{}
	for _, l := range all[:m.Earlier] {
		if len(l.Hash) != len(wire.Hash{}) {
			return nil, false
		}
		one := Logged{Hash: wire.Hash(l.Hash), Epoch: l.Epoch, Version: l.Version}
		out, r = append(out, one), r.Add(one.Leaf())
	}
	return out, wire.Hash(r.Root()) == m.Log
}

// Contents returns rows under the doors of the list, for counting losses.
func (l *Signed) Contents(rows []wire.Grant) grantlist.Contents {
	return grantlist.Contents{Doors: grantlist.DoorsOf(&l.Manifest), Grants: rows}
}

// Replaced returns the rows of the list that next does not have unchanged: all of them where the
// sets of doors have another meaning there.
func (l *Signed) Replaced(next *Signed) (rows []wire.Grant) {
	if !grantlist.DoorsOf(&l.Manifest).SameIn(grantlist.DoorsOf(&next.Manifest)) {
		return l.Grants
	}
	rest := next.Grants // both are sorted
	for i := range l.Grants {
		for len(rest) > 0 && rest[0].Compare(&l.Grants[i]) < 0 {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0] != l.Grants[i] {
			rows = append(rows, l.Grants[i])
		}
	}
	return rows
}
