package issuer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/naming"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

const (
	tokenHours = 72
	noticeDays = 3
	tokenHint  = "ask the operator of the registry for a new token: registryd gateway add --replace"
	tokenUsed  = "the token was used by another machine, or for another key"
)

// addGateway makes a token for a gateway, and its building if that is new.
func (c *change) addGateway(n operator.NewGateway) (t operator.Token, err error) {
	p := wire.Place(n.Place)
	if err := p.Check(); err != nil {
		return t, api.Hinted("ids are lower-case letters, digits and hyphens", "%v", err)
	}
	b, err := c.findBuilding(n)
	if err != nil {
		return t, err
	}
	if b.house.Gateway(p.Gateway) != nil && !n.Replace {
		return t, api.Hinted("--replace lets another machine take its place", "gateway %s is enrolled", p.Address())
	}
	token := wire.Token{Registry: c.issuer.keys.Place.Registry, Place: [4]string{p.District, p.Town, p.Building, p.Gateway},
		Enrol: c.issuer.keys.Place.Enrol, Broker: c.issuer.keys.Place.Broker, CA: sha256.Sum256(c.issuer.keys.CA.Raw),
		Root: [ed25519.PublicKeySize]byte(c.issuer.keys.Root)}
	_, _ = rand.Read(token.Secret[:]) // never fails
	if n.Hours <= 0 {
		n.Hours = tokenHours
	}
	t.Expires = c.issuer.at().Add(time.Duration(min(n.Hours, 24*30)) * time.Hour).Truncate(time.Second)
	if t.Text, err = token.Text(); err != nil {
		return t, err
	}
	_, err = c.Exec(`INSERT INTO gateways (building, id, secret, expires, introduced, used_by, enrolled) VALUES (?,?,?,?,0,NULL,0)
		ON CONFLICT (building, id) DO UPDATE SET secret = excluded.secret, expires = excluded.expires, used_by = NULL,
			introduced = min(introduced, 0)`,
		p.Building, p.Gateway, token.Secret[:], t.Expires.Unix())
	return t, err
}

// findBuilding returns the building of a new gateway, with its flats and days
// of notice as they are asked for.
func (c *change) findBuilding(n operator.NewGateway) (*building, error) {
	b, err := c.issuer.building(c, n.Building)
	if err != nil {
		return nil, err
	}
	if b == nil {
		b = newBuilding(n.Building)
		b.district, b.town, b.noticeDays = n.District, n.Town, noticeDays
		c.issuer.buildings[b.id] = b
	}
	c.touch(b)
	if b.district != n.District || b.town != n.Town {
		return nil, api.Hinted("a building's id is unique within the registry", "building %s stands in %s/%s", b.id, b.district, b.town)
	}
	if n.NoticeDays < 0 || n.NoticeDays > 255 {
		return nil, api.Hinted("from 1 to 255", "%s of notice", amount.Of(n.NoticeDays, "day"))
	}
	flats := slices.Clone(b.flats)
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
	days := b.noticeDays
	if n.NoticeDays > 0 {
		days = uint8(n.NoticeDays)
	}
	same := slices.Equal(flats, b.flats) && days == b.noticeDays
	b.flats, b.noticeDays = flats, days
	if err := c.storeBuilding(b); err != nil || same || b.houseEnvelope == nil {
		return b, err
	}
	return b, c.signHouse(b, b.house.Gateways)
}

func (c *change) storeBuilding(b *building) error {
	flats, err := json.Marshal(append([]string{}, b.flats...))
	if err != nil {
		return err
	}
	_, err = c.Exec(`INSERT INTO buildings (id, district, town, flats, notice_days, key_number, escrow_of, house_sent) VALUES (?,?,?,?,?,?,?,1)
		ON CONFLICT (id) DO UPDATE SET flats = excluded.flats, notice_days = excluded.notice_days,
			key_number = excluded.key_number, escrow_of = excluded.escrow_of`,
		b.id, b.district, b.town, string(flats), b.noticeDays, b.keyNumber, b.escrowOf)
	if err != nil {
		return fmt.Errorf("keep building: %w", err)
	}
	return nil
}

