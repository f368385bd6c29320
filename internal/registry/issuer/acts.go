package issuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/fold"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// act carries out what the operator asks for, and hands the list to the front.
func (i *Issuer) act(ctx context.Context, who string, a operator.Act) (operator.Done, error) {
	if a.Act == operator.ActReinstate {
		return i.reinstate(ctx, who, a)
	}
	if !slices.Contains(operator.Reasons(a.Act), a.Reason) {
		if operator.Reasons(a.Act) == nil {
			return operator.Done{}, api.Hinted("", "no such act: %q", a.Act)
		}
		return operator.Done{}, api.Hinted("one of "+strings.Join(operator.Reasons(a.Act), ", "), "%q is no reason for %s", a.Reason, a.Act)
	}
	var done operator.Done
	var before uint64 // version of the list
	var named []wire.ID
	err := i.locked(func(c *change) error {
		b, grants, err := c.find(a)
		if err != nil {
			return err
		}
		if grants = b.standing(grants, a); len(grants) == 0 && decides(a) {
			return api.Hinted("registryd tenancies shows which are disputed", "no notice is disputed there: tenancy %s", a.Tenancy)
		} else if len(grants) == 0 {
			return api.Hinted("registryd grants --tenancy ID shows them", "nothing of tenancy %s is left to %s", a.Tenancy, a.Act)
		}
		for _, id := range grants {
			if err := c.actOn(b, id, a); err != nil {
				return err
			}
		}
		done, before, named = operator.Done{Building: b.id, Grants: len(grants)}, b.list.manifest.Version, grants
		c.touched[b.id] = true
		return c.audit(who, a.Act, b.id, a.Grant+a.Tenancy, a.Reason)
	})
	if err != nil {
		return operator.Done{}, err
	}
	done, err = i.finish(ctx, done)
	if err == nil && !done.Held {
		i.saidByNone(&done, before, named)
	}
	return done, err
}

// saidByNone tells the operator that no list says what was done.
func (i *Issuer) saidByNone(d *operator.Done, before uint64, grants []wire.ID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b := i.buildings[d.Building]
	if b == nil {
		return
	}
	listed, out := b.listed(), 0
	for _, id := range grants {
		if !listed[id] && !b.revoked[id].dropped {
			out++
		}
	}
	switch {
	case d.Version <= before:
		d.Sent, d.Hint = false, "it is kept, but NO NEW LIST could be made, so that no door knows of it: registryd tenancies --problems says why"
	case out > 0:
		d.Sent, d.Hint = false, fmt.Sprintf("it is kept, but %d of them are in NO list, so that no door knows of it: registryd tenancies --problems says why", out)
	}
}

// listed are the grants that the newest list names.
func (b *building) listed() map[wire.ID]bool {
	ids := make(map[wire.ID]bool, len(b.list.grants))
	for i := range b.list.grants {
		ids[b.list.grants[i].ID] = true
	}
	return ids
}

// locked runs a transaction of the operator's.
func (i *Issuer) locked(f func(c *change) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.update(f)
}

// finish hands the new list to the front and says what became of it.
func (i *Issuer) finish(ctx context.Context, d operator.Done) (operator.Done, error) {
	failed := i.publish(ctx, d.Building)
	i.mu.Lock()
	defer i.mu.Unlock()
	b, err := i.building(i.db, d.Building)
	if err != nil || b == nil {
		return d, err
	}
	d.Version, d.Sent = b.list.manifest.Version, !i.unsent[d.Building]
	switch {
	case b.held != nil:
		d.Version, d.Held, d.Sent = b.held.manifest.Version, true, false
		d.Hint = fmt.Sprintf("it removes many tenancies within a day: another issuer signs it by registryd countersign %s --key FILE", d.Building)
	case failed != nil:
		i.opts.Log.Warn().Err(failed).Msg("list not handed over yet")
		d.Hint = "the front does not take it now; it gets it as soon as it does"
	}
	return d, nil
}

// find returns the grants that an act names.
func (c *change) find(a operator.Act) (*building, []wire.ID, error) {
	if (a.Grant == "") == (a.Tenancy == "") {
		return nil, nil, api.Hinted("registryd tenancies and registryd grants show them", "name a grant or a tenancy")
	}
	column, text := "grant_id", a.Grant
	if a.Grant == "" {
		column, text = "tenancy", a.Tenancy
	}
	id, err := parseID(text)
	if err != nil {
		return nil, nil, err
	}
	var building string
	err = c.QueryRow(`SELECT building FROM changes WHERE `+column+` = ? ORDER BY n LIMIT 1`, id[:]).Scan(&building)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil, api.Hinted("registryd tenancies and registryd grants show them", "no %s %s", strings.TrimSuffix(column, "_id"), text)
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := c.open(building)
	if err != nil {
		return nil, nil, err
	}
	if a.Grant != "" {
		return b, []wire.ID{id}, nil
	}
	return b, b.grantsOf(id), nil
}

