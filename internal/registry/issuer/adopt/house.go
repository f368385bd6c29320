package adopt

import (
	"strings"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// adoptHouse takes over a newer House document that a now trusted issuer has signed: gateways in it
// belong to the building, others were removed.
func adoptHouse(c *ledger.Change, b *building.Building, from string, envelope []byte) {
	h, err := keys.OpenHouse(envelope, c.Keys.Trust, b.ID)
	if err != nil || h.Version <= b.House.Version {
		return // not signed by an issuer, or nothing new
	}
	if h.District != b.District || h.Town != b.Town {
		c.Remark(b.ID, "%s has a house document that places the building in %s/%s: it is not taken over", from, h.District, h.Town)
		return
	}
	out, in := diffHouses(b.House, h)
	c.SetHouse(b, h, envelope, nil)
	b.Flats, b.NoticeDays = h.Flats, h.NoticeDays
	store.PutBuilding(c.Tx, b)
	for _, id := range in {
		store.PutGateway(c.Tx, b.ID, id, h.Gateway(id).Public[:], h.Issued)
	}
	for _, id := range out {
		store.DropGateway(c.Tx, b.ID, id)
	}
	c.Relist(b)
	c.Remark(b.ID, "%s had house document %d, which this database did not know: gateways that came by it: %s; that went: %s", from, h.Version, named(in), named(out))
	c.SignHouse(b, h.Gateways) // a new one that names this one among those before it
}

// named joins ids for people.
func named(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// diffHouses returns the gateways that only one of two documents has, or has with another key.
func diffHouses(before, after wire.House) (out, in []string) {
	for _, g := range before.Gateways {
		if after.Gateway(g.ID) == nil {
			out = append(out, g.ID)
		}
	}
	for _, g := range after.Gateways {
		if old := before.Gateway(g.ID); old == nil || old.Public != g.Public {
			in = append(in, g.ID)
		}
	}
	return out, in
}

// findOrMake returns the building of what the front has, made from its House document where this
// database does not know it; nil: no now trusted issuer has signed that.
func findOrMake(c *ledger.Change, k api.Stored) *building.Building {
	b := c.Building(k.Building)
	if b != nil {
		return b
	}
	h, err := keys.OpenHouse(k.House, c.Keys.Trust, k.Building)
	if err != nil {
		return nil
	}
	b = building.New(k.Building)
	b.District, b.Town, b.NoticeDays, b.Flats = h.District, h.Town, h.NoticeDays, h.Flats
	c.Make(b)
	store.PutBuilding(c.Tx, b)
	return b
}

// House takes over the House document of a building that the operator got from a gateway, and
// returns the building's id.
func House(c *ledger.Change, envelope []byte) (id string, err error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the building
	if p.Address == "" {
		return "", api.Hinted("name house.cose of a gateway's directory of keys", "it is no house document")
	}
	if _, err := keys.OpenHouse(envelope, c.Keys.Trust, p.Address); err != nil {
		return "", api.Hinted("it must be signed by an issuer that the trust document names: restore the keys of then first", "house document of %s: %v", p.Address, err)
	}
	b := findOrMake(c, api.Stored{Building: p.Address, House: envelope})
	before := b.House.Version
	adoptHouse(c, b, "the operator", envelope)
	if b.House.Version == before {
		return "", api.Hinted("registryd gateway list shows what is known", "the registry has house document %d of %s already", before, b.ID)
	}
	return b.ID, nil
}
