// Package act carries out an operator's orders about grants and tenancies: to end, suspend, resume
// and confirm, to decide a disputed notice, to reinstate an ended tenancy, to issue a pass, and to
// look up where a person's name is sealed.
//
// An order is an event of the registry, and comes after all that is known of the grant, whatever
// the gateways' clocks said. The package refuses an order without a reason, and to bring an ended
// grant back: its id is never used again.
package act

import (
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

func find(c *ledger.Change, a operator.Act) (*building.Building, []wire.ID, error) {
	if (a.Grant == "") == (a.Tenancy == "") {
		return nil, nil, api.Hinted("registryd tenancies and registryd grants show them", "name a grant or a tenancy")
	}
	kind, text := "grant", a.Grant
	if a.Grant == "" {
		kind, text = "tenancy", a.Tenancy
	}
	id, err := parseID(text)
	if err != nil {
		return nil, nil, err
	}
	where, err := store.BuildingOf(c, a.Grant == "", id)
	if err != nil {
		return nil, nil, err
	}
	if where == "" {
		return nil, nil, api.Hinted("registryd tenancies and registryd grants show them", "no %s %s", kind, text)
	}
	b, err := c.Open(where)
	if err != nil {
		return nil, nil, err
	}
	if a.Grant != "" {
		return b, []wire.ID{id}, nil
	}
	return b, b.Tenancies.Of(id), nil
}

// concerned leaves out the grants of a tenancy to which the act does not apply; a grant that was
// named itself stays.
func concerned(b *building.Building, ids []wire.ID, a operator.Act) []wire.ID {
	if a.Grant != "" {
		return ids
	}
	return slices.DeleteFunc(ids, func(id wire.ID) bool {
		g := b.Tenancies.Grants[id]
		return g.Ended || decides(a) && !(g.Given && g.Disputed)
	})
}

// decides reports whether an act decides a disputed notice.
func decides(a operator.Act) bool { return a.Act == operator.ActUphold || a.Act == operator.ActReject }

func parseID(text string) (id wire.ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, api.Hinted("an id is 32 hex digits, as registryd tenancies shows them", "%q is no id", text)
	}
	return wire.ID(b), nil
}

// On adds the operator's event to one grant. It comes after all that is known of the grant,
// whatever the gateways' clocks said.
func On(c *ledger.Change, b *building.Building, id wire.ID, a operator.Act) error {
	g := b.Tenancies.Grants[id]
	if g.Ended && a.Act != operator.ActEnd {
		return api.Hinted("registryd reinstate makes a new one for the same tenancy and cards", "grant %s is over, for good", id)
	}
	e := fold.Event{At: c.Clock.Unix(), Change: wire.Change{Proof: wire.ProofRegistry, Clock: wire.ClockRegistry, Tenancy: g.Tenancy, Grant: id}}
	for _, old := range b.Tenancies.Events[id] {
		if old.At >= e.At && old.At < 1<<32-1 {
			e.At = old.At + 1
		}
	}
	e.Change.At = e.At
	_, _ = rand.Read(e.Record[:]) // never fails
	switch a.Act {
	case operator.ActEnd:
		e.Change.Op, e.Change.Cause = wire.OpEnd, causeOf(a.Reason)
	case operator.ActConfirm:
		return confirm(c, b, g, e, a.Credential)
	case operator.ActSuspend, operator.ActResume:
		e.Change.Op = wire.OpSuspend
		if a.Act == operator.ActResume {
			e.Change.Op = wire.OpResume
		}
		return onCards(c, b, g, e, a.Credential)
	case operator.ActUphold, operator.ActReject:
		return settle(c, b, g, e, a)
	}
	c.Take(b, e)
	return nil
}

func causeOf(reason string) wire.Cause {
	for cause := wire.CauseMovedOut; cause <= wire.CauseMistake; cause++ {
		if cause.String() == reason {
			return cause
		}
	}
	return wire.CauseOrder
}

// onCards applies an event to one card of the grant, or to all. A card has an id for each form in
// which readers see it, and all came in one record: naming one of them means the card.
func onCards(c *ledger.Change, b *building.Building, g *fold.Grant, e fold.Event, credential string) error {
	same := b.Tenancies.CameWith(g.ID, strings.ToLower(credential))
	var cards []wire.CredentialID
	for _, card := range g.Cards {
		if credential == "" || same[card.ID] {
			cards = append(cards, card.ID)
		}
	}
	if len(cards) == 0 {
		return api.Hinted("registryd grants shows the cards of each", "grant %s has no such card", g.ID)
	}
	for part := range slices.Chunk(cards, fold.MaxCards) {
		_, _ = rand.Read(e.Record[:])
		e.Change.Credentials = slices.Clone(part)
		c.Take(b, e)
	}
	return nil
}