// signHouse makes the next version of the House document.
func (c *change) signHouse(b *building, gateways []wire.HouseGateway) error {
	h := wire.House{Version: b.house.Version + 1, Issued: max(c.issuer.now(), min(b.house.Issued, c.issuer.ahead())), District: b.district, Town: b.town,
		Gateways: gateways, Flats: b.flats, NoticeDays: b.noticeDays}
	old, oldHash, err := c.signHouseForm(b.id, h)
	if errors.Is(err, wire.ErrMalformed) {
		return api.Hinted("flats are short texts, at most 512; a building has at most 64 gateways", "%v", err)
	}
	if err != nil {
		return err
	}
	if h.Earlier, err = b.earlierHouses(oldHash); err != nil {
		return err
	}
	envelope, _, err := c.signHouseForm(b.id, h)
	if err != nil {
		return err
	}
	return c.setHouse(b, h, envelope, old)
}

// signHouseForm signs one format of a House document, and returns its hash too.
func (c *change) signHouseForm(building string, h wire.House) (envelope []byte, hash wire.Hash, err error) {
	payload, err := wire.Encode(h)
	if err != nil {
		return nil, hash, err
	}
	p := wire.Protected{Type: wire.TypeHouse, Role: wire.RoleIssuer, Epoch: c.issuer.keys.Epoch, Address: building}
	envelope, err = wire.Sign(p, payload, c.issuer.keys.Issuer)
	return envelope, sha256.Sum256(payload), err
}

// earlierHouses are the hashes of the documents before the next one, the newest
// first: its own first format, then both of the one in force and those that that
// names.
func (b *building) earlierHouses(own wire.Hash) ([]wire.Hash, error) {
	all := []wire.Hash{own}
	for _, envelope := range [][]byte{b.houseEnvelope, b.houseOld} {
		if envelope == nil {
			continue
		}
		payload, err := wire.PayloadOf(envelope)
		if err != nil {
			return nil, err
		}
		all = append(all, sha256.Sum256(payload))
	}
	for _, hash := range b.house.Earlier {
		if !slices.Contains(all, hash) {
			all = append(all, hash)
		}
	}
	return all[:min(len(all), wire.MaxEarlier)], nil
}

// setHouse puts a House document in force.
func (c *change) setHouse(b *building, h wire.House, envelope, old []byte) error {
	b.house, b.houseEnvelope, b.houseOld = h, envelope, old
	c.issuer.unsent[b.id] = true
	if _, err := c.Exec(`UPDATE buildings SET house = ?, house_old = ?, house_sent = 0 WHERE id = ?`, envelope, old, b.id); err != nil {
		return fmt.Errorf("keep house document: %w", err)
	}
	return nil
}

// removeGateway takes a gateway out of its building, with any token.
func (c *change) removeGateway(building, gateway string) error {
	b, err := c.open(building)
	if err != nil {
		return err
	}
	result, err := c.Exec(`DELETE FROM gateways WHERE building = ? AND id = ?`, building, gateway)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return api.Hinted("registryd gateway list shows them", "no gateway %s/%s", building, gateway)
	}
	if b.house.Gateway(gateway) == nil {
		return nil
	}
	c.touched[b.id] = c.touched[b.id] || b.waiting()
	rest := slices.DeleteFunc(slices.Clone(b.house.Gateways), func(g wire.HouseGateway) bool { return g.ID == gateway })
	return c.signHouse(b, rest)
}

// enrol answers a request of a gateway. An *api.Error is a refusal.
func (i *Issuer) enrol(e api.Enrolment) (body []byte, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	err = i.update(func(c *change) error {
		b, err := i.building(c, e.Place.Building)
		if err != nil {
			return err
		}
		if b == nil {
			return api.Hinted("the token says for which building and gateway it is", "no building %q", e.Place.Building)
		}
		c.touch(b)
		switch e.Kind {
		case api.KindIntroduce:
			body, err = c.introduce(b, e.Place.Gateway, e.Proof)
		case api.KindEnrol:
			body, err = c.admit(b, e.Place.Gateway, e.Envelope)
		case api.KindRenew:
			body, err = c.renew(b, e.Place.Gateway, e.Envelope)
		default:
			err = api.Hinted("", "no such request: %q", e.Kind)
		}
		return err
	})
	return body, err
}

