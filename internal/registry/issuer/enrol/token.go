// Package enrol adds gateways to a building and removes them: tokens, introductions, enrolments,
// renewals, and the House document that follows.
//
// Whoever has the newest token of a gateway is let in, once, with one key. It refuses to believe
// the front: each request proves itself. Its refusals are *api.Error; any other error means that
// nothing could be stored.
package enrol

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/naming"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

const (
	tokenHours = 72
	noticeDays = 3
	tokenHint  = "ask the operator of the registry for a new token: registryd gateway add --replace"
	tokenUsed  = "the token was used by another machine, or for another key"
)

// Add makes a token for a gateway, and its building if that is new.
func Add(c *ledger.Change, n operator.NewGateway) (t operator.Token, err error) {
	p := wire.Place(n.Place)
	if err := p.Check(); err != nil {
		return t, api.Hinted("ids are lower-case letters, digits and hyphens", "%v", err)
	}
	b, err := buildingOf(c, n)
	if err != nil {
		return t, err
	}
	if b.House.Gateway(p.Gateway) != nil && !n.Replace {
		return t, api.Hinted("--replace lets another machine take its place", "gateway %s is enrolled", p.Address())
	}
	token := wire.Token{Registry: c.Keys.Place.Registry, Place: [4]string{p.District, p.Town, p.Building, p.Gateway},
		Enrol: c.Keys.Place.Enrol, Broker: c.Keys.Place.Broker, CA: sha256.Sum256(c.Keys.CA.Raw), Root: [ed25519.PublicKeySize]byte(c.Keys.Root)}
	_, _ = rand.Read(token.Secret[:]) // never fails
	if n.Hours <= 0 {
		n.Hours = tokenHours
	}
	t.Expires = c.Clock.At().Add(time.Duration(min(n.Hours, 24*30)) * time.Hour).Truncate(time.Second)
	write := wire.Token.Text
	if n.OldToken {
		write = wire.Token.OldText
	}
	if t.Text, err = write(token); err != nil {
		return t, err
	}
	store.PutToken(c.Tx, p.Building, p.Gateway, token.Secret[:], t.Expires)
	return t, nil
}

// buildingOf returns the building of a new gateway, with the requested flats and days of notice.
func buildingOf(c *ledger.Change, n operator.NewGateway) (*building.Building, error) {
	b := c.Building(n.Building)
	if b == nil {
		b = building.New(n.Building)
		b.District, b.Town, b.NoticeDays = n.District, n.Town, noticeDays
		c.Make(b)
	}
	if b.District != n.District || b.Town != n.Town {
		return nil, api.Hinted("a building's id is unique within the registry", "building %s stands in %s/%s", b.ID, b.District, b.Town)
	}
	if n.NoticeDays < 0 || n.NoticeDays > 255 {
		return nil, api.Hinted("from 1 to 255", "%s of notice", amount.Of(n.NoticeDays, "day"))
	}
	flats := slices.Clone(b.Flats)
	for _, text := range n.Flats {
		flat, err := naming.Flat(text)
		if err != nil {
			return nil, api.Hinted("--flat 3B", "%v", err)
		}
		if _, known := naming.Same(flat, flats); !known { // another spelling is no other flat
			flats = append(flats, flat)
		}
	}
	slices.Sort(flats)
	days := b.NoticeDays
	if n.NoticeDays > 0 {
		days = uint8(n.NoticeDays)
	}
	same := slices.Equal(flats, b.Flats) && days == b.NoticeDays
	b.Flats, b.NoticeDays = flats, days
	if store.PutBuilding(c.Tx, b); !same && b.HouseEnvelope != nil {
		c.SignHouse(b, b.House.Gateways)
	}
	return b, nil
}

// Remove removes a gateway from its building, and its tokens.
func Remove(c *ledger.Change, building, gateway string) error {
	b, err := c.Open(building)
	if err != nil {
		return err
	}
	if !store.DropGateway(c.Tx, building, gateway) {
		return api.Hinted("registryd gateway list shows them", "no gateway %s/%s", building, gateway)
	}
	if b.House.Gateway(gateway) == nil {
		return nil
	}
	if b.Unlisted() {
		c.Relist(b)
	}
	rest := slices.DeleteFunc(slices.Clone(b.House.Gateways), func(g wire.HouseGateway) bool { return g.ID == gateway })
	c.SignHouse(b, rest)
	return nil
}
