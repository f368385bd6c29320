package enrol

import (
	"bytes"
	"crypto/hmac"
	"slices"
	"strings"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/snapshot"
)

// Answer answers a request of a gateway.
func Answer(c *ledger.Change, e api.Enrolment) ([]byte, error) {
	b := c.Building(e.Place.Building)
	if b == nil {
		return nil, api.Hinted("the token says for which building and gateway it is", "no building %q", e.Place.Building)
	}
	switch e.Kind {
	case api.KindIntroduce:
		return introduce(c, b, e.Place.Gateway, e.Proof)
	case api.KindSnapshot:
		return nil, mayFetch(c, b, e.Place.Gateway, e.Proof)
	case api.KindEnrol:
		return admit(c, b, e.Place.Gateway, e.Envelope)
	case api.KindRenew:
		return renew(c, b, e.Place.Gateway, e.Envelope)
	}
	return nil, api.Hinted("", "no such request: %q", e.Kind)
}

func invitation(c *ledger.Change, b *building.Building, gateway string) (store.Invitation, error) {
	v, err := store.InvitationOf(c, b.ID, gateway)
	switch {
	case err != nil:
		return v, err
	case len(v.Secret) != 16:
		return v, api.Hinted("ask the operator for a token: registryd gateway add", "no token was made for gateway %s/%s", b.ID, gateway)
	case v.UsedBy == nil && v.Expires < int64(c.Clock.Unix()):
		return v, api.Hinted(tokenHint, "the token of gateway %s/%s is over", b.ID, gateway)
	}
	return v, nil
}

// mayFetch judges who asks for the snapshot of a gateway: whoever has its newest token, as
// long as that was not used. It stays good for the enrolment that follows.
func mayFetch(c *ledger.Change, b *building.Building, gateway string, proof []byte) error {
	v, err := invitation(c, b, gateway)
	if err != nil {
		return err
	}
	want := snapshot.Proof([16]byte(v.Secret), b.Place(gateway).Address())
	switch {
	case !hmac.Equal(proof, want[:]):
		return api.Hinted(tokenHint, "it is not the newest token of gateway %s/%s", b.ID, gateway)
	case v.UsedBy != nil:
		return api.Hinted(tokenHint, tokenUsed)
	}
	return nil
}

// introduce tells a gateway that has the token whom to trust, and whether the building has a key.
func introduce(c *ledger.Change, b *building.Building, gateway string, proof []byte) ([]byte, error) {
	v, err := invitation(c, b, gateway)
	if err != nil {
		return nil, err
	}
	want := wire.IntroduceProof([16]byte(v.Secret), b.Place(gateway).Address())
	if !hmac.Equal(proof, want[:]) {
		return nil, api.Hinted(tokenHint, "it is not the newest token of gateway %s/%s", b.ID, gateway)
	}
	told := int(b.KeyNumber)
	if told == 0 || v.Introduced == store.ToldNone {
		told = store.ToldNone
	}
	store.SetIntroduced(c.Tx, b.ID, gateway, told)
	return wire.Encode(wire.Introduction{Trust: c.Keys.ForAll(), KeyNumber: b.KeyNumber})
}

// admit enrols a gateway. The same key gets an answer again, since the first may have been lost.
func admit(c *ledger.Change, b *building.Building, gateway string, envelope []byte) ([]byte, error) {
	place := b.Place(gateway)
	r, err := wire.OpenEnrol(envelope, place.Address())
	if err != nil {
		return nil, api.Hinted("", "%v", err)
	}
	v, err := invitation(c, b, gateway)
	if err != nil {
		return nil, err
	}
	if !r.Proved([16]byte(v.Secret)) {
		return nil, api.Hinted(tokenHint, "it is not the newest token of gateway %s", place.Address())
	}
	if v.UsedBy != nil && !bytes.Equal(v.UsedBy, r.Public[:]) {
		return nil, api.Hinted(tokenHint, tokenUsed)
	}
	for _, g := range b.House.Gateways {
		if g.ID != gateway && g.Public == r.Public {
			return nil, api.Hinted("every gateway makes keys of its own: give this one an empty state directory", "gateway %s has the same key", g.ID)
		}
	}
	if err := adoptKey(c, b, gateway, r, v); err != nil {
		return nil, err
	}
	enlist(c, b, wire.HouseGateway{ID: gateway, Public: r.Public, KEM: r.KEM, Doors: r.Doors})
	store.SetEnrolled(c.Tx, b.ID, gateway, r.Public[:], c.Clock.Unix(), int(b.KeyNumber))
	return certify(c, b, gateway, r.CSR)
}

