package ledger

import (
	"crypto/sha256"
	"errors"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// SignHouse makes the next version of the House document.
func (c *Change) SignHouse(b *building.Building, gateways []wire.HouseGateway) error {
	h := wire.House{Version: b.House.Version + 1, Issued: max(c.Clock.Unix(), min(b.House.Issued, c.Clock.Ahead())), District: b.District, Town: b.Town,
		Gateways: gateways, Flats: b.Flats, NoticeDays: b.NoticeDays}
	old, oldHash, err := signHouse(c, b.ID, h)
	if errors.Is(err, wire.ErrMalformed) {
		return api.Hinted("flats are short texts, at most 512; a building has at most 64 gateways", "%v", err)
	}
	if err != nil {
		return err
	}
	if h.Earlier, err = b.EarlierHouses(oldHash); err != nil {
		return err
	}
	envelope, _, err := signHouse(c, b.ID, h)
	if err != nil {
		return err
	}
	c.SetHouse(b, h, envelope, old)
	return nil
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

// SetHouse makes a House document the active one; old is the same in the first format,
// nil: envelope is.
func (c *Change) SetHouse(b *building.Building, h wire.House, envelope, old []byte) {
	b.House, b.HouseEnvelope, b.HouseOld = h, envelope, old
	c.state.unsent[b.ID] = true
	store.PutHouse(c.Tx, b)
}
