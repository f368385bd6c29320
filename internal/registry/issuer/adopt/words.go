package adopt

import (
	"cmp"
	"slices"

	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// What the registry has decided is in no record of a gateway: how a notice stands, and
// which cards were confirmed. A list says it besides its rows, and so it comes back with
// a list that is taken over.

// standing takes over what the list says besides its rows of a grant.
func (t *taking) standing(grant wire.ID) {
	for i := range t.l.Manifest.Words {
		if w := &t.l.Manifest.Words[i]; w.Grant == grant {
			t.hear(w, t.b.Tenancies.Grants[grant])
		}
	}
}

// hear takes one word over, unless this database knows it, or has heard better since.
// A notice stays its landlord's: he can take it back, and the tenant can object.
func (t *taking) hear(w *wire.Word, g *fold.Grant) {
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

// decidedHere reports whether a decision is the one that stands here, or this registry
// has made another since the list.
func (t *taking) decidedHere(w *wire.Word, g *fold.Grant) bool {
	same := slices.ContainsFunc(g.Words, func(k fold.Word) bool {
		return k.Op == w.Op && k.Proof == w.Proof && k.At == w.At && k.Until == w.Until && k.Cause == w.Cause
	})
	return same || t.later(g, func(c wire.Change) bool {
		return c.Proof == wire.ProofRegistry && (c.Op == wire.OpNotice || c.Op == wire.OpWithdraw)
	})
}

// said reports whether this database has a word as an event.
func (t *taking) said(w *wire.Word) bool {
	return slices.ContainsFunc(t.b.Tenancies.Events[w.Grant], func(e fold.Event) bool {
		return e.OfRegistry() == (w.Proof == wire.ProofRegistry) && e.Change.Op == w.Op && e.Change.At == w.At &&
			(len(w.Cards) == 0 || slices.Contains(e.Change.Credentials, w.Cards[0]))
	})
}

// noticeUntil is a list's word on a notice that ends a grant at a time; nil: there is none.
func noticeUntil(m *wire.Manifest, grant wire.ID, until uint32) *wire.Word {
	i := slices.IndexFunc(m.Words, func(w wire.Word) bool { return w.Grant == grant && w.Op == wire.OpNotice && w.Until == until })
	if i < 0 {
		return nil
	}
	return &m.Words[i]
}

// shorten makes a grant end where the list's rows do, if that is earlier and nothing
// was said of it since.
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

// wordless says what a list can't say: nothing of notices in the first format, and
// not all of them where the list's capacity for them was used up.
func wordless(m *wire.Manifest) string {
	const decide = "; where the registry had upheld or rejected one, it is to be decided again: registryd tenancies shows which are disputed, " +
		"registryd dispute settle TENANCY decides"
	used, largest := 0, 0
	for i := range m.Words {
		used, largest = used+m.Words[i].Size(), max(largest, m.Words[i].Size())
	}
	switch {
	case m.Format != wire.LogFormat:
		return ". It is of the first format and does not say how notices stand: they stand as the building has recorded them" + decide
	case used+cmp.Or(largest, fold.MaxWordBytes) > fold.MaxWordBytes:
		return ". It may not say of all notices how they stand, for want of room: the others stand as the building has recorded them" + decide
	}
	return ""
}