// adoptKey notes which building key there is. A building has one: two gateways that enrol at the
// same moment may both have made it.
func adoptKey(c *ledger.Change, b *building.Building, gateway string, r wire.EnrolRequest, v store.Invitation) error {
	switch {
	case r.Number == 0 && b.KeyNumber == 0:
		return api.Hinted("run gatehouse enrol again", "no gateway of building %s has made its key", b.ID)
	case r.Number == 0:
		return nil
	case b.KeyNumber != 0 && b.EscrowOf != gateway && v.Introduced <= 0:
		return api.Hinted("take the new building.key away and run gatehouse enrol again", "gateway %s has made the building's key meanwhile", b.EscrowOf)
	case b.KeyNumber != 0 && r.Number != b.KeyNumber:
		return api.Hinted("its building.key is of another house, or older: take it away and run gatehouse enrol again",
			"the building's key has number %d, this one %d", b.KeyNumber, r.Number)
	case b.KeyNumber != 0 && b.EscrowOf != gateway && b.EscrowOf != "":
		return nil // the key as restored; the first one stays in escrow
	}
	b.KeyNumber, b.EscrowOf = r.Number, gateway
	store.PutBuilding(c.Tx, b)
	store.SetEscrow(c.Tx, b.ID, r.Escrow)
	return nil
}

// enlist adds a gateway to the House document, unless it is there already.
func enlist(c *ledger.Change, b *building.Building, g wire.HouseGateway) {
	if old := b.House.Gateway(g.ID); old != nil && old.Public == g.Public && bytes.Equal(old.KEM, g.KEM) && slices.Equal(old.Doors, g.Doors) {
		return
	}
	all := slices.DeleteFunc(slices.Clone(b.House.Gateways), func(o wire.HouseGateway) bool { return o.ID == g.ID })
	all = append(all, g)
	slices.SortFunc(all, func(a, b wire.HouseGateway) int { return strings.Compare(a.ID, b.ID) })
	delete(b.Gateways.Applied, g.ID) // another machine has proved nothing
	if b.Unlisted() {
		c.Relist(b)
	}
	c.NameAgain(b, b.Lists.DroppedSince(0)...)
	c.SignHouse(b, all)
}

// renew gives an enrolled gateway its next certificate.
func renew(c *ledger.Change, b *building.Building, gateway string, envelope []byte) ([]byte, error) {
	expect := wire.Expect{Type: wire.TypeRenew, Role: wire.RoleGateway, Address: b.Place(gateway).Address()}
	payload, _, err := wire.Open(envelope, expect, b.Keyset(gateway))
	if err != nil {
		return nil, api.Hinted("a gateway that was replaced or removed enrols anew, with a token", "renewal: %v", err)
	}
	var r wire.RenewRequest
	if err := wire.Decode(payload, &r); err != nil {
		return nil, api.Hinted("", "%v", err)
	}
	return certify(c, b, gateway, r.CSR)
}

// certify signs a certificate and adds what a gateway needs.
func certify(c *ledger.Change, b *building.Building, gateway string, csr []byte) ([]byte, error) {
	member := b.House.Gateway(gateway)
	if member == nil {
		return nil, api.Hinted("enrol anew, with a token", "gateway %s is not of its building", gateway)
	}
	first, last := c.Clock.Span()
	cert, err := c.Keys.ClientCertificate(b.Place(gateway), wire.IDOf(member.Public[:]), csr, first, last)
	if err != nil {
		return nil, api.Hinted("", "%v", err)
	}
	store.AddCertificate(c.Tx, b.ID, gateway, cert.SerialNumber.Bytes(), c.Clock.Unix(), cert.NotAfter)
	return wire.Encode(wire.Enrolled{Trust: c.Keys.ForAll(), House: b.FirstFormat(), Certificates: [][]byte{cert.Raw}, Time: c.Clock.Unix()})
}
