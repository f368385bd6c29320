package adopt

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/act"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// What a gateway holds and no now trusted issuer has signed can't be trusted: an operator looks at
// it and accepts or rejects it.

// offer stores a list for the operator; its buckets have their length (4 bytes) before them.
func offer(c *ledger.Change, b *building.Building, gateway string, h wire.Holding, hash wire.Hash) {
	var rest []byte
	for _, bucket := range h.Buckets {
		rest = append(binary.BigEndian.AppendUint32(rest, uint32(len(bucket))), bucket...)
	}
	store.AddOffer(c.Tx, store.Offer{Building: b.ID, Gateway: gateway, Hash: hash, At: int64(c.Clock.Unix()), Manifest: h.Manifest, Second: h.Second, Rest: rest})
}

// listOf reads the list of an offer.
func listOf(o store.Offer) (lists.Signed, error) {
	var buckets [][]byte
	for b := o.Rest; len(b) >= 4; {
		n := binary.BigEndian.Uint32(b)
		if b = b[4:]; uint64(n) > uint64(len(b)) {
			break
		}
		buckets, b = append(buckets, b[:n]), b[n:]
	}
	l, _, err := lists.Read(o.Building, o.Manifest, o.Second, buckets, nil)
	return l, err
}

// offerTombstones stores grants that are over at a gateway, and not here.
func offerTombstones(c *ledger.Change, b *building.Building, gateway string, tombstones []wire.ID) {
	var ids []byte
	for _, id := range tombstones {
		if g := b.Tenancies.Grants[id]; g != nil && g.Known && !g.Ended {
			ids = append(ids, id[:]...)
		}
	}
	if len(ids) == 0 {
		return
	}
	all, err := store.Offers(c, b.ID, false)
	c.Fail(err)
	for _, o := range all { // offers whose endings have all happened here by now are done
		if len(o.Manifest) == 0 && len(endsBy(b, o)) == 0 {
			store.CloseOffer(c.Tx, o)
		}
	}
	store.AddOffer(c.Tx, store.Offer{Building: b.ID, Gateway: gateway, Hash: sha256.Sum256(ids), At: int64(c.Clock.Unix()), Manifest: []byte{}, Rest: ids})
}

// Offers returns what waits for an operator's decision.
func Offers(v ledger.View, k *authority.Keys) ([]operator.Offer, error) {
	out := []operator.Offer{}
	all, err := store.Offers(v, "", false)
	if err != nil || len(all) == 0 {
		return out, err
	}
	issuers, err := issuersEver(v, k)
	if err != nil {
		return nil, err
	}
	for _, kept := range all {
		b, err := v.Building(kept.Building)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		ends := endsBy(b, kept)
		if len(kept.Manifest) == 0 && len(ends) == 0 {
			continue // nothing in it is new here any more
		}
		o := operator.Offer{Building: kept.Building, Gateway: kept.Gateway, ID: hex.EncodeToString(kept.Hash[:8]), Time: time.Unix(kept.At, 0).UTC(),
			Grants: len(ends), Flats: b.Tenancies.FlatsOf(ends)}
		if len(kept.Manifest) > 0 {
			_, p, err := wire.Open(kept.Manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: kept.Building}, issuers)
			if err != nil {
				_, p, _ = wire.Open(kept.Manifest, wire.Expect{}, nil) // only to show whose it is
			}
			o.Key, o.Epoch = hex.EncodeToString(p.KeyID[:]), p.Epoch
			o.Retired, o.False = err == nil, err == nil && k.Trust.IsFalse(wire.RoleIssuer, p.Epoch)
			if l, err := listOf(kept); err == nil {
				o.Version = l.Manifest.Version
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// issuersEver returns the issuers that any trust document has named.
func issuersEver(v ledger.View, k *authority.Keys) (issuers []wire.Key, err error) {
	all, err := store.Trusts(v)
	for _, envelope := range all {
		if t, bad := keys.OpenTrust(envelope, k.Root, k.Place.Registry); bad == nil {
			issuers = append(issuers, t.Keyset(wire.RoleIssuer)...)
		}
	}
	return issuers, err
}

// endsBy returns the tenancies that lose a grant if an offer is accepted.
func endsBy(b *building.Building, o store.Offer) (tenancies []wire.ID) {
	over := o.Tombstones()
	if len(o.Manifest) > 0 {
		l, err := listOf(o)
		if err != nil {
			return nil
		}
		all, listed := byGrant(l.Grants), b.Lists.Listed()
		for id, g := range b.Tenancies.Grants {
			if rows := all[id]; g.Known && !g.Ended && (len(rows) == 0 && lacks(&l.Manifest, g, listed[id]) || allRevoked(rows)) {
				over = append(over, id)
			}
		}
	}
	for _, id := range over {
		if g := b.Tenancies.Grants[id]; g != nil && g.Known && !g.Ended && !slices.Contains(tenancies, g.Tenancy) {
			tenancies = append(tenancies, g.Tenancy)
		}
	}
	return tenancies
}

// Decide accepts or rejects what a gateway holds: in both cases it is taken into account, so that
// the next list follows it.
func Decide(c *ledger.Change, d operator.Decision) error {
	all, err := store.Offers(c, d.Building, false)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(o store.Offer) bool { return o.Building == d.Building && hex.EncodeToString(o.Hash[:8]) == d.ID })
	if i < 0 {
		return api.Hinted("registryd offers shows them", "nothing of building %s waits under %s", d.Building, d.ID)
	}
	o := all[i]
	b, err := c.Open(d.Building)
	if err != nil {
		return err
	}
	store.CloseOffer(c.Tx, o)
	c.Relist(b)
	if len(o.Manifest) == 0 {
		return endAll(c, b, o.Tombstones(), d.Take)
	}
	l, err := listOf(o)
	if err != nil {
		return fmt.Errorf("read the list that %s holds: %w", o.Gateway, err)
	}
	if d.Take { // its content, not its place: the next list uses this issuer's own numbers, which the root's next epoch put above
		t := newTaking(c, b, l)
		t.take(true)
		c.Remark(b.ID, "the operator has taken list %d of %s: %s", l.Manifest.Version, o.Gateway, t.String())
	}
	store.AppendLog(c.Tx, b, l.Logged(false))
	return nil
}

// endAll ends grants if the operator accepts that.
func endAll(c *ledger.Change, b *building.Building, ids []wire.ID, take bool) error {
	for _, id := range ids {
		g := b.Tenancies.Grants[id]
		if !take || g == nil || g.Ended {
			continue
		}
		if err := act.On(c, b, id, operator.Act{Act: operator.ActEnd, Reason: "order"}); err != nil {
			return err
		}
	}
	return nil
}
