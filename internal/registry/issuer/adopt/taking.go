package adopt

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// taking is the work of taking over one list.
type taking struct {
	c    *ledger.Change
	b    *building.Building
	l    *lists.Signed
	rows map[wire.ID][]wire.Grant // of the list, by grant

	ended, stopped, joined, brought int              // grants
	over                            int              // of those that were brought
	notices                         map[wire.ID]bool // by grant: notices whose state became known
}

// newTaking prepares the work.
func newTaking(c *ledger.Change, b *building.Building, l lists.Signed) *taking {
	return &taking{c: c, b: b, l: &l, rows: byGrant(l.Grants), notices: make(map[wire.ID]bool)}
}

func byGrant(all []wire.Grant) map[wire.ID][]wire.Grant {
	rows := make(map[wire.ID][]wire.Grant)
	for _, g := range all {
		rows[g.ID] = append(rows[g.ID], g)
	}
	return rows
}

// String describes the result.
func (t *taking) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		text string
	}{{t.ended, amount.Of(t.ended, "grant") + " ended by it"}, {t.stopped, amount.Of(t.stopped, "grant") + " stopped or shortened by it"},
		{t.joined, amount.Of(t.joined, "grant") + " that got cards"}, {t.brought, amount.Of(t.brought, "grant") + " learnt from it"},
		{t.over, fmt.Sprintf("%d of them over already", t.over)}, {len(t.notices), "how notices on " + amount.Of(len(t.notices), "grant") + " stand"}} {
		if p.n > 0 {
			parts = append(parts, p.text)
		}
	}
	if parts == nil {
		parts = []string{"nothing new in it"}
	}
	return strings.Join(parts, ", ") + unsaid(&t.l.Manifest)
}

// take takes over the content of a list; of one that is not the newest only its restrictions.
func (t *taking) take(newest bool) {
	listed := t.b.Lists.Listed()
	for id, g := range t.b.Tenancies.Grants {
		if !g.Known || g.Ended {
			continue
		}
		rows := t.rows[id]
		switch {
		case len(rows) == 0 && newest && lacks(&t.l.Manifest, g, listed[id]), allRevoked(rows):
			t.ended++
			t.say(wire.Change{Op: wire.OpEnd, Cause: wire.CauseOrder}, g)
		case len(rows) > 0:
			t.restrict(g, rows, newest)
		}
	}
	if !newest {
		return
	}
	for id, rows := range t.rows {
		if g := t.b.Tenancies.Grants[id]; g == nil || !g.Known {
			t.bring(id, rows)
		}
	}
}

func allRevoked(rows []wire.Grant) bool {
	return len(rows) > 0 && !slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked })
}

// lacks reports whether a list would name a grant if that were not over: it was in the list of this
// database (listed), or the list includes its check-in, and knows its doors.
func lacks(m *wire.Manifest, g *fold.Grant, listed bool) bool {
	if until := g.Until(); until != 0 && int64(until) <= int64(m.Issued) {
		return false // its term is over: that is no end
	}
	if listed {
		return true
	}
	e := &g.CheckIn
	if e.Source == "" {
		return false
	}
	for _, s := range m.Seen {
		if s.Gateway == e.Source && s.Line == e.Line && e.Number <= s.Number {
			return !slices.ContainsFunc(e.Change.Doors, func(d string) bool { return !slices.Contains(m.Doors, d) })
		}
	}
	return false
}

// later reports whether a card was changed by a record that the list does not include.
func (t *taking) later(g *fold.Grant, about func(wire.Change) bool) bool {
	m := &t.l.Manifest
	return slices.ContainsFunc(t.b.Tenancies.Events[g.ID], func(e fold.Event) bool {
		if !about(e.Change) {
			return false
		}
		if e.Source == "" {
			return e.At > m.Issued
		}
		i, there := slices.BinarySearchFunc(m.Seen, wire.Seen{Gateway: e.Source, Line: e.Line}, wire.Seen.Compare)
		return !there || e.Number > m.Seen[i].Number
	})
}

