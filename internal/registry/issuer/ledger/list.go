package ledger

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/capacity"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// relist makes the next list of a building, and releases it where one signature is enough.
func relist(c *Change, b *building.Building) {
	dropProved(c, b)
	if b.Lists.Log.Size() == 0 && b.Lists.Newest.Manifest.Version > 0 { // made before there was a log
		store.AppendLog(c.Tx, b, b.Lists.Newest.Logged(true))
	}
	signed, m, chosen, err := sign(c, b)
	if keepTrouble(c, b, chosen.Left, err); err != nil {
		return // one building may not stop the others
	}
	next, err := bothForms(c, b, signed.Manifest, m, chosen.Grants)
	if err != nil {
		c.Fail(fmt.Errorf("list of building %s: %w", b.ID, err))
		return
	}
	for i, hash := range m.Buckets {
		next.Buckets[hash] = signed.Buckets[i]
	}
	gone := b.Removed(&next)
	if !b.TooMany(&next, len(gone)) {
		release(c, b, next, gone)
		return
	}
	// The list is kept until a second issuer has signed it. A newer one replaces it under the same
	// version, because nobody has seen it.
	c.Log.Warn().Str("building", b.ID).Uint64("version", next.Manifest.Version).
		Msg("list removes many tenancies and waits for a second issuer: registryd countersign")
	b.Lists.Held = &next
	store.PutList(c.Tx, b.ID, next, b.Lists.Newest, true)
}

// dropProved takes revoked grants off the list that every gateway of the building has proved to
// hold as revoked.
func dropProved(c *Change, b *building.Building) {
	for _, id := range b.Droppable() {
		r := building.Revocation{Version: b.Lists.Revoked[id].Version, Dropped: true}
		b.Lists.Revoked[id] = r
		store.PutRevoked(c.Tx, b.ID, id, r)
	}
}

// sign makes a list of what fits. If it is refused nevertheless, it leaves out what is new of the
// gateway that has most of it, and tries again.
func sign(c *Change, b *building.Building) (signed grantlist.List, m wire.Manifest, chosen capacity.Choice, err error) {
	now, sure := c.Clock.Agreed()
	base := &b.Lists.Newest
	base.Manifest.Issued = min(base.Manifest.Issued, latest(c, base.Epoch)) // the time of an adopted list that may be a thief's does not count
	for without := make(map[string]bool); ; {
		chosen, err = capacity.Choose(b, without, now, sure)
		if err == nil {
			signed, m, err = chosen.Draft.Sign(chosen.Grants, c.Clock.At(), c.Keys.Issuer, c.Keys.Epoch)
		}
		gateway := chosen.Most()
		if err == nil || gateway == "" {
			return signed, m, chosen, err
		}
		c.Log.Error().Err(err).Str("gateway", b.ID+"/"+gateway).Msg("a list can't be made with what this gateway recorded; made without it")
		without[gateway] = true
	}
}

// latest returns the latest time that a list of some epoch may pass on to the next one: a clock
// here was never a day ahead, and the times of replaced keys do not count.
func latest(c *Change, epoch uint64) uint32 {
	if epoch != c.Keys.Epoch {
		return c.Clock.Unix()
	}
	return c.Clock.Ahead()
}

// manifestSpace is the part of a message, in bytes, for what is added to a manifest of the first
// format when it becomes one of the newest.
const manifestSpace = 2 << 10

// bothForms turns a signed manifest of the first format into one of the newest as well: that names
// the log, in which the first one is just before it, and has registers.
func bothForms(c *Change, b *building.Building, envelope []byte, m wire.Manifest, grants []wire.Grant) (l lists.Signed, err error) {
	l = lists.Signed{Old: lists.Form{Envelope: envelope}, Epoch: c.Keys.Epoch, Grants: grants, Buckets: make(map[wire.Hash][]byte)}
	if l.Old.Hash, err = lists.HashOf(m); err != nil {
		return l, err
	}
	log := b.Lists.Log.Add(lists.Logged{Hash: l.Old.Hash}.Leaf())
	m.Format, m.Earlier, m.Log = wire.LogFormat, log.Size(), wire.Hash(log.Root())
	m.Registers = capacity.Registers(&b.Tenancies, grants, min(fold.MaxRegisterBytes, wire.MaxMessage-manifestSpace-len(envelope)))
	payload, err := m.Encode()
	if err != nil {
		return l, err
	}
	l.Manifest, l.Hash = m, sha256.Sum256(payload)
	p := wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Epoch: l.Epoch, Address: b.ID}
	l.Envelope, err = wire.Sign(p, payload, c.Keys.Issuer)
	return l, err
}