// grantsOf are a tenancy's grants, in a fixed order.
func (b *building) grantsOf(tenancy wire.ID) (ids []wire.ID) {
	for id, g := range b.grants {
		if g.Tenancy == tenancy {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b wire.ID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

// standing leaves out those grants of a tenancy to which the act has nothing to
// do; one that was named itself stays.
func (b *building) standing(ids []wire.ID, a operator.Act) []wire.ID {
	if a.Grant != "" {
		return ids
	}
	decision := decides(a)
	return slices.DeleteFunc(ids, func(id wire.ID) bool {
		g := b.grants[id]
		return g.Ended || decision && !(g.Given && g.Disputed)
	})
}

// decides reports whether an act is a word on a disputed notice.
func decides(a operator.Act) bool { return a.Act == operator.ActUphold || a.Act == operator.ActReject }

func parseID(text string) (id wire.ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, api.Hinted("an id is 32 hex digits, as registryd tenancies shows them", "%q is no id", text)
	}
	return wire.ID(b), nil
}

// actOn adds the operator's event to one grant. It comes after all that is
// known of the grant, whatever the clocks of gateways said.
func (c *change) actOn(b *building, id wire.ID, a operator.Act) error {
	g := b.grants[id]
	if g.Ended && a.Act != operator.ActEnd {
		return api.Hinted("registryd reinstate makes a new one for the same tenancy and cards", "grant %s is over, for good", id)
	}
	e := fold.Event{At: c.issuer.now(), Change: wire.Change{Proof: wire.ProofRegistry, Clock: wire.ClockRegistry, Tenancy: g.Tenancy, Grant: id}}
	for _, old := range b.events[id] {
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
		return c.confirm(b, g, e, a.Credential)
	case operator.ActSuspend, operator.ActResume:
		e.Change.Op = wire.OpSuspend
		if a.Act == operator.ActResume {
			e.Change.Op = wire.OpResume
		}
		return c.actOnCards(b, g, e, a.Credential)
	case operator.ActUphold, operator.ActReject:
		return c.settle(b, g, e, a)
	}
	return c.take(b, e, 0, 0)
}

func causeOf(reason string) wire.Cause {
	for cause := wire.CauseMovedOut; cause <= wire.CauseMistake; cause++ {
		if cause.String() == reason {
			return cause
		}
	}
	return wire.CauseOrder
}

// maxCards of one change.
const maxCards = 16

// actOnCards names one card of the grant, or all. A card has an id for each form
// in which readers see it, and all of them come in one record: whoever names one
// means the card.
func (c *change) actOnCards(b *building, g *fold.Grant, e fold.Event, credential string) error {
	same := b.cameWith(g.ID, strings.ToLower(credential))
	var cards []wire.CredentialID
	for _, card := range g.Cards {
		if credential == "" || same[card.ID] {
			cards = append(cards, card.ID)
		}
	}
	if len(cards) == 0 {
		return api.Hinted("registryd grants shows the cards of each", "grant %s has no such card", g.ID)
	}
	for part := range slices.Chunk(cards, maxCards) {
		_, _ = rand.Read(e.Record[:])
		e.Change.Credentials = slices.Clone(part)
		if err := c.take(b, e, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// confirm names a card again in the registry's name, later than whatever was said of
// it by any clock. The list carries that, and the desks take it. A card that counts as
// proven here may wait for it at a desk all the same: it is named once more.
func (c *change) confirm(b *building, g *fold.Grant, e fold.Event, credential string) error {
	same := b.cameWith(g.ID, strings.ToLower(credential))
	if !slices.ContainsFunc(g.Cards, func(k fold.Card) bool { return same[k.ID] }) {
		return api.Hinted("registryd grants shows how many of each wait for it, and with --json which: --card with one of its ids",
			"grant %s has no such card", g.ID)
	}
	for _, old := range b.events[g.ID] {
		if old.Change.At >= e.Change.At && old.Change.At < 1<<32-1 {
			e.Change.At = old.Change.At + 1
		}
	}
	e.Change.Op = wire.OpBind
	return c.actOnCards(b, g, e, credential)
}

// cameWith returns the ids that came to a grant in the same records as one of it. What
// was read from a list came together by chance: it counts where no record says more.
func (b *building) cameWith(grant wire.ID, credential string) map[wire.CredentialID]bool {
	same, read := make(map[wire.CredentialID]bool), make(map[wire.CredentialID]bool)
	for _, e := range b.events[grant] {
		if e.Change.Op != wire.OpCheckIn && e.Change.Op != wire.OpBind {
			continue
		}
		if !slices.ContainsFunc(e.Change.Credentials, func(c wire.CredentialID) bool { return c.String() == credential }) {
			continue
		}
		into := same
		if e.Source == "" && e.Unproven() {
			into = read
		}
		for _, c := range e.Change.Credentials {
			into[c] = true
		}
	}
	if len(same) == 0 {
		return read
	}
	return same
}

// settle decides a dispute: what was said so far counts no more, the decision
// does.
func (c *change) settle(b *building, g *fold.Grant, e fold.Event, a operator.Act) error {
	if !g.Given || !g.Disputed { // an objection outlives the notice that was taken back
		return api.Hinted("registryd tenancies shows which are disputed", "no notice is disputed there: grant %s", g.ID)
	}
	e.Change.Op = wire.OpWithdraw
	if a.Act == operator.ActUphold {
		until := a.Until.Unix()
		if until <= int64(c.issuer.now()) || until >= 1<<32 {
			return api.Hinted("give a day in the future: the tenant has to know of it", "a tenancy can't end with %s", b.lastDayOf(a.Until))
		}
		if until < int64(g.Ends) {
			return api.Hinted("--uphold "+b.lastDay(g.Ends)+", or a later day", "the notice itself ends nothing before %s", b.minute(g.Ends))
		}
		e.Change.Op, e.Change.Until, e.Change.Cause = wire.OpNotice, uint32(until), wire.CauseOrder
	}
	events := b.events[g.ID]
	for n := range events {
		old := &events[n]
		if op := old.Change.Op; old.OfRegistry() || op != wire.OpNotice && op != wire.OpDispute && op != wire.OpWithdraw {
			continue
		}
		old.Settled = true
		_, err := c.Exec(`UPDATE changes SET settled = 1 WHERE building = ? AND gateway = ? AND record = ?`, b.id, old.Source, old.Record[:])
		if err != nil {
			return err
		}
	}
	return c.take(b, e, 0, 0)
}

// lastDay is the first last day by which a time has passed, as --uphold takes it: in
// the building's zone; where that is not known, in any.
func (b *building) lastDay(end uint32) string {
	at, zone := time.Unix(int64(end), 0), b.location()
	if zone == nil {
		return at.UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	}
	return calendar.LastDay(&at, zone)
}

// lastDayOf is the last day before an end that an operator has given, as it was typed:
// in the building's zone, and where that is not known in the operator's.
func (b *building) lastDayOf(end time.Time) string {
	if zone := b.location(); zone != nil {
		return calendar.LastDay(&end, zone) + " (" + zone.String() + ")"
	}
	return calendar.LastDay(&end, end.Location())
}

// minute is a moment in a message, in the building's zone where that is known.
func (b *building) minute(at uint32) string {
	return calendar.Minute(time.Unix(int64(at), 0), cmp.Or(b.location(), time.UTC))
}

// location is the building's time zone, as its gateways say; nil: not known.
func (b *building) location() *time.Location {
	if zone, err := time.LoadLocation(b.zone); err == nil && b.zone != "" {
		return zone
	}
	return nil
}

// audit writes down who does what, in the transaction that does it.
func (c *change) audit(who, what, building, subject, reason string) error {
	_, err := c.Exec(`INSERT INTO audit (at, who, what, building, subject, reason) VALUES (?,?,?,?,?,?)`,
		c.issuer.now(), who, what, building, subject, reason)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// look says where the sealed person of a tenancy is. It is written down first.
func (i *Issuer) look(who string, l operator.Look) (p operator.Person, err error) {
	if !slices.Contains(operator.Reasons("person"), l.Reason) {
		return p, api.Hinted("one of "+strings.Join(operator.Reasons("person"), ", "), "%q is no reason to look at a person", l.Reason)
	}
	if l.Case = strings.TrimSpace(l.Case); l.Case == "" || len(l.Case) > 64 {
		return p, api.Hinted("the number of the request or order that asks for it, at most 64 characters", "no case is named")
	}
	err = i.locked(func(c *change) error {
		b, grants, err := c.find(operator.Act{Tenancy: l.Tenancy})
		if err != nil {
			return err
		}
		p.Building = b.id
		for _, id := range grants {
			for _, e := range b.events[id] { // cards that joined later are in seals of their own
				if e.Person != (wire.Hash{}) && e.Change.Tenancy == b.grants[id].Tenancy {
					p.Seals = append(p.Seals, operator.Seal{Address: b.place(e.Source).Address(), Hash: e.Person[:]})
				}
			}
		}
		if p.Seals == nil {
			return api.Hinted("a tenancy that was taken over from an old house has none", "no person was sealed for tenancy %s", l.Tenancy)
		}
		return c.audit(who, "person", b.id, l.Tenancy, l.Reason+": "+l.Case)
	})
	return p, err
}

// Countersign makes a second issuer's signature over a list that waits. trust
// is the trust document's envelope; root verifies it.
func Countersign(l operator.List, rootFile, registry, keyFile string) (operator.Countersign, error) {
	root, err := keys.LoadRoot(rootFile)
	if err != nil {
		return operator.Countersign{}, err
	}
	trust, err := keys.OpenTrust(l.Trust, root, registry)
	if err != nil {
		return operator.Countersign{}, err
	}
	key, err := keys.LoadPrivateKey(keyFile)
	if err != nil {
		return operator.Countersign{}, api.Hinted("--key names second.key on its stick", "%v", err)
	}
	s := operator.Countersign{Building: l.Building}
	if s.Second, err = authority.Countersign(trust, l.Building, wire.Hash(l.Hash), key); err == nil && len(l.Old) > 0 {
		s.OldSecond, err = authority.Countersign(trust, l.Building, wire.Hash(l.Old), key)
	}
	return s, err
}
