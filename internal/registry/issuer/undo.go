package issuer

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// postUndo signs, as the first of two issuers, that a time was wrong that a gateway
// goes by. That time must not have come: who asks may be the front's thief.
func (i *Issuer) postUndo(r *http.Request, u operator.Undo) (any, error) {
	now, sure := i.ledger.Clock.Agreed()
	switch {
	case !sure:
		return nil, api.Hinted("registryd clock confirm, if this machine's clock is right", "the issuer doubts its own clock, so it can't say which time was wrong")
	case u.Floor.Unix <= now:
		return nil, api.Hinted("registryd gateways shows the times", "%s has come: it is no wrong time", calendar.Minute(time.Unix(int64(u.Floor.Unix), 0), time.UTC))
	}
	err := i.ledger.Update(func(c *ledger.Change) error {
		b, err := c.Open(u.Building)
		if err != nil {
			return err
		}
		if b.House.Gateway(u.Gateway) == nil {
			return api.Hinted("registryd gateway list shows them", "building %s has no gateway %s", u.Building, u.Gateway)
		}
		f := wire.Floor{Role: wire.Role(u.Floor.Role), Epoch: u.Floor.Epoch, Unix: u.Floor.Unix, Undos: u.Floor.Undos}
		payload, err := wire.Encode(wire.Undo{Floor: f})
		if err != nil {
			return api.Hinted("registryd gateways shows the times", "%v", err)
		}
		if u.First, err = signUndo(i.ledger.Keys.Trust, u.Building+"/"+u.Gateway, payload, i.ledger.Keys.Issuer); err != nil {
			return err
		}
		return c.Audit(who(r), "clock undo", u.Building, u.Gateway+" "+time.Unix(int64(u.Floor.Unix), 0).UTC().Format(time.RFC3339), "")
	})
	u.Trust = i.ledger.Keys.TrustEnvelope
	return u, err
}

// signUndo signs a payload of that type with a key that the trust document names.
func signUndo(trust wire.Trust, address string, payload []byte, key ed25519.PrivateKey) ([]byte, error) {
	p := wire.Protected{Type: wire.TypeUndo, Role: wire.RoleIssuer, Address: address}
	for _, k := range trust.Keyset(wire.RoleIssuer) {
		if bytes.Equal(k.Public, key.Public().(ed25519.PublicKey)) {
			p.Epoch = k.Epoch
			return wire.Sign(p, payload, key)
		}
	}
	return nil, api.Hinted("use the stick with second.key", "the trust document does not name this key as an issuer's")
}

// CountersignUndo signs around the first issuer's word, as another one. registry is
// its id, rootFile has the root's public key.
func CountersignUndo(u operator.Undo, rootFile, registry, keyFile string) (api.Undo, error) {
	root, err := keys.LoadRoot(rootFile)
	if err != nil {
		return api.Undo{}, err
	}
	trust, err := keys.OpenTrust(u.Trust, root, registry)
	if err != nil {
		return api.Undo{}, err
	}
	key, err := keys.LoadPrivateKey(keyFile)
	if err != nil {
		return api.Undo{}, api.Hinted("--key names second.key on its stick", "%v", err)
	}
	envelope, err := signUndo(trust, u.Building+"/"+u.Gateway, u.First, key)
	return api.Undo{Building: u.Building, Gateway: u.Gateway, Envelope: envelope}, err
}

// Countersign makes a second issuer's signature over a list that waits. trust
// is the trust document's envelope; root verifies it.
func Countersign(l operator.List, rootFile, registry, keyFile string) (operator.Countersign, error) {
	root, err := keys.LoadRoot(rootFile)
	if err != nil {
		return operator.Countersign{}, err
	}
	trust, err := keys.OpenTrust(l.Trust, root, registry)
	if err != nil {
		return operator.Countersign{}, err
	}
	key, err := keys.LoadPrivateKey(keyFile)
	if err != nil {
		return operator.Countersign{}, api.Hinted("--key names second.key on its stick", "%v", err)
	}
	s := operator.Countersign{Building: l.Building}
	if s.Second, err = authority.Countersign(trust, l.Building, wire.Hash(l.Hash), key); err == nil && len(l.Old) > 0 {
		s.OldSecond, err = authority.Countersign(trust, l.Building, wire.Hash(l.Old), key)
	}
	return s, err
}
