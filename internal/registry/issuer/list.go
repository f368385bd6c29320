package issuer

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"

	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// signedList is a grant list as it was signed.
type signedList struct {
	envelope, second []byte
	manifest         wire.Manifest // version 0: none
	hash             wire.Hash
	grants           []wire.Grant
	buckets          map[wire.Hash][]byte
}

// relist makes the next list of a building, and releases it where one
// signature is enough.
func (c *change) relist(b *building) error {
	if err := c.dropProved(b); err != nil {
		return err
	}
	signed, m, chosen, err := c.sign(b)
	if trouble := c.listTrouble(b, chosen.room, err); trouble != nil || err != nil {
		return trouble // one building may not stop the others
	}
	next := signedList{envelope: signed.Manifest, manifest: m, grants: chosen.grants, buckets: make(map[wire.Hash][]byte)}
	if next.hash, err = manifestHash(m); err != nil {
		return err
	}
	for i, hash := range m.Buckets {
		next.buckets[hash] = signed.Buckets[i]
	}
	gone := b.removed(next)
	if b.tooMany(next, len(gone)) {
		return c.hold(b, next)
	}
	return c.release(b, next, gone)
}

// sign makes a list of what fits. Should it be refused all the same, it leaves out
// what is new of the gateway that has most of it, until it is not.
func (c *change) sign(b *building) (signed keyring.List, m wire.Manifest, chosen choice, err error) {
	for without := make(map[string]bool); ; {
		chosen, err = b.choose(without)
		if err == nil {
			signed, m, err = chosen.draft.Sign(chosen.grants, c.issuer.opts.Now(), c.issuer.keys.issuer, c.issuer.keys.epoch)
		}
		gateway := chosen.most()
		if err == nil || gateway == "" {
			return signed, m, chosen, err
		}
		c.issuer.opts.Log.Error().Err(err).Str("gateway", b.id+"/"+gateway).Msg("a list can't be made with what this gateway recorded; made without it")
		without[gateway] = true
	}
}

func manifestHash(m wire.Manifest) (wire.Hash, error) {
	payload, err := m.Encode()
	return sha256.Sum256(payload), err
}

// hold keeps a list until a second issuer has signed it. A newer one takes its
// place, under the same version: nobody has seen it.
func (c *change) hold(b *building, l signedList) error {
	c.issuer.opts.Log.Warn().Str("building", b.id).Uint64("version", l.manifest.Version).
		Msg("list removes many tenancies and waits for a second issuer: registryd countersign")
	b.held = &l
	return c.storeList(b, l, b.list, true)
}

// release gives a list out: from now on its version is taken. gone are the
// tenancies that it takes away and that count against the day.
func (c *change) release(b *building, l signedList, gone []wire.ID) error {
	for _, id := range gone {
		b.removals[id] = l.manifest.Issued
		if _, err := c.Exec(`INSERT INTO removals (building, tenancy, at) VALUES (?,?,?) ON CONFLICT DO UPDATE SET at = excluded.at`,
			b.id, id[:], l.manifest.Issued); err != nil {
			return err
		}
	}
	for i := range l.grants {
		g := &l.grants[i]
		if _, there := b.revoked[g.ID]; there || g.State != wire.GrantRevoked {
			continue
		}
		b.revoked[g.ID] = revocation{version: l.manifest.Version}
		if _, err := c.Exec(`INSERT INTO revoked (building, grant_id, version, dropped) VALUES (?,?,?,0)`,
			b.id, g.ID[:], l.manifest.Version); err != nil {
			return err
		}
	}
	before := b.list
	if b.held != nil { // and whatever was held before it
		if _, err := c.Exec(`DELETE FROM lists WHERE building = ? AND held = 1`, b.id); err != nil {
			return err
		}
		if _, err := c.Exec(`DELETE FROM buckets WHERE building = ?`, b.id); err != nil {
			return err
		}
		before = signedList{}
	}
	b.list, b.held = l, nil
	c.issuer.unsent[b.id] = true
	if err := c.storeList(b, l, before, false); err != nil {
		return err
	}
	return c.sweep(b, before)
}

