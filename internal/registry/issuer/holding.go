package issuer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// held is what a gateway holds, put together from its signed parts.
type held struct {
	gateway                 string
	manifest, second, house []byte
	buckets                 [][]byte
	tombstones              []wire.ID
}

// assemble opens the parts of a holding by the gateway's key.
func (b *building) assemble(h api.Holding) (out held, err error) {
	out.gateway = h.Place.Gateway
	for n, envelope := range h.Parts {
		payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeHolding, Role: wire.RoleGateway, Address: b.id + "/" + h.Place.Gateway}, b.keyset(h.Place.Gateway))
		if err != nil {
			return out, err
		}
		var part wire.Holding
		if err := wire.Decode(payload, &part); err != nil {
			return out, err
		}
		if int(part.Part) != n || int(part.Parts) != len(h.Parts) {
			return out, fmt.Errorf("%w: part %d stands at %d", wire.ErrMalformed, part.Part, n)
		}
		if n == 0 {
			out.manifest, out.second = part.Manifest, part.Second
		}
		if len(part.House) > 0 {
			out.house = part.House
		}
		out.buckets = append(out.buckets, part.Buckets...)
		out.tombstones = append(out.tombstones, part.Tombstones...)
	}
	return out, nil
}

// judge takes in what a gateway holds, and tells the front that it was judged.
func (i *Issuer) judge(ctx context.Context, h api.Holding) error {
	i.mu.Lock()
	err := i.update(func(c *change) error {
		b, err := i.building(c, h.Place.Building)
		if err != nil || b == nil {
			return err
		}
		c.touch(b)
		out, err := b.assemble(h)
		if err != nil {
			i.opts.Log.Warn().Err(err).Str("gateway", h.Place.Address()).Msg("what a gateway holds can't be read")
			return nil // it may say it again
		}
		return c.learn(b, out)
	})
	i.mu.Unlock()
	if err != nil {
		return fmt.Errorf("take in what %s holds: %w", h.Place.Address(), err)
	}
	if err := i.publishLogged(ctx, h.Place.Building); err != nil {
		return err
	}
	err = i.opts.Front.Taken(ctx, h)
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status == 404 {
		return nil // it has said another hello since
	}
	return err
}

// learn judges what a gateway holds. What proves itself is taken over; the rest is
// for the operator.
func (c *change) learn(b *building, h held) error {
	if len(h.house) > 0 {
		if err := c.adoptHouse(b, h.gateway, h.house); err != nil {
			return err
		}
	}
	if len(h.manifest) == 0 {
		return nil
	}
	f, trusted, err := openForeign(b.id, h.gateway, h.manifest, h.second, h.buckets, c.issuer.keys.Issuers)
	if err != nil {
		c.issuer.opts.Log.Warn().Err(err).Str("gateway", b.id+"/"+h.gateway).Msg("the list that a gateway holds is not one")
		return nil
	}
	if there, err := inLog(c, b.id, f.hash); err != nil || there {
		if err != nil {
			return err
		}
		b.countAsk(h.gateway, f)
		return c.offerTombstones(b, h)
	}
	if !trusted {
		return c.offer(b, h, f.hash)
	}
	if err := c.adopt(b, f); err != nil {
		return err
	}
	return c.offerTombstones(b, h)
}

// adoptHouse takes over a newer House document that an issuer trusted now has signed:
// who is in it is of the building, who is not was taken out.
func (c *change) adoptHouse(b *building, from string, envelope []byte) error {
	h, err := keys.OpenHouse(envelope, c.issuer.keys.Trust, b.id)
	if err != nil || h.Version <= b.house.Version {
		return nil // not the issuer's word, or nothing new
	}
	if h.District != b.district || h.Town != b.town {
		return c.remark(b, "%s has a house document that places the building in %s/%s: it is not taken over", from, h.District, h.Town)
	}
	out, in := diffHouses(b.house, h)
	if err := c.setHouse(b, h, envelope, nil); err != nil {
		return err
	}
	b.flats, b.noticeDays = h.Flats, h.NoticeDays
	if err := c.storeBuilding(b); err != nil {
		return err
	}
	for _, id := range in {
		g := h.Gateway(id)
		_, err := c.Exec(`INSERT INTO gateways (building, id, secret, expires, introduced, used_by, enrolled) VALUES (?,?,NULL,0,0,?,?)
			ON CONFLICT (building, id) DO UPDATE SET used_by = excluded.used_by, enrolled = excluded.enrolled`, b.id, id, g.Public[:], h.Issued)
		if err != nil {
			return fmt.Errorf("keep gateway: %w", err)
		}
	}
	for _, id := range out {
		if _, err := c.Exec(`DELETE FROM gateways WHERE building = ? AND id = ?`, b.id, id); err != nil {
			return fmt.Errorf("forget gateway: %w", err)
		}
	}
	c.touched[b.id] = true
	if err := c.remark(b, "%s had house document %d, which this database did not know: gateways that came by it: %s; that went: %s", from, h.Version, named(in), named(out)); err != nil {
		return err
	}
	return c.signHouse(b, h.Gateways) // one that names this one among those before it
}

