package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// KeepTrusts stores trust documents, so that earlier keys are known. One that the root did not sign
// is ignored.
func (l *Ledger) KeepTrusts(all [][]byte) error {
	return l.Update(func(c *Change) { c.keepTrusts(all...) })
}

func (c *Change) keepTrusts(all ...[]byte) {
	for _, envelope := range all {
		if t, err := keys.OpenTrust(envelope, c.Keys.Root, c.Keys.Place.Registry); err == nil {
			store.AddTrust(c.Tx, t.Version, envelope)
		}
	}
}

// inUse identifies the key in use, with its epoch.
func (l *Ledger) inUse() int64 {
	id := wire.IDOf(l.Keys.Public())
	return int64(binary.BigEndian.Uint64(id[:]) ^ l.Keys.Epoch)
}

// SignIfReplaced signs again, once, what a replaced key has signed: gateways that start with lists
// by an untrusted key do not use them.
func (l *Ledger) SignIfReplaced() error {
	now := l.inUse()
	l.mu.Lock()
	same := l.state.signer == now
	l.mu.Unlock()
	if same {
		return nil
	}
	if err := l.SignAgain(); err != nil {
		return fmt.Errorf("sign anew with another key: %w", err)
	}
	return l.Update(func(c *Change) {
		l.state.signer = now
		store.SetState(c.Tx, stateSigner, now)
	})
}

// SignAgain makes new versions of what another key has signed, after the issuer's key was replaced.
func (l *Ledger) SignAgain() error {
	return l.Each("", func(_ View, b *building.Building) error {
		house, list := mine(&l.Keys, b.ID, wire.TypeHouse, b.HouseEnvelope), mine(&l.Keys, b.ID, wire.TypeGrantList, b.Lists.Newest.Envelope)
		if house && list {
			return nil
		}
		return l.update(func(c *Change) {
			c.touch(b)
			if !list {
				c.Relist(b)
			}
			if !house {
				c.SignHouse(b, b.House.Gateways)
			}
		})
	})
}

// mine reports whether the key in use signed an envelope, or there is none.
func mine(k *authority.Keys, building, kind string, envelope []byte) bool {
	if envelope == nil {
		return true
	}
	own := wire.Key{Role: wire.RoleIssuer, Epoch: k.Epoch, Public: k.Public()}
	_, _, err := wire.Open(envelope, wire.Expect{Type: kind, Role: wire.RoleIssuer, Address: building}, []wire.Key{own})
	return err == nil
}

// SignHouse makes the next version of the House document.
func (c *Change) SignHouse(b *building.Building, gateways []wire.HouseGateway) {
	h := wire.House{Version: b.House.Version + 1, Issued: max(c.Clock.Unix(), min(b.House.Issued, c.Clock.Ahead())), District: b.District, Town: b.Town,
		Gateways: gateways, Flats: b.Flats, NoticeDays: b.NoticeDays}
	old, hash, err := signHouse(c, b.ID, h)
	if errors.Is(err, wire.ErrMalformed) {
		err = api.Hinted("flats are short texts, at most 512; a building has at most 64 gateways", "%v", err)
	}
	if err == nil {
		h.Earlier, err = b.EarlierHouses(hash)
	}
	var envelope []byte
	if err == nil {
		envelope, _, err = signHouse(c, b.ID, h)
	}
	if c.Fail(err); err == nil {
		c.SetHouse(b, h, envelope, old)
	}
}

// signHouse signs one format of a House document, and returns its hash too.
func signHouse(c *Change, building string, h wire.House) (envelope []byte, hash wire.Hash, err error) {
	payload, err := wire.Encode(h)
	if err != nil {
		return nil, hash, err
	}
	p := wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Epoch: c.Keys.Epoch, Address: building}
	envelope, err = wire.Sign(p, payload, c.Keys.Issuer)
	return envelope, sha256.Sum256(payload), err
}

// SetHouse makes a House document the active one; old is the same in the first format, nil:
// envelope is.
func (c *Change) SetHouse(b *building.Building, h wire.House, envelope, old []byte) {
	b.House, b.HouseEnvelope, b.HouseOld = h, envelope, old
	c.state.unsent[b.ID] = true
	store.PutHouse(c.Tx, b)
}