// storeList keeps a list with those buckets that the one before did not have.
func (c *change) storeList(b *building, l, before signedList, held bool) error {
	_, err := c.Exec(`INSERT INTO lists (building, held, manifest, second, sent) VALUES (?,?,?,?,0)
		ON CONFLICT (building, held) DO UPDATE SET manifest = excluded.manifest, second = excluded.second, sent = 0`,
		b.id, held, l.envelope, l.second)
	if err != nil {
		return fmt.Errorf("keep list: %w", err)
	}
	for hash, bytes := range l.buckets {
		if before.buckets[hash] != nil {
			continue
		}
		if _, err := c.Exec(`INSERT INTO buckets (building, hash, bytes) VALUES (?,?,?) ON CONFLICT DO NOTHING`, b.id, hash[:], bytes); err != nil {
			return fmt.Errorf("keep bucket: %w", err)
		}
	}
	return nil
}

// sweep deletes the buckets of the list before that stand in no list any more.
func (c *change) sweep(b *building, before signedList) error {
	for hash := range before.buckets {
		if b.list.buckets[hash] != nil {
			continue
		}
		if _, err := c.Exec(`DELETE FROM buckets WHERE building = ? AND hash = ?`, b.id, hash[:]); err != nil {
			return fmt.Errorf("sweep buckets: %w", err)
		}
	}
	return nil
}

// countersign adds a second issuer's word to the held list and releases it.
func (c *change) countersign(b *building, second []byte) error {
	if b.held == nil {
		return hinted("registryd lists shows what waits", "no list of %s waits for a second signature", b.id)
	}
	var others []wire.Key
	for _, k := range c.issuer.keys.issuers {
		if !slices.Equal(k.Public, c.issuer.keys.public()) {
			others = append(others, k)
		}
	}
	payload, _, err := wire.Open(second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: b.id}, others)
	if err != nil {
		return hinted("it must be another issuer's key that the trust document names, as offline/second.key", "second signature: %v", err)
	}
	if !slices.Equal(payload, b.held.hash[:]) {
		return hinted("look at the list that waits now, and sign that", "second signature: it is for another list")
	}
	b.held.second = second
	return c.release(b, *b.held, nil) // two have answered for what it takes away
}

// loadLists reads the released list and the held one.
func loadLists(q querier, b *building) error {
	buckets := make(map[wire.Hash][]byte)
	err := each(q, func(rows *sql.Rows) error {
		var hash, bytes []byte
		err := rows.Scan(&hash, &bytes)
		if err == nil {
			buckets[wire.Hash(hash)] = bytes
		}
		return err
	}, `SELECT hash, bytes FROM buckets WHERE building = ?`, b.id)
	if err != nil {
		return err
	}
	return each(q, func(rows *sql.Rows) error {
		var l signedList
		var held bool
		if err := rows.Scan(&held, &l.envelope, &l.second); err != nil {
			return err
		}
		if err := openList(&l, buckets); err != nil {
			return err
		}
		if held {
			b.held = &l
		} else {
			b.list = l
		}
		return nil
	}, `SELECT held, manifest, second FROM lists WHERE building = ?`, b.id)
}

// openList reads a list that was signed here, by whichever key was in use then.
func openList(l *signedList, buckets map[wire.Hash][]byte) error {
	payload, err := wire.PayloadOf(l.envelope)
	if err != nil {
		return err
	}
	if l.manifest, err = wire.DecodeManifest(payload); err != nil {
		return err
	}
	l.hash, l.buckets = sha256.Sum256(payload), make(map[wire.Hash][]byte)
	for n, hash := range l.manifest.Buckets {
		grants, err := l.manifest.DecodeBucket(n, buckets[hash])
		if err != nil {
			return err
		}
		l.grants = append(l.grants, grants...)
		l.buckets[hash] = buckets[hash]
	}
	return nil
}
