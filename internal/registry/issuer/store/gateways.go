package store

import (
	"time"

	"gatehouse/sync/wire"
)

// Invitation is a token as it is kept.
type Invitation struct {
	Secret     []byte
	Expires    int64  // unix s
	Introduced int    // number of the building key that it was told of; ToldNone: that there is none; 0: nothing
	UsedBy     []byte // public key; nil: nobody
}

// ToldNone: the building had no key when the gateway asked, so that the key that it shows may be its own. That stays true
// until it has enrolled, by whichever token.
const ToldNone = -1

// PutToken keeps a new token of a gateway in the place of the one before.
func PutToken(t *Tx, id, gateway string, secret []byte, expires time.Time) {
	t.exec("keep token", `INSERT INTO gateways (building, id, secret, expires, introduced, used_by, enrolled) VALUES (?,?,?,?,0,NULL,0)
		ON CONFLICT (building, id) DO UPDATE SET secret = excluded.secret, expires = excluded.expires, used_by = NULL,
			introduced = min(introduced, 0)`,
		id, gateway, secret, expires.Unix())
}

// InvitationOf is the newest token of a gateway; one without a secret: there is none.
func InvitationOf(q Querier, id, gateway string) (v Invitation, err error) {
	_, err = find(q, "read token of "+id+"/"+gateway, []any{&v.Secret, &v.Expires, &v.Introduced, &v.UsedBy},
		`SELECT secret, expires, introduced, used_by FROM gateways WHERE building = ? AND id = ?`, id, gateway)
	return v, err
}

// SetIntroduced keeps of which building key a gateway was told.
func SetIntroduced(t *Tx, id, gateway string, told int) {
	t.exec("keep introduction", `UPDATE gateways SET introduced = ? WHERE building = ? AND id = ?`, told, id, gateway)
}

// SetEnrolled keeps that a gateway with this key has used its token at a time, unix s.
func SetEnrolled(t *Tx, id, gateway string, public []byte, at uint32, told int) {
	t.exec("keep enrolment", `UPDATE gateways SET used_by = ?, enrolled = ?, introduced = ? WHERE building = ? AND id = ?`, public, at, told, id, gateway)
}

// PutGateway keeps one that a House document names, enrolled at a time, unix s.
func PutGateway(t *Tx, id, gateway string, public []byte, at uint32) {
	t.exec("keep gateway", `INSERT INTO gateways (building, id, secret, expires, introduced, used_by, enrolled) VALUES (?,?,NULL,0,0,?,?)
		ON CONFLICT (building, id) DO UPDATE SET used_by = excluded.used_by, enrolled = excluded.enrolled`, id, gateway, public, at)
}

// DropGateway forgets a gateway, with any token. It reports whether there was one.
func DropGateway(t *Tx, id, gateway string) bool {
	return t.exec("forget gateway", `DELETE FROM gateways WHERE building = ? AND id = ?`, id, gateway) > 0
}

// AddCertificate keeps that a gateway got one, good until a time.
func AddCertificate(t *Tx, id, gateway string, serial []byte, issued uint32, until time.Time) {
	t.exec("keep certificate", `INSERT INTO certificates (serial, building, gateway, issued, until) VALUES (?,?,?,?,?)`, serial, id, gateway, issued, until.Unix())
}

// Gateway is one that has a token or is enrolled. Times are unix s; 0: none.
type Gateway struct {
	ID          string
	Expires     int64 // of its token
	Used        bool  // the token was
	Enrolled    int64
	Certificate int64 // until when its last one is good
}

// Gateways are those of a building, by id.
func Gateways(q Querier, id string) ([]Gateway, error) {
	return all(q, "read gateways", func(g *Gateway) []any { return []any{&g.ID, &g.Expires, &g.Used, &g.Enrolled, &g.Certificate} },
		`SELECT id, expires, used_by IS NOT NULL, enrolled,
		(SELECT COALESCE(max(until), 0) FROM certificates c WHERE c.building = g.building AND c.gateway = g.id)
		FROM gateways g WHERE building = ? ORDER BY id`, id)
}

// maxOffers of a building are kept that nobody has looked at.
const maxOffers = 16

// Offer is what a gateway holds that no issuer trusted now has signed: a list, or endings.
type Offer struct {
	Building, Gateway string
	Hash              wire.Hash
	At                int64  // unix s
	Manifest          []byte // envelope; empty: it is no list
	Second            []byte
	Rest              []byte // buckets of a list, else ids of grants
}

// Tombstones are the grants of an offer that is no list.
func (o Offer) Tombstones() (ids []wire.ID) {
	for b := o.Rest; len(o.Manifest) == 0 && len(b) >= 16; b = b[16:] {
		ids = append(ids, wire.ID(b[:16]))
	}
	return ids
}

// AddOffer keeps an offer; one that is there stays.
func AddOffer(t *Tx, o Offer) {
	t.exec("keep what a gateway holds", `INSERT INTO offers (building, hash, gateway, at, manifest, second, buckets, state) SELECT ?1,?2,?3,?4,?5,?6,?7,0
		WHERE (SELECT count(*) FROM offers WHERE building = ?1 AND state = 0) < ?8 ON CONFLICT DO NOTHING`,
		o.Building, o.Hash[:], o.Gateway, o.At, o.Manifest, o.Second, o.Rest, maxOffers)
}

// CloseOffer keeps that an offer waits for no word any more.
func CloseOffer(t *Tx, o Offer) {
	t.exec("put away what a gateway holds", `UPDATE offers SET state = 1 WHERE building = ? AND hash = ?`, o.Building, o.Hash[:])
}

// Offers are those of a building (of all, for "") that wait for a word, or also those that were closed.
func Offers(q Querier, building string, closed bool) ([]Offer, error) {
	return all(q, "read what gateways hold", func(o *Offer) []any {
		return []any{&o.Building, bytesInto(o.Hash[:]), &o.Gateway, &o.At, &o.Manifest, &o.Second, &o.Rest}
	}, `SELECT building, hash, gateway, at, manifest, second, buckets FROM offers WHERE state <= ? AND ? IN ('', building) ORDER BY building, at`, closed, building)
}
