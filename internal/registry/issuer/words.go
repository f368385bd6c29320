package issuer

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// A list says besides its rows what a gateway may have missed, or only the registry
// knows: the newest word on a notice, and which cards were confirmed or suspended.

// maxWordBytes is how much of a manifest these may take; of more, the newest stand
// there. A notice takes 49 bytes, a confirmed card of two forms 85.
const maxWordBytes = 6 << 10

// What the operator can have decided on a notice.
const (
	decidedUpheld   = "upheld"
	decidedRejected = "rejected"
)

// word is a wire.Word, and how new it is.
type word struct {
	wire.Word
	n int // of the event in the building
}

func (g *grant) say(n int, w wire.Word) { g.words = append(g.words, word{w, n}) }

// wordsOnNotice says how a notice on the grant stands. Times are those of the
// gateways' own changes, by which their desks know what they have heard.
func (g *grant) wordsOnNotice(n *notices) {
	if l := n.landlord; l != nil && l.change.Op == wire.OpNotice {
		g.say(l.n, wire.Word{Op: wire.OpNotice, Proof: wire.ProofLandlord, At: l.change.At, Until: l.ends(), Cause: l.change.Cause})
		if d := n.dispute; d != nil {
			g.say(d.n, wire.Word{Op: wire.OpDispute, Proof: d.change.Proof, At: max(d.change.At, l.change.At+1)})
		}
	} else if l != nil {
		g.say(l.n, wire.Word{Op: wire.OpWithdraw, Proof: wire.ProofLandlord, At: max(l.change.At, n.given)})
	}
	if r := n.registry; r != nil {
		g.say(r.n, wire.Word{Op: r.change.Op, Proof: wire.ProofRegistry, At: cmp.Or(n.decided, r.change.At), Until: r.change.Until, Cause: r.change.Cause})
	}
}

// wordsOnCards says which cards the registry has confirmed: they were there, and it
// has named them again.
func (g *grant) wordsOnCards(sorted []event, cards map[wire.CredentialID]cardState) {
	for i := range sorted {
		e := &sorted[i]
		if !e.ofRegistry() || e.change.Op != wire.OpBind || len(e.change.Credentials) == 0 || cards[e.change.Credentials[0]].by == e {
			continue
		}
		ids := slices.Clone(e.change.Credentials)
		slices.SortFunc(ids, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
		g.say(e.n, wire.Word{Op: wire.OpBind, Proof: wire.ProofRegistry, At: e.change.At, Cards: slices.Compact(ids)})
	}
}

// wordsOnStops says which cards the registry has suspended that a desk has, too: of
// these a desk would take it for its own affair to bring them back.
func (g *grant) wordsOnStops(sorted []event, cards map[wire.CredentialID]cardState) {
	desks := make(map[wire.CredentialID]bool)
	for i := range sorted {
		for _, c := range sorted[i].change.Credentials {
			desks[c] = desks[c] || sorted[i].change.Op == wire.OpSuspend && sorted[i].source != ""
		}
	}
	brought := make(map[wire.CredentialID]bool) // after the event
	for _, e := range slices.Backward(sorted) {
		var ids []wire.CredentialID
		for _, c := range e.change.Credentials {
			brought[c] = brought[c] || e.change.Op == wire.OpResume
			if e.change.Op == wire.OpSuspend && e.ofRegistry() && desks[c] && cards[c].suspended && !brought[c] {
				ids = append(ids, c)
				brought[c] = true // one word is enough
			}
		}
		if len(ids) > 0 {
			slices.SortFunc(ids, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
			g.say(e.n, wire.Word{Op: wire.OpSuspend, Proof: wire.ProofRegistry, At: e.change.At, Cards: slices.Compact(ids)})
		}
	}
}

// words are those on the grants of a list, the newest as far as there is room.
func (b *building) words(grants []wire.Grant, room int) (words []wire.Word) {
	var all []word
	done := make(map[wire.ID]bool)
	for i := range grants {
		g := b.grants[grants[i].ID]
		if g == nil || g.ended || done[g.id] {
			continue
		}
		done[g.id] = true
		for _, w := range g.words {
			w.Grant, w.Tenancy = g.id, g.tenancy
			w.Cards = append([]wire.CredentialID{}, w.Cards...)
			if w.Check() == nil {
				all = append(all, w)
			}
		}
	}
	slices.SortFunc(all, func(v, w word) int { return cmp.Or(cmp.Compare(w.n, v.n), v.Compare(&w.Word)) })
	for _, w := range all {
		if room -= w.Size(); room < 0 {
			break
		}
		words = append(words, w.Word)
	}
	slices.SortFunc(words, func(v, w wire.Word) int { return v.Compare(&w) })
	return slices.CompactFunc(words, func(v, w wire.Word) bool { return v.Compare(&w) == 0 })
}