// release publishes a list: from now on its version is used. gone are the tenancies that it takes
// away and that count against the day.
func release(c *Change, b *building.Building, l lists.Signed, gone []wire.ID) {
	c.Count(b, gone, l.Manifest.Issued)
	for i := range l.Grants {
		g := &l.Grants[i]
		if _, there := b.Lists.Revoked[g.ID]; there || g.State != wire.GrantRevoked {
			continue
		}
		r := building.Revocation{Version: l.Manifest.Version}
		b.Lists.Revoked[g.ID] = r
		store.PutRevoked(c.Tx, b.ID, g.ID, r)
	}
	before := b.Lists.Newest
	if b.Lists.Held != nil { // and the one that was held before it
		store.DropHeld(c.Tx, b.ID)
		before = lists.Signed{}
	}
	b.Lists.Newest, b.Lists.Held, b.Lists.Healed = l, nil, false
	c.state.unsent[b.ID] = true
	old := l.Logged(true)
	old.Hash = l.Old.Hash
	store.AppendLog(c.Tx, b, old, l.Logged(true))
	store.PutList(c.Tx, b.ID, l, before, false)
	store.Sweep(c.Tx, b.ID, before, l)
}

// Replace makes an adopted list the newest.
func (c *Change) Replace(b *building.Building, l lists.Signed) {
	store.DropHeld(c.Tx, b.ID)
	b.Lists.Newest, b.Lists.Held = l, nil
	b.Sent.Buckets = nil
	clear(b.Gateways.Asks)
	c.state.unsent[b.ID] = true
	store.PutList(c.Tx, b.ID, l, lists.Signed{}, false)
}

// Countersign adds a second issuer's signature (in both formats of the list) to the list that waits
// for it, and releases that. With newest the released list may be the one: a gateway may count what
// this database does not know of.
func (c *Change) Countersign(b *building.Building, second, old []byte, newest bool) error {
	waiting := b.Lists.Held
	if waiting == nil && (len(b.Gateways.Asks) > 0 || newest && b.Lists.Newest.Manifest.Version > 0) {
		waiting = &b.Lists.Newest
	}
	if waiting == nil {
		return api.Hinted("registryd lists shows what waits", "no list of %s waits for a second signature", b.ID)
	}
	if err := checkSecond(c, b.ID, second, waiting.Hash); err != nil {
		return err
	}
	if waiting.Old.Envelope != nil {
		if err := checkSecond(c, b.ID, old, waiting.Old.Hash); err != nil {
			return err
		}
	}
	waiting.Second, waiting.Old.Second = second, old
	if waiting == b.Lists.Held {
		release(c, b, *waiting, nil) // two issuers answer for what it takes away
		return nil
	}
	clear(b.Gateways.Asks)
	c.state.unsent[b.ID] = true
	store.PutList(c.Tx, b.ID, *waiting, *waiting, false)
	return nil
}

// checkSecond verifies another issuer's signature over the hash of a manifest.
func checkSecond(c *Change, building string, second []byte, hash wire.Hash) error {
	var others []wire.Key
	for _, k := range c.Keys.Issuers {
		if !slices.Equal(k.Public, c.Keys.Public()) {
			others = append(others, k)
		}
	}
	payload, _, err := wire.Open(second, wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: building}, others)
	if err != nil {
		return api.Hinted("it must be another issuer's key that the trust document names, as offline/second.key", "second signature: %v", err)
	}
	if !slices.Equal(payload, hash[:]) {
		return api.Hinted("look at the list that waits now, and sign that", "second signature: it is for another list")
	}
	return nil
}

// keepTrouble replaces the problems of the list by the present ones. left are the gateways with
// records that no list has.
func keepTrouble(c *Change, b *building.Building, left map[string]bool, failed error) {
	texts := make(map[string]string) // by gateway; "": the list itself
	if failed != nil {
		texts[""] = fmt.Sprintf("no list can be made: %v", failed)
	}
	for gateway := range left {
		texts[gateway] = "some of its records are in no list: they name doors that no gateway has, or are too many for one gateway; " +
			"revoke what is not real, or take it out: registryd gateway remove"
		if b.House.Gateway(gateway) == nil {
			texts[gateway] = "it was removed before all of its records were in a list: those that were not count no more"
		}
	}
	store.ClearProblems(c.Tx, b.ID, texts)
	for gateway, text := range texts {
		c.Problem(api.Place{Building: b.ID, Gateway: gateway}, 0, 0, text, nil)
	}
}
