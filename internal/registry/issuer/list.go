package issuer

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// signedList is a grant list as it was signed: in the newest format, and in the
// first one for gateways that read no other. Both have the same version and buckets.
type signedList struct {
	form
	old      form          // without an envelope: there is none
	manifest wire.Manifest // of the newest format; version 0: none
	epoch    uint64        // of the key that signed it
	grants   []wire.Grant
	buckets  map[wire.Hash][]byte
}

// form is a manifest of one format, signed.
type form struct {
	envelope, second []byte
	hash             wire.Hash
}

// stamp orders lists: first by the epoch that the root gave the issuers, then by
// number.
type stamp struct{ epoch, version uint64 }

func (s stamp) after(o stamp) bool {
	return s.epoch > o.epoch || s.epoch == o.epoch && s.version > o.version
}

func (l *signedList) stamp() stamp { return stamp{l.epoch, l.manifest.Version} }

// relist makes the next list of a building, and releases it where one
// signature is enough.
func (c *change) relist(b *building) error {
	if err := c.dropProved(b); err != nil {
		return err
	}
	if b.log.Size() == 0 && b.list.manifest.Version > 0 { // made before there was a log
		if err := c.appendLog(b, logged{b.list.hash, b.list.epoch, b.list.manifest.Version, true}); err != nil {
			return err
		}
	}
	signed, m, chosen, err := c.sign(b)
	if trouble := c.listTrouble(b, chosen.room, err); trouble != nil || err != nil {
		return trouble // one building may not stop the others
	}
	next, err := c.bothForms(b, signed.Manifest, m, chosen.grants)
	if err != nil {
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
func (c *change) sign(b *building) (signed grantlist.List, m wire.Manifest, chosen choice, err error) {
	now, sure := c.issuer.agreed()
	if base := &b.list; base.manifest.Issued > c.latest(base.epoch) {
		base.manifest.Issued = c.latest(base.epoch) // a thief's, which was taken over: its time goes with it
	}
	for without := make(map[string]bool); ; {
		chosen, err = b.choose(without, now, sure)
		if err == nil {
			signed, m, err = chosen.draft.Sign(chosen.grants, c.issuer.at(), c.issuer.keys.Issuer, c.issuer.keys.Epoch)
		}
		gateway := chosen.most()
		if err == nil || gateway == "" {
			return signed, m, chosen, err
		}
		c.issuer.opts.Log.Error().Err(err).Str("gateway", b.id+"/"+gateway).Msg("a list can't be made with what this gateway recorded; made without it")
		without[gateway] = true
	}
}

// latest is the latest time that a list of some epoch may hand on to the next one: a
// clock here was never a day ahead, and what keys that were replaced have said of the
// time counts for nothing.
func (c *change) latest(epoch uint64) uint32 {
	if epoch != c.issuer.keys.Epoch {
		return c.issuer.now()
	}
	return c.issuer.ahead()
}

// bothForms has a manifest of the first format, signed, in the newest one as well:
// that names the log, in which the first one stands just before it, and has words.
func (c *change) bothForms(b *building, envelope []byte, m wire.Manifest, grants []wire.Grant) (l signedList, err error) {
	l = signedList{old: form{envelope: envelope}, epoch: c.issuer.keys.Epoch, grants: grants, buckets: make(map[wire.Hash][]byte)}
	if l.old.hash, err = manifestHash(m); err != nil {
		return l, err
	}
	log := b.log.Add(leafOf(l.old.hash))
	m.Format, m.Earlier, m.Log = wire.LogFormat, log.Size(), wire.Hash(log.Root())
	m.Words = b.words(grants, min(fold.MaxWordBytes, wire.MaxMessage-manifestRoom-len(envelope)))
	payload, err := m.Encode()
	if err != nil {
		return l, err
	}
	l.manifest, l.hash = m, sha256.Sum256(payload)
	p := wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: l.epoch, Address: b.id}
	l.envelope, err = wire.Sign(p, payload, c.issuer.keys.Issuer)
	return l, err
}

// manifestRoom is how much of a message is for what stands around a manifest of the
// first format when it becomes one of the newest.
const manifestRoom = 2 << 10

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
	if err := c.count(b, gone, l.manifest.Issued); err != nil {
		return err
	}
	for i := range l.grants {
		g := &l.grants[i]
		if _, there := b.revoked[g.ID]; there || g.State != wire.GrantRevoked {
			continue
		}
		b.revoked[g.ID] = revocation{version: l.manifest.Version}
		if _, err := c.Exec(`INSERT INTO revoked (building, grant_id, version, dropped) VALUES (?,?,?,0)
			ON CONFLICT (building, grant_id) DO UPDATE SET version = excluded.version, dropped = 0`,
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
	b.list, b.held, b.healed = l, nil, false
	c.issuer.unsent[b.id] = true
	if err := c.appendLog(b, logged{l.old.hash, l.epoch, l.manifest.Version, true}, logged{l.hash, l.epoch, l.manifest.Version, true}); err != nil {
		return err
	}
	if err := c.storeList(b, l, before, false); err != nil {
		return err
	}
	return c.sweep(b, before)
}

// storeList keeps a list with those buckets that the one before did not have.
func (c *change) storeList(b *building, l, before signedList, held bool) error {
	_, err := c.Exec(`INSERT INTO lists (building, held, manifest, second, old, old_second, sent) VALUES (?,?,?,?,?,?,0)
		ON CONFLICT (building, held) DO UPDATE SET manifest = excluded.manifest, second = excluded.second,
			old = excluded.old, old_second = excluded.old_second, sent = 0`,
		b.id, held, l.envelope, l.second, l.old.envelope, l.old.second)
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

// countersign adds a second issuer's word to the list that waits for it, and
// releases that.
func (c *change) countersign(b *building, s operator.Countersign) error {
	waiting := b.held
	if waiting == nil && len(b.asks) > 0 {
		waiting = &b.list
	}
	if waiting == nil && s.Newest && b.list.manifest.Version > 0 {
		waiting = &b.list // a gateway may count what this database does not know of
	}
	if waiting == nil {
		return api.Hinted("registryd lists shows what waits", "no list of %s waits for a second signature", b.id)
	}
	if err := c.checkSecond(b, s.Second, waiting.hash); err != nil {
		return err
	}
	if waiting.old.envelope != nil {
		if err := c.checkSecond(b, s.OldSecond, waiting.old.hash); err != nil {
			return err
		}
	}
	waiting.second, waiting.old.second = s.Second, s.OldSecond
	if waiting == b.held {
		return c.release(b, *b.held, nil) // two have answered for what it takes away
	}
	clear(b.asks)
	c.issuer.unsent[b.id] = true
	return c.storeList(b, b.list, b.list, false)
}

// checkSecond verifies another issuer's signature over the hash of a manifest.
func (c *change) checkSecond(b *building, second []byte, hash wire.Hash) error {
	var others []wire.Key
	for _, k := range c.issuer.keys.Issuers {
		if !slices.Equal(k.Public, c.issuer.keys.Public()) {
			others = append(others, k)
		}
	}
	payload, _, err := wire.Open(second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: b.id}, others)
	if err != nil {
		return api.Hinted("it must be another issuer's key that the trust document names, as offline/second.key", "second signature: %v", err)
	}
	if !slices.Equal(payload, hash[:]) {
		return api.Hinted("look at the list that waits now, and sign that", "second signature: it is for another list")
	}
	return nil
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
		if err := rows.Scan(&held, &l.envelope, &l.second, &l.old.envelope, &l.old.second); err != nil {
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
	}, `SELECT held, manifest, second, old, old_second FROM lists WHERE building = ?`, b.id)
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
	_, p, _ := wire.Open(l.envelope, wire.Expect{}, nil) // only to learn the signer's epoch
	l.epoch, l.hash, l.buckets = p.Epoch, sha256.Sum256(payload), make(map[wire.Hash][]byte)
	if l.old.envelope != nil {
		if payload, err = wire.PayloadOf(l.old.envelope); err != nil {
			return err
		}
		l.old.hash = sha256.Sum256(payload)
	}
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
