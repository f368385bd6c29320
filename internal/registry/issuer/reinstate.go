package issuer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/fold"
	"slices"
	"strings"

	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// What was ended stays ended at every gateway, and its id is never used again. Who is
// to come in again gets new grants, for the same tenancy and cards. They cite the old
// one and the list that ended it, so that a registry of yesterday, which does not know
// that list, can give nothing back.

// reinstate makes new grants in the place of ended ones.
func (i *Issuer) reinstate(ctx context.Context, who string, a operator.Act) (operator.Done, error) {
	if !slices.Contains(operator.Reasons(operator.ActReinstate), a.Reason) {
		return operator.Done{}, api.Hinted("one of "+strings.Join(operator.Reasons(operator.ActReinstate), ", "), "%q is no reason for %s", a.Reason, operator.ActReinstate)
	}
	var done operator.Done
	var before uint64
	var named []wire.ID
	err := i.locked(func(c *change) error {
		b, grants, err := c.find(a)
		if err != nil {
			return err
		}
		for _, id := range grants {
			if err := c.endOffered(b, id); err != nil {
				return err
			}
			if a.Grant == "" && !b.grants[id].Ended {
				continue
			}
			before, err := c.successor(b, id)
			if err != nil {
				return err
			}
			if before != nil && a.Grant == "" {
				continue // the last one is among these grants too
			}
			if before != nil {
				return api.Hinted("registryd grants shows it", "grant %s has another in its place already: %s", id, *before)
			}
			next, err := c.reinstateGrant(b, id, a)
			if err != nil {
				return err
			}
			named = append(named, next)
		}
		if len(named) == 0 {
			return api.Hinted(olderHint, "no grant of tenancy %s is over here", a.Tenancy)
		}
		done, before = operator.Done{Building: b.id, Grants: len(named)}, b.list.manifest.Version
		c.touched[b.id] = true
		return c.audit(who, a.Act, b.id, a.Grant+a.Tenancy, a.Reason)
	})
	if err != nil {
		return operator.Done{}, err
	}
	for _, id := range named {
		done.New = append(done.New, id.String())
	}
	done, err = i.finish(ctx, done)
	if err == nil && !done.Held {
		i.saidByNone(&done, before, named)
	}
	return done, err
}

// endOffered ends a grant that a gateway holds as over, and that is not over here: its
// id is never good again at that gateway, so whoever is to come in there needs another.
func (c *change) endOffered(b *building, id wire.ID) error {
	if g := b.grants[id]; !g.Known || g.Ended {
		return nil
	}
	all, err := offersOf(c, b.id, offerDone)
	if err != nil || !slices.ContainsFunc(all, func(k kept) bool { return slices.Contains(k.tombstones(), id) }) {
		return err
	}
	return c.actOn(b, id, operator.Act{Act: operator.ActEnd, Reason: "mistake"})
}

const olderHint = "if doors refuse its cards all the same, this database is older than they are: registryd status says what was put back; " +
	"when its gateways have been heard, try again"

// reinstateGrant makes the grant that follows one.
func (c *change) reinstateGrant(b *building, id wire.ID, a operator.Act) (next wire.ID, err error) {
	g := b.grants[id]
	if !g.Known || !g.Ended {
		return next, api.Hinted(olderHint, "grant %s is not over here", id)
	}
	by, err := c.endedBy(b, id)
	if err != nil {
		return next, err
	}
	until := g.CheckIn.Change.Until
	if a.NoEnd {
		until = 0
	} else if !a.Until.IsZero() {
		until = uint32(min(a.Until.Unix(), 1<<32-1))
	}
	if until != 0 && until <= c.issuer.now() {
		return next, api.Hinted("--until DATE is its new last day", "the term of grant %s is over", id)
	}
	if len(g.Cards) == 0 {
		return next, api.Hinted("check the tenant in again", "grant %s has no card", id)
	}
	_, _ = rand.Read(next[:]) // never fails
	if err := c.sayCards(b, g, next, until); err != nil {
		return next, err
	}
	_, err = c.Exec(`INSERT INTO reinstated (building, grant_id, old_id, list_hash, at) VALUES (?,?,?,?,?)`, b.id, next[:], id[:], by[:], c.issuer.now())
	if err != nil {
		return next, fmt.Errorf("keep what was reinstated: %w", err)
	}
	return next, nil
}

// sayCards says the new grant, with the cards of the old one. What did not prove the
// tenant does not prove him now.
func (c *change) sayCards(b *building, g *fold.Grant, next wire.ID, until uint32) error {
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
		in.Flat = fold.UnknownFlat // as one that was read from a list: its cards prove nothing
		named = &unproven
	}
	n := min(len(*named), maxCards)
	in.Proof, in.Grant, in.Until, in.Credentials = wire.ProofRegistry, next, until, (*named)[:n]
	*named = (*named)[n:]
	if err := c.sayNow(b, in); err != nil {
		return err
	}
	for _, more := range []struct {
		op    wire.Op
		proof wire.Proof
		cards []wire.CredentialID
	}{{wire.OpBind, wire.ProofRegistry, proven}, {wire.OpBind, wire.ProofLandlord, unproven}, {wire.OpSuspend, wire.ProofRegistry, stopped}} {
		for part := range slices.Chunk(more.cards, maxCards) {
			if err := c.sayNow(b, wire.Change{Op: more.op, Proof: more.proof, Tenancy: in.Tenancy, Grant: next, Credentials: part}); err != nil {
				return err
			}
		}
	}
	return nil
}

// successor is the grant that was made in the place of one, or has its cards now;
// nil: there is none.
func (c *change) successor(b *building, id wire.ID) (*wire.ID, error) {
	old := b.grants[id]
	for other, g := range b.grants {
		same := g.Known && !g.Ended && g.Tenancy == old.Tenancy && other != id
		if same && slices.ContainsFunc(g.Cards, func(k fold.Card) bool {
			return slices.ContainsFunc(old.Cards, func(o fold.Card) bool { return o.ID == k.ID })
		}) {
			return &other, nil
		}
	}
	var next []byte
	err := c.QueryRow(`SELECT grant_id FROM reinstated WHERE old_id = ?`, id[:]).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil || len(next) != len(wire.ID{}) {
		return nil, fmt.Errorf("read what was reinstated: %w", err)
	}
	return (*wire.ID)(next), nil
}

// sayNow takes one change in that the registry makes, as of now.
func (c *change) sayNow(b *building, in wire.Change) error {
	in.At, in.Clock = c.issuer.now(), wire.ClockRegistry
	e := fold.Event{At: in.At, Change: in}
	_, _ = rand.Read(e.Record[:]) // never fails
	return c.take(b, e, 0, 0)
}

// endedBy is the list that ended a grant: the first that named it as revoked, or that
// was taken over and lacked it.
func (c *change) endedBy(b *building, id wire.ID) (hash wire.Hash, err error) {
	r, there := b.revoked[id]
	if there {
		hash, there, err = versionOf(c, b.id, r.version)
	}
	if err == nil && !there {
		hash, there, err = c.offeredBy(b, id)
	}
	if err == nil && !there {
		err = api.Hinted("registryd lists shows what waits; then try again", "no list has ended grant %s yet", id)
	}
	return hash, err
}

// offeredBy names what a gateway holds by which a grant is over.
func (c *change) offeredBy(b *building, id wire.ID) (hash wire.Hash, there bool, err error) {
	all, err := offersOf(c, b.id, offerDone)
	for _, k := range all {
		if slices.Contains(k.tombstones(), id) {
			return k.hash, true, err
		}
	}
	return hash, false, err
}