// restrict takes over the restrictions of a grant that is not over: cards stopped, an earlier end,
// cards that this database does not have.
func (t *taking) restrict(g *fold.Grant, rows []wire.Grant, newest bool) {
	var stop, join []wire.CredentialID
	for _, r := range rows {
		i := slices.IndexFunc(g.Cards, func(c fold.Card) bool { return c.ID == r.Credential })
		if i < 0 && newest {
			join = append(join, r.Credential)
		}
		stopped := i >= 0 && g.Cards[i].Suspended
		if r.State != wire.GrantActive && !stopped && !t.later(g, func(c wire.Change) bool {
			return c.Op == wire.OpResume && slices.Contains(c.Credentials, r.Credential)
		}) {
			stop = append(stop, r.Credential) // also a card that is not here: its record may come again
		}
	}
	t.joined, t.stopped = t.joined+min(len(join), 1), t.stopped+min(len(stop), 1)
	t.cards(wire.OpBind, join, g)
	t.cards(wire.OpSuspend, stop, g)
	if newest {
		t.standing(g.ID)
	}
	t.shorten(t.b.Tenancies.Grants[g.ID], rows)
}

func (t *taking) cards(op wire.Op, cards []wire.CredentialID, g *fold.Grant) {
	for part := range slices.Chunk(cards, fold.MaxCards) {
		t.say(wire.Change{Op: op, Credentials: part}, g)
	}
}

// bring makes a grant that only the list has: what the landlord wrote about it, and its flat, come
// with the gateway's record, if that still exists.
func (t *taking) bring(id wire.ID, rows []wire.Grant) {
	m, first := &t.l.Manifest, rows[0]
	var doors []string
	for _, d := range m.DoorSets[first.DoorSet] {
		doors = append(doors, m.Doors[d])
	}
	slices.Sort(doors)
	var all, stop []wire.CredentialID
	for _, r := range rows {
		all = append(all, r.Credential)
		if r.State != wire.GrantActive {
			stop = append(stop, r.Credential)
		}
	}
	g := &fold.Grant{ID: id, Tenancy: first.Tenancy}
	in := wire.Change{Op: wire.OpCheckIn, Credentials: all[:min(len(all), fold.MaxCards)], Kind: first.Kind, Doors: doors, From: first.From, Until: first.Until,
		Flat: fold.UnknownFlat, Basis: wire.BasisDuty, Document: wire.DocumentResidentID}
	if noticeUntil(m, id, in.Until) != nil {
		in.Until = 0 // a time in the past is no term
	}
	t.brought++
	t.say(in, g)
	g = t.b.Tenancies.Grants[id]
	t.cards(wire.OpBind, all[len(in.Credentials):], g)
	t.standing(id)
	if allRevoked(rows) {
		t.over++
		t.say(wire.Change{Op: wire.OpEnd, Cause: wire.CauseOrder}, g)
	} else {
		t.cards(wire.OpSuspend, stop, g)
	}
}

// say takes over one change for the registry, with the time of the list. The rows don't say on
// whose word a card came: at most on the landlord's.
func (t *taking) say(c wire.Change, g *fold.Grant) {
	c.At, c.Clock, c.Proof, c.Tenancy, c.Grant = t.l.Manifest.Issued, wire.ClockRegistry, wire.ProofRegistry, g.Tenancy, g.ID
	if c.Op == wire.OpBind {
		c.Proof = wire.ProofLandlord
	}
	t.put(fold.Event{At: c.At, Change: c})
}

// put takes over one change. It is deterministic, without random ids, so that taking over the same
// list twice has the same result.
func (t *taking) put(e fold.Event) {
	c := &e.Change
	text := slices.Concat(t.l.Hash[:], c.Grant[:], binary.BigEndian.AppendUint32([]byte{byte(c.Op), byte(c.Proof)}, c.At))
	for _, id := range c.Credentials {
		text = append(text, id[:]...)
	}
	sum := sha256.Sum256(text)
	copy(e.Record[:], sum[:])
	if _, known := t.b.Tenancies.Record("", e.Record); !known {
		t.c.Take(t.b, e)
	}
}

// The registry's decisions on notices and its confirmations of cards are in no record of a gateway.
// Lists carry them besides the rows, so they come back with a list that is taken over.

// standing takes over what the list says of a grant besides its rows.
func (t *taking) standing(grant wire.ID) {
	for i := range t.l.Manifest.Registers {
		if w := &t.l.Manifest.Registers[i]; w.Grant == grant {
			t.hear(w, t.b.Tenancies.Grants[grant])
		}
	}
}