// invitation is a token as it is kept.
type invitation struct {
	secret     []byte
	expires    int64
	introduced int    // number of the building key that it was told of; toldNone: that there is none; 0: nothing
	usedBy     []byte // public key; nil: nobody
}

func (c *change) invitation(b *building, gateway string) (v invitation, err error) {
	err = c.QueryRow(`SELECT secret, expires, introduced, used_by FROM gateways WHERE building = ? AND id = ?`, b.id, gateway).
		Scan(&v.secret, &v.expires, &v.introduced, &v.usedBy)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && len(v.secret) != 16:
		return v, api.Hinted("ask the operator for a token: registryd gateway add", "no token was made for gateway %s/%s", b.id, gateway)
	case err == nil && v.usedBy == nil && v.expires < int64(c.issuer.now()):
		return v, api.Hinted(tokenHint, "the token of gateway %s/%s is over", b.id, gateway)
	}
	return v, err
}

// toldNone: the building had no key when the gateway asked, so that it may have
// made one. That stays true when it asks again, by whichever token, until it has
// enrolled: the key that it shows may be its own.
const toldNone = -1

// introduce tells a gateway whom to trust, and whether the building has a key; none
// but one that has the token.
func (c *change) introduce(b *building, gateway string, proof []byte) ([]byte, error) {
	v, err := c.invitation(b, gateway)
	if err != nil {
		return nil, err
	}
	want := wire.IntroduceProof([16]byte(v.secret), b.place(gateway).Address())
	if !hmac.Equal(proof, want[:]) {
		return nil, api.Hinted(tokenHint, "it is not the newest token of gateway %s/%s", b.id, gateway)
	}
	told := int(b.keyNumber)
	if told == 0 || v.introduced == toldNone {
		told = toldNone
	}
	if _, err := c.Exec(`UPDATE gateways SET introduced = ? WHERE building = ? AND id = ?`, told, b.id, gateway); err != nil {
		return nil, err
	}
	return wire.Encode(wire.Introduction{Trust: c.issuer.keys.ForAll(), KeyNumber: b.keyNumber})
}

// admit enrols a gateway. The same key again gets an answer again, since the
// first may have been lost.
func (c *change) admit(b *building, gateway string, envelope []byte) ([]byte, error) {
	place := b.place(gateway)
	r, err := wire.OpenEnrol(envelope, place.Address())
	if err != nil {
		return nil, api.Hinted("", "%v", err)
	}
	v, err := c.invitation(b, gateway)
	if err != nil {
		return nil, err
	}
	if !r.Proved([16]byte(v.secret)) {
		return nil, api.Hinted(tokenHint, "it is not the newest token of gateway %s", place.Address())
	}
	if v.usedBy != nil && !bytes.Equal(v.usedBy, r.Public[:]) {
		return nil, api.Hinted(tokenHint, tokenUsed)
	}
	for _, g := range b.house.Gateways {
		if g.ID != gateway && g.Public == r.Public {
			return nil, api.Hinted("every gateway makes keys of its own: give this one an empty state folder", "gateway %s has the same key", g.ID)
		}
	}
	if err := c.adoptKey(b, gateway, r, v); err != nil {
		return nil, err
	}
	member := wire.HouseGateway{ID: gateway, Public: r.Public, KEM: r.KEM, Doors: r.Doors}
	if err := c.enlist(b, member); err != nil {
		return nil, err
	}
	_, err = c.Exec(`UPDATE gateways SET used_by = ?, enrolled = ?, introduced = ? WHERE building = ? AND id = ?`,
		r.Public[:], c.issuer.now(), b.keyNumber, b.id, gateway)
	if err != nil {
		return nil, err
	}
	return c.certify(b, gateway, r.CSR)
}