// named lists ids for people.
func named(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// diffHouses are the gateways that only one of two documents has, or with another key.
func diffHouses(before, after wire.House) (out, in []string) {
	out, in = []string{}, []string{}
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

// catchUp takes over what the front has that this database does not know, of one
// building or of all (""): the database was put back, and the front's was not.
func (i *Issuer) catchUp(ctx context.Context, building string) error {
	heads, err := i.opts.Front.Heads(ctx, building)
	if err != nil {
		return err
	}
	for _, head := range heads {
		i.mu.Lock()
		lacks, err := i.lacks(head)
		i.mu.Unlock()
		if err != nil {
			return err
		}
		if !lacks {
			continue
		}
		stored, err := i.opts.Front.Stored(ctx, head.Building)
		if err != nil {
			return err
		}
		i.mu.Lock()
		err = i.update(func(c *change) error { return c.learnFront(stored) })
		i.mu.Unlock()
		if err != nil {
			return fmt.Errorf("take over what the front has of %s: %w", head.Building, err)
		}
	}
	return nil
}

// lacks reports whether the front names something that is not known here. The caller
// holds mu.
func (i *Issuer) lacks(h api.Head) (bool, error) {
	b, err := i.building(i.db, h.Building)
	if err != nil || b == nil {
		return true, err
	}
	if h.House > b.house.Version || len(h.Hash) == 0 {
		return h.House > b.house.Version, nil
	}
	if wire.Hash(h.Hash) == b.list.hash {
		return false, nil
	}
	there, err := inLog(i.db, b.id, wire.Hash(h.Hash))
	return !there, err
}

// learnFront judges what the front has of a building.
func (c *change) learnFront(k api.Stored) error {
	b, err := c.findOrMake(k)
	if err != nil || b == nil {
		return err
	}
	c.touch(b)
	if err := c.adoptHouse(b, "the front", k.House); err != nil {
		return err
	}
	if len(k.List.Manifest) == 0 {
		return nil
	}
	f, trusted, err := openForeign(b.id, "the front", k.List.Manifest, k.List.Second, k.List.Buckets, c.issuer.keys.Issuers)
	if err != nil || !trusted {
		return nil // of an issuer that was replaced: gateways say what they have
	}
	// The list's own root tells whether the log that the front has is the one before it.
	if log, ok := provedLog(f.manifest, k.List.Log); ok {
		if err := c.appendLog(b, log...); err != nil {
			return err
		}
	}
	if payload, err := wire.PayloadOf(k.List.Old); err == nil {
		f.old = form{k.List.Old, k.List.OldSecond, sha256.Sum256(payload)}
	}
	return c.adopt(b, f)
}

// provedLog are the manifests before a list, if they have the root that it names.
func provedLog(m wire.Manifest, all []api.Logged) ([]logged, bool) {
	if m.Format != wire.LogFormat || uint64(len(all)) < m.Earlier {
		return nil, false
	}
	out, r := make([]logged, 0, m.Earlier), tree.Range{}
	for _, l := range all[:m.Earlier] {
		if len(l.Hash) != len(wire.Hash{}) {
			return nil, false
		}
		hash := wire.Hash(l.Hash)
		out, r = append(out, logged{hash, l.Epoch, l.Version, false}), r.Add(leafOf(hash))
	}
	return out, wire.Hash(r.Root()) == m.Log
}

// findOrMake returns the building of what the front has. One that this database does
// not know at all is made from its House document.
func (c *change) findOrMake(k api.Stored) (*building, error) {
	b, err := c.issuer.building(c, k.Building)
	if err != nil || b != nil {
		return b, err
	}
	h, err := keys.OpenHouse(k.House, c.issuer.keys.Trust, k.Building)
	if err != nil {
		return nil, nil // nothing that an issuer trusted now has said
	}
	b = newBuilding(k.Building)
	b.district, b.town, b.noticeDays, b.flats = h.District, h.Town, h.NoticeDays, h.Flats
	c.issuer.buildings[b.id] = b
	return b, c.storeBuilding(b)
}

// catchUpAll looks at the front's lists where they may be newer.
func (i *Issuer) catchUpAll(ctx context.Context) error {
	i.mu.Lock()
	ids := slices.Sorted(maps.Keys(i.behind))
	i.mu.Unlock()
	for _, id := range ids {
		if err := i.catchUp(ctx, id); err != nil {
			return err
		}
		i.mu.Lock()
		delete(i.behind, id)
		i.mu.Unlock()
	}
	return nil
}

// importHouse takes the House document of a building, as one of its gateways has it.
func (c *change) importHouse(envelope []byte) (id string, err error) {
	_, p, _ := wire.Open(envelope, wire.Expect{}, nil) // only to learn the building
	if p.Address == "" {
		return "", api.Hinted("name house.cose of a gateway's folder of keys", "it is no house document")
	}
	if _, err := keys.OpenHouse(envelope, c.issuer.keys.Trust, p.Address); err != nil {
		return "", api.Hinted("it must be signed by an issuer that the trust document names: restore the keys of then first", "house document of %s: %v", p.Address, err)
	}
	b, err := c.findOrMake(api.Stored{Building: p.Address, House: envelope})
	if err != nil {
		return "", err
	}
	c.touch(b)
	before := b.house.Version
	if err := c.adoptHouse(b, "the operator", envelope); err != nil {
		return "", err
	}
	if b.house.Version == before {
		return "", api.Hinted("registryd gateway list shows what is known", "the registry has house document %d of %s already", before, b.id)
	}
	return b.id, nil
}