// hear takes over one register, unless this database knows it, or a newer one. A notice remains the
// landlord's: he can take it back, and the tenant can object.
func (t *taking) hear(w *wire.Register, g *fold.Grant) {
	c := wire.Change{Op: w.Op, At: w.At, Clock: wire.ClockRegistry, Proof: w.Proof, Tenancy: g.Tenancy, Grant: g.ID, Until: w.Until, Cause: w.Cause}
	e := fold.Event{At: min(w.At, t.c.Clock.Ahead()), Change: c}
	switch {
	case w.Op == wire.OpBind && (w.Proof != wire.ProofRegistry || !g.Has(w.Cards) || t.said(w)):
		return
	case w.Op == wire.OpBind:
		e.Change.Credentials = slices.Clone(w.Cards)
		t.put(e)
		return
	case w.Proof == wire.ProofRegistry:
		if t.decidedHere(w, g) {
			return
		}
		e.At, e.Least = min(t.l.Manifest.Issued, t.c.Clock.Ahead()), e.At // a thief's word settles nothing that is still to come
	case w.At <= g.Through || t.said(w) || w.Op == wire.OpDispute && g.Disputed:
		return
	case w.Op == wire.OpNotice:
		e.Least = w.Until
	}
	t.notices[g.ID] = true
	t.put(e)
}

// decidedHere reports whether a decision is the one that stands here, or this registry has made
// another since the list.
func (t *taking) decidedHere(w *wire.Register, g *fold.Grant) bool {
	same := slices.ContainsFunc(g.Registers, func(k fold.Register) bool {
		return k.Op == w.Op && k.Proof == w.Proof && k.At == w.At && k.Until == w.Until && k.Cause == w.Cause
	})
	return same || t.later(g, func(c wire.Change) bool {
		return c.Proof == wire.ProofRegistry && (c.Op == wire.OpNotice || c.Op == wire.OpWithdraw)
	})
}

// said reports whether this database has the register as an event.
func (t *taking) said(w *wire.Register) bool {
	return slices.ContainsFunc(t.b.Tenancies.Events[w.Grant], func(e fold.Event) bool {
		return e.OfRegistry() == (w.Proof == wire.ProofRegistry) && e.Change.Op == w.Op && e.Change.At == w.At &&
			(len(w.Cards) == 0 || slices.Contains(e.Change.Credentials, w.Cards[0]))
	})
}

// noticeUntil returns a list's register of a notice that ends a grant at a time; nil: there is none.
func noticeUntil(m *wire.Manifest, grant wire.ID, until uint32) *wire.Register {
	i := slices.IndexFunc(m.Registers, func(w wire.Register) bool { return w.Grant == grant && w.Op == wire.OpNotice && w.Until == until })
	if i < 0 {
		return nil
	}
	return &m.Registers[i]
}

// shorten makes a grant end where the list's rows do, if that is earlier and nothing newer was said
// about it.
func (t *taking) shorten(g *fold.Grant, rows []wire.Grant) {
	until := g.Until()
	for _, r := range rows {
		if r.Until != 0 && (until == 0 || r.Until < until) {
			until = r.Until
		}
	}
	if until == g.Until() || t.later(g, func(c wire.Change) bool {
		return c.Op == wire.OpNotice || c.Op == wire.OpWithdraw || c.Op == wire.OpDispute
	}) {
		return
	}
	t.stopped++
	if w := noticeUntil(&t.l.Manifest, g.ID, until); w != nil && w.Proof != wire.ProofRegistry {
		t.hear(w, g)
	} else {
		t.say(wire.Change{Op: wire.OpNotice, Until: until, Cause: wire.CauseOrder}, g)
	}
}

// unsaid describes what a list can't say: nothing of notices in the first format, and not all of
// them where its capacity for registers was used up.
func unsaid(m *wire.Manifest) string {
	const decide = "; where the registry had upheld or rejected one, it is to be decided again: registryd tenancies shows which are disputed, " +
		"registryd dispute settle TENANCY decides"
	used, largest := 0, 0
	for i := range m.Registers {
		used, largest = used+m.Registers[i].Size(), max(largest, m.Registers[i].Size())
	}
	switch {
	case m.Format != wire.LogFormat:
		return ". It is of the first format and does not say how notices stand: they stand as the building has recorded them" + decide
	case used+cmp.Or(largest, fold.MaxRegisterBytes) > fold.MaxRegisterBytes:
		return ". It may not say of all notices how they stand, for lack of capacity: the others stand as the building has recorded them" + decide
	}
	return ""
}