// adoptKey notes which building key there is. A building has one: two gateways
// that enrol at the same moment may both have made it.
func (c *change) adoptKey(b *building, gateway string, r wire.EnrolRequest, v invitation) error {
	switch {
	case r.Number == 0 && b.keyNumber == 0:
		return api.Hinted("run gatehouse enrol again", "no gateway of building %s has made its key", b.id)
	case r.Number == 0:
		return nil
	case b.keyNumber != 0 && b.escrowOf != gateway && v.introduced <= 0:
		return api.Hinted("take the new building.key away and run gatehouse enrol again", "gateway %s has made the building's key meanwhile", b.escrowOf)
	case b.keyNumber != 0 && r.Number != b.keyNumber:
		return api.Hinted("its building.key is of another house, or older: take it away and run gatehouse enrol again",
			"the building's key has number %d, this one %d", b.keyNumber, r.Number)
	case b.keyNumber != 0 && b.escrowOf != gateway && b.escrowOf != "":
		return nil // the key as restored; the first one stays in escrow
	}
	b.keyNumber, b.escrowOf = r.Number, gateway
	if err := c.storeBuilding(b); err != nil {
		return err
	}
	_, err := c.Exec(`UPDATE buildings SET escrow = ? WHERE id = ?`, r.Escrow, b.id)
	return err
}

// enlist puts a gateway into the House document, if it does not stand there so.
func (c *change) enlist(b *building, g wire.HouseGateway) error {
	if old := b.house.Gateway(g.ID); old != nil && old.Public == g.Public && bytes.Equal(old.KEM, g.KEM) && slices.Equal(old.Doors, g.Doors) {
		return nil
	}
	all := slices.DeleteFunc(slices.Clone(b.house.Gateways), func(o wire.HouseGateway) bool { return o.ID == g.ID })
	all = append(all, g)
	slices.SortFunc(all, func(a, b wire.HouseGateway) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	delete(b.applied, g.ID) // another machine has proved nothing
	c.touched[b.id] = c.touched[b.id] || b.waiting()
	if err := c.nameAgain(b, b.droppedSince(0)...); err != nil {
		return err
	}
	return c.signHouse(b, all)
}

// renew gives an enrolled gateway its next certificate.
func (c *change) renew(b *building, gateway string, envelope []byte) ([]byte, error) {
	expect := wire.Expect{Type: wire.TypeRenew, Role: wire.RoleGateway, Address: b.place(gateway).Address()}
	payload, _, err := wire.Open(envelope, expect, b.keyset(gateway))
	if err != nil {
		return nil, api.Hinted("a gateway that was replaced or removed enrols anew, with a token", "renewal: %v", err)
	}
	var r wire.RenewRequest
	if err := wire.Decode(payload, &r); err != nil {
		return nil, api.Hinted("", "%v", err)
	}
	return c.certify(b, gateway, r.CSR)
}

// certify signs a certificate and puts it together with what a gateway needs.
func (c *change) certify(b *building, gateway string, csr []byte) ([]byte, error) {
	member := b.house.Gateway(gateway)
	if member == nil {
		return nil, api.Hinted("enrol anew, with a token", "gateway %s is not of its building", gateway)
	}
	first, last := c.issuer.clock.Span()
	cert, err := c.issuer.keys.ClientCertificate(b.place(gateway), wire.IDOf(member.Public[:]), csr, first, last)
	if err != nil {
		return nil, api.Hinted("", "%v", err)
	}
	_, err = c.Exec(`INSERT INTO certificates (serial, building, gateway, issued, until) VALUES (?,?,?,?,?)`,
		cert.SerialNumber.Bytes(), b.id, gateway, c.issuer.now(), cert.NotAfter.Unix())
	if err != nil {
		return nil, err
	}
	return wire.Encode(wire.Enrolled{Trust: c.issuer.keys.ForAll(), House: b.firstFormat(), Certificates: [][]byte{cert.Raw}, Time: c.issuer.now()})
}

// waiting reports whether a grant is not in the list that may be in the next.
func (b *building) waiting() bool {
	listed := b.listed()
	for id, g := range b.grants {
		if g.Known && !listed[id] && !b.revoked[id].dropped {
			return true
		}
	}
	return false
}

func (b *building) place(gateway string) wire.Place {
	return wire.Place{District: b.district, Town: b.town, Building: b.id, Gateway: gateway}
}