// confirm names a card again for the registry, with a time after any clock's word about it, even a
// card that is proven here: a desk may still wait for the confirmation, which the list carries to
// it.
func confirm(c *ledger.Change, b *building.Building, g *fold.Grant, e fold.Event, credential string) error {
	same := b.Tenancies.CameWith(g.ID, strings.ToLower(credential))
	if !slices.ContainsFunc(g.Cards, func(k fold.Card) bool { return same[k.ID] }) {
		return api.Hinted("registryd grants shows how many of each wait for it, and with --json which: --card with one of its ids",
			"grant %s has no such card", g.ID)
	}
	for _, old := range b.Tenancies.Events[g.ID] {
		if old.Change.At >= e.Change.At && old.Change.At < 1<<32-1 {
			e.Change.At = old.Change.At + 1
		}
	}
	e.Change.Op = wire.OpBind
	return onCards(c, b, g, e, credential)
}

// settle decides a dispute: the decision replaces all that was said so far.
func settle(c *ledger.Change, b *building.Building, g *fold.Grant, e fold.Event, a operator.Act) error {
	if !g.Given || !g.Disputed { // an objection outlives a notice that was taken back
		return api.Hinted("registryd tenancies shows which are disputed", "no notice is disputed there: grant %s", g.ID)
	}
	e.Change.Op = wire.OpWithdraw
	if a.Act == operator.ActUphold {
		until := a.Until.Unix()
		if until <= int64(c.Clock.Unix()) || until >= 1<<32 {
			return api.Hinted("give a day in the future: the tenant has to know of it", "a tenancy can't end with %s", b.Gateways.LastDayOf(a.Until))
		}
		if until < int64(g.Ends) {
			return api.Hinted("--uphold "+b.Gateways.LastDay(g.Ends)+", or a later day", "the notice itself ends nothing before %s", b.Gateways.Minute(g.Ends))
		}
		e.Change.Op, e.Change.Until, e.Change.Cause = wire.OpNotice, uint32(until), wire.CauseOrder
	}
	events := b.Tenancies.Events[g.ID]
	for n := range events {
		old := &events[n]
		if !old.OfRegistry() && old.OnNotice() {
			old.Settled = true
			store.SettleChange(c.Tx, b.ID, *old)
		}
	}
	c.Take(b, e)
	return nil
}

// Result is the effect of an act.
type Result struct {
	Building string
	Grants   []wire.ID // that were acted on, or made
	Before   uint64    // version of the building's list before
}

// Do carries out an operator's order.
func Do(c *ledger.Change, who string, a operator.Act) (r Result, err error) {
	reasons := operator.Reasons(a.Act)
	if !slices.Contains(reasons, a.Reason) {
		if reasons == nil {
			return r, api.Hinted("", "no such act: %q", a.Act)
		}
		return r, api.Hinted("one of "+strings.Join(reasons, ", "), "%q is no reason for %s", a.Reason, a.Act)
	}
	b, grants, err := find(c, a)
	if err != nil {
		return r, err
	}
	r = Result{Building: b.ID, Before: b.Lists.Newest.Manifest.Version}
	if a.Act == operator.ActReinstate {
		r.Grants, err = reinstate(c, b, grants, a)
	} else {
		r.Grants, err = order(c, b, grants, a)
	}
	if err != nil {
		return r, err
	}
	c.Relist(b)
	c.Audit(who, a.Act, b.ID, a.Grant+a.Tenancy, a.Reason)
	return r, nil
}

// order applies an act to those grants that it concerns.
func order(c *ledger.Change, b *building.Building, grants []wire.ID, a operator.Act) ([]wire.ID, error) {
	if grants = concerned(b, grants, a); len(grants) == 0 && decides(a) {
		return nil, api.Hinted("registryd tenancies shows which are disputed", "no notice is disputed there: tenancy %s", a.Tenancy)
	} else if len(grants) == 0 {
		return nil, api.Hinted("registryd grants --tenancy ID shows them", "nothing of tenancy %s is left to %s", a.Tenancy, a.Act)
	}
	for _, id := range grants {
		if err := On(c, b, id, a); err != nil {
			return nil, err
		}
	}
	return grants, nil
}
