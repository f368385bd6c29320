package act

import (
	"crypto/rand"
	"slices"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// What was ended stays ended at every gateway. To reinstate a tenancy, it gets new grants for the
// same cards, which cite the old grant and the list that ended it: a rolled-back registry, which
// does not know that list, can't give anything back.

// reinstate makes new grants in the place of ended ones.
func reinstate(c *ledger.Change, b *building.Building, grants []wire.ID, a operator.Act) (made []wire.ID, err error) {
	for _, id := range grants {
		if err := endOffered(c, b, id); err != nil {
			return nil, err
		}
		if a.Grant == "" && !b.Tenancies.Grants[id].Ended {
			continue
		}
		before, err := successor(c, b, id)
		if err != nil {
			return nil, err
		}
		if before != nil && a.Grant == "" {
			continue // the last one is among these grants too
		}
		if before != nil {
			return nil, api.Hinted("registryd grants shows it", "grant %s has another in its place already: %s", id, *before)
		}
		next, err := reinstateGrant(c, b, id, a)
		if err != nil {
			return nil, err
		}
		made = append(made, next)
	}
	if len(made) == 0 {
		return nil, api.Hinted(olderHint, "no grant of tenancy %s is over here", a.Tenancy)
	}
	return made, nil
}

// endOffered ends a grant that a gateway holds as over, and that is not over here: its id can't be
// used at that gateway any more, so another grant is needed there.
func endOffered(c *ledger.Change, b *building.Building, id wire.ID) error {
	if g := b.Tenancies.Grants[id]; !g.Known || g.Ended {
		return nil
	}
	if _, there, err := offeredBy(c, b, id); err != nil || !there {
		return err
	}
	return On(c, b, id, operator.Act{Act: operator.ActEnd, Reason: "mistake"})
}

const olderHint = "if doors refuse its cards all the same, this database is older than they are: registryd status says what was put back; " +
	"when its gateways have been heard, try again"

// reinstateGrant makes the grant that succeeds an ended one.
func reinstateGrant(c *ledger.Change, b *building.Building, id wire.ID, a operator.Act) (next wire.ID, err error) {
	g := b.Tenancies.Grants[id]
	if !g.Known || !g.Ended {
		return next, api.Hinted(olderHint, "grant %s is not over here", id)
	}
	by, err := endedBy(c, b, id)
	if err != nil {
		return next, err
	}
	until := g.CheckIn.Change.Until
	if a.NoEnd {
		until = 0
	} else if !a.Until.IsZero() {
		until = uint32(min(a.Until.Unix(), 1<<32-1))
	}
	if until != 0 && until <= c.Clock.Unix() {
		return next, api.Hinted("--until DATE is its new last day", "the term of grant %s is over", id)
	}
	if len(g.Cards) == 0 {
		return next, api.Hinted("check the tenant in again", "grant %s has no card", id)
	}
	_, _ = rand.Read(next[:]) // never fails
	sayCards(c, b, g, next, until)
	store.AddReinstated(c.Tx, b.ID, next, id, by, c.Clock.Unix())
	return next, nil
}

// sayCards adds the events of the new grant, with the cards of the old one. A card that did not
// prove the tenant does not do so now.
func sayCards(c *ledger.Change, b *building.Building, g *fold.Grant, next wire.ID, until uint32) {
	var proven, unproven, stopped []wire.CredentialID
	for _, card := range g.Cards {
		if card.Unproven {
			unproven = append(unproven, card.ID)
		} else {
			proven = append(proven, card.ID)
		}
		if card.Suspended {
			stopped = append(stopped, card.ID)
		}
	}
	in := g.CheckIn.Change
	named := &proven
	if len(proven) == 0 {
		in.Flat = fold.UnknownFlat // as read from a list: its cards prove nothing
		named = &unproven
	}
	n := min(len(*named), fold.MaxCards)
	in.Proof, in.Grant, in.Until, in.Credentials = wire.ProofRegistry, next, until, (*named)[:n]
	*named = (*named)[n:]
	c.Say(b, in)
	for _, more := range []struct {
		op    wire.Op
		proof wire.Proof
		cards []wire.CredentialID
	}{{wire.OpBind, wire.ProofRegistry, proven}, {wire.OpBind, wire.ProofLandlord, unproven}, {wire.OpSuspend, wire.ProofRegistry, stopped}} {
		for part := range slices.Chunk(more.cards, fold.MaxCards) {
			c.Say(b, wire.Change{Op: more.op, Proof: more.proof, Tenancy: in.Tenancy, Grant: next, Credentials: part})
		}
	}
}

// successor returns the grant that was made in place of one, or has its cards now; nil: there is
// none.
func successor(c *ledger.Change, b *building.Building, id wire.ID) (*wire.ID, error) {
	old := b.Tenancies.Grants[id]
	for other, g := range b.Tenancies.Grants {
		same := g.Known && !g.Ended && g.Tenancy == old.Tenancy && other != id
		if same && slices.ContainsFunc(g.Cards, func(k fold.Card) bool {
			return slices.ContainsFunc(old.Cards, func(o fold.Card) bool { return o.ID == k.ID })
		}) {
			return &other, nil
		}
	}
	return store.Reinstated(c, id)
}

// endedBy returns the list that ended a grant: the first that named it as revoked, or that was
// taken over and lacked it.
func endedBy(c *ledger.Change, b *building.Building, id wire.ID) (hash wire.Hash, err error) {
	r, there := b.Lists.Revoked[id]
	if there {
		hash, there, err = store.HashOf(c, b.ID, r.Version)
	}
	if err == nil && !there {
		hash, there, err = offeredBy(c, b, id)
	}
	if err == nil && !there {
		err = api.Hinted("registryd lists shows what waits; then try again", "no list has ended grant %s yet", id)
	}
	return hash, err
}

// offeredBy returns what a gateway holds by which a grant is over.
func offeredBy(c *ledger.Change, b *building.Building, id wire.ID) (hash wire.Hash, there bool, err error) {
	all, err := store.Offers(c, b.ID, true)
	for _, o := range all {
		if slices.Contains(o.Tombstones(), id) {
			return o.Hash, true, err
		}
	}
	return hash, false, err
}
