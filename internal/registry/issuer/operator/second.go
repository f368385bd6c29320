package operator

import (
	"crypto/ed25519"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
)

// second is another issuer, on a machine of its own: a key on its stick, and the trust document that names it.
type second struct {
	trust wire.Trust
	key   ed25519.PrivateKey
}

// loadSecond reads the key in a file. trust is the trust document's envelope of a
// registry; the root's public key in rootFile verifies it.
func loadSecond(trust []byte, rootFile, registry, keyFile string) (s second, err error) {
	root, err := keys.LoadRoot(rootFile)
	if err != nil {
		return s, err
	}
	if s.trust, err = keys.OpenTrust(trust, root, registry); err != nil {
		return s, err
	}
	if s.key, err = keys.LoadPrivateKey(keyFile); err != nil {
		err = api.Hinted("--key names second.key on its stick", "%v", err)
	}
	return s, err
}

// SignList signs, with a second issuer's key, a list that waits, in both of its formats.
// registry is its id, rootFile has the root's public key.
func SignList(l List, rootFile, registry, keyFile string) (out Countersign, err error) {
	out.Building = l.Building
	s, err := loadSecond(l.Trust, rootFile, registry, keyFile)
	if err == nil {
		out.Second, err = authority.SignAs(s.trust, wire.TypeSecond, l.Building, l.Hash, s.key)
	}
	if err == nil && len(l.Old) > 0 {
		out.OldSecond, err = authority.SignAs(s.trust, wire.TypeSecond, l.Building, l.Old, s.key)
	}
	return out, err
}

// SignUndo signs, with a second issuer's key, around the first issuer's word that a time
// was wrong. registry is its id, rootFile has the root's public key.
func SignUndo(u Undo, rootFile, registry, keyFile string) (out api.Undo, err error) {
	out.Building, out.Gateway = u.Building, u.Gateway
	s, err := loadSecond(u.Trust, rootFile, registry, keyFile)
	if err == nil {
		out.Envelope, err = authority.SignAs(s.trust, wire.TypeUndo, u.Building+"/"+u.Gateway, u.First, s.key)
	}
	return out, err
}
