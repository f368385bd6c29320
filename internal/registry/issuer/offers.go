package issuer

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// What a gateway holds and no issuer that is trusted now has signed is nobody's word:
// an operator looks at it and takes it, or says that it is nothing.

// States of an offer.
const (
	offerOpen = 0
	offerDone = 1
)

// maxOffers of a building are kept that nobody has looked at.
const maxOffers = 16

// offer keeps a list for the operator.
func (c *change) offer(b *building, h held, hash wire.Hash) error {
	return c.addOffer(b, h.gateway, hash, h.manifest, h.second, slices.Concat(lengthened(h.buckets)...))
}

// offerTombstones keeps grants that a gateway has as over, and that are not over here.
func (c *change) offerTombstones(b *building, h held) error {
	var ids []byte
	for _, id := range h.tombstones {
		if g := b.grants[id]; g != nil && g.Known && !g.Ended {
			ids = append(ids, id[:]...)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if err := c.closeOffers(b); err != nil {
		return err
	}
	return c.addOffer(b, h.gateway, sha256.Sum256(ids), []byte{}, nil, ids)
}

// closeOffers puts away endings of which all are so here by now.
func (c *change) closeOffers(b *building) error {
	all, err := openOffers(c, b.id)
	for _, k := range all {
		if len(k.manifest) > 0 || len(b.endsBy(k)) > 0 {
			continue
		}
		if _, err := c.Exec(`UPDATE offers SET state = ? WHERE building = ? AND hash = ?`, offerDone, b.id, k.hash[:]); err != nil {
			return fmt.Errorf("put away what a gateway holds: %w", err)
		}
	}
	return err
}

func (c *change) addOffer(b *building, gateway string, hash wire.Hash, manifest, second, rest []byte) error {
	_, err := c.Exec(`INSERT INTO offers (building, hash, gateway, at, manifest, second, buckets, state) SELECT ?1,?2,?3,?4,?5,?6,?7,?8
		WHERE (SELECT count(*) FROM offers WHERE building = ?1 AND state = 0) < ?9 ON CONFLICT DO NOTHING`,
		b.id, hash[:], gateway, c.issuer.now(), manifest, second, rest, offerOpen, maxOffers)
	if err != nil {
		return fmt.Errorf("keep what a gateway holds: %w", err)
	}
	return nil
}

// lengthened puts its length (4 bytes) before each.
func lengthened(all [][]byte) (out [][]byte) {
	for _, b := range all {
		out = append(out, []byte{byte(len(b) >> 24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b)
	}
	return out
}

func shortened(b []byte) (all [][]byte) {
	for len(b) >= 4 {
		n := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if b = b[4:]; n > len(b) {
			return all
		}
		all, b = append(all, b[:n]), b[n:]
	}
	return all
}

// kept is an offer as it is stored.
type kept struct {
	building, gateway      string
	hash                   wire.Hash
	at                     int64
	manifest, second, rest []byte
}

// openOffers are those that wait for a word.
func openOffers(q querier, building string) (all []kept, err error) {
	return offersOf(q, building, offerOpen)
}

// offersOf are those of a building, or of all (""), up to a state.
func offersOf(q querier, building string, most int) (all []kept, err error) {
	err = each(q, func(rows *sql.Rows) error {
		var k kept
		var hash []byte
		err := rows.Scan(&k.building, &hash, &k.gateway, &k.at, &k.manifest, &k.second, &k.rest)
		copy(k.hash[:], hash)
		all = append(all, k)
		return err
	}, `SELECT building, hash, gateway, at, manifest, second, buckets FROM offers WHERE state <= ? AND ? IN ('', building) ORDER BY building, at`, most, building)
	if err != nil {
		return nil, fmt.Errorf("read what gateways hold: %w", err)
	}
	return all, nil
}

// tombstones are the grants of an offer that is no list.
func (k kept) tombstones() (ids []wire.ID) {
	for b := k.rest; len(k.manifest) == 0 && len(b) >= 16; b = b[16:] {
		ids = append(ids, wire.ID(b[:16]))
	}
	return ids
}

// offers shows what waits for an operator's word. The caller holds mu.
func (i *Issuer) offers() ([]operator.Offer, error) {
	out := []operator.Offer{}
	all, err := openOffers(i.db, "")
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		b, err := i.building(i.db, k.building)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		o := operator.Offer{Building: k.building, Gateway: k.gateway, ID: hex.EncodeToString(k.hash[:8]), Time: time.Unix(k.at, 0).UTC()}
		ends := b.endsBy(k)
		if len(k.manifest) == 0 && len(ends) == 0 {
			continue // it says nothing any more that is not so here
		}
		if o.Grants, o.Flats = len(ends), b.flatsOf(ends); len(k.manifest) > 0 {
			_, p, _ := wire.Open(k.manifest, wire.Expect{}, nil) // only to show whose it is
			o.Key, o.Epoch = hex.EncodeToString(p.KeyID[:]), p.Epoch
			o.Retired, o.False = i.retired(k)
			if f, _, err := openForeign(k.building, k.gateway, k.manifest, k.second, shortened(k.rest), nil); err == nil {
				o.Version = f.manifest.Version
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// endsBy are the tenancies that lose a grant if an offer is taken.
func (b *building) endsBy(k kept) (tenancies []wire.ID) {
	over := k.tombstones()
	if len(k.manifest) > 0 {
		f, _, err := openForeign(b.id, k.gateway, k.manifest, k.second, shortened(k.rest), nil)
		if err != nil {
			return nil
		}
		t := (*change)(nil).newTaking(b, f)
		listed := b.listed()
		for id, g := range b.grants {
			if rows := t.rows[id]; g.Known && !g.Ended && (len(rows) == 0 && t.lacks(g, listed[id]) || allRevoked(rows)) {
				over = append(over, id)
			}
		}
	}
	for _, id := range over {
		if g := b.grants[id]; g != nil && g.Known && !g.Ended && !slices.Contains(tenancies, g.Tenancy) {
			tenancies = append(tenancies, g.Tenancy)
		}
	}
	return tenancies
}

// decide takes what a gateway holds, or says that it is nothing: in both cases it was
// reckoned with, so that the next list follows it.
func (c *change) decide(d operator.Decision) (*building, error) {
	all, err := openOffers(c, d.Building)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(k kept) bool { return k.building == d.Building && hex.EncodeToString(k.hash[:8]) == d.ID })
	if i < 0 {
		return nil, api.Hinted("registryd offers shows them", "nothing of building %s waits under %s", d.Building, d.ID)
	}
	k := all[i]
	b, err := c.open(d.Building)
	if err != nil {
		return nil, err
	}
	if _, err := c.Exec(`UPDATE offers SET state = ? WHERE building = ? AND hash = ?`, offerDone, b.id, k.hash[:]); err != nil {
		return nil, err
	}
	c.touched[b.id] = true
	if len(k.manifest) == 0 {
		return b, c.endAll(b, k.tombstones(), d.Take)
	}
	f, _, err := openForeign(b.id, k.gateway, k.manifest, k.second, shortened(k.rest), nil)
	if err != nil {
		return nil, fmt.Errorf("read the list that %s holds: %w", k.gateway, err)
	}
	if d.Take {
		return b, c.adoptOld(b, f)
	}
	return b, c.appendLog(b, logged{f.hash, f.epoch, f.manifest.Version, false})
}

// adoptOld takes a list of an issuer that was replaced: its word, not its place. The
// next list goes by this issuer's own numbers, which the root's next epoch put above.
func (c *change) adoptOld(b *building, f foreign) error {
	t := c.newTaking(b, f)
	if err := t.take(true); err != nil {
		return err
	}
	if err := c.remark(b, "the operator has taken list %d of %s: %s", f.manifest.Version, f.from, t.String()); err != nil {
		return err
	}
	return c.appendLog(b, logged{f.hash, f.epoch, f.manifest.Version, false})
}

// endAll ends grants.
func (c *change) endAll(b *building, ids []wire.ID, take bool) error {
	if !take {
		return nil
	}
	for _, id := range ids {
		g := b.grants[id]
		if g == nil || g.Ended {
			continue
		}
		if err := c.actOn(b, id, operator.Act{Act: operator.ActEnd, Reason: "order"}); err != nil {
			return err
		}
	}
	return nil
}

// keepTrust keeps a trust document, so that the keys of before are known. One that
// the root did not sign is none. The caller holds mu, or nobody else has the issuer yet.
func (i *Issuer) keepTrust(envelope []byte) error {
	t, err := keys.OpenTrust(envelope, i.keys.Root, i.keys.Place.Registry)
	if err != nil {
		return nil
	}
	_, err = i.db.Exec(`INSERT INTO trusts (version, envelope) VALUES (?,?) ON CONFLICT DO NOTHING`, int64(t.Version), envelope)
	return err
}

// retired reports whether an issuer that an earlier trust document named has signed the
// list of an offer, and whether the root has taken back what it said.
func (i *Issuer) retired(k kept) (known, taken bool) {
	var issuers []wire.Key
	err := each(i.db, func(rows *sql.Rows) error {
		var envelope []byte
		err := rows.Scan(&envelope)
		if t, bad := keys.OpenTrust(envelope, i.keys.Root, i.keys.Place.Registry); bad == nil {
			issuers = append(issuers, t.Keyset(wire.RoleIssuer)...)
		}
		return err
	}, `SELECT envelope FROM trusts`)
	if err != nil {
		i.opts.Log.Error().Err(err).Msg("trust documents of before can't be read")
		return false, false
	}
	_, p, err := wire.Open(k.manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: k.building}, issuers)
	return err == nil, err == nil && i.keys.Trust.IsFalse(wire.RoleIssuer, p.Epoch)
}
