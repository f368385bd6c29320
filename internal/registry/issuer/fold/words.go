package fold

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// A list says besides its rows what a gateway may have missed, or only the registry
// knows: the newest word on a notice, and which cards were confirmed or suspended.

// MaxWordBytes is how much of a manifest these may take; of more, the newest stand
// there. A notice takes 49 bytes, a confirmed card of two forms 85.
const MaxWordBytes = 6 << 10

func (g *Grant) say(n int, w wire.Word) { g.Words = append(g.Words, Word{w, n}) }

// wordsOnNotice says how a notice on the grant stands. Times are those of the
// gateways' own changes, by which their desks know what they have heard.
func (g *Grant) wordsOnNotice(n *notices) {
	if l := n.landlord; l != nil && l.Change.Op == wire.OpNotice {
		g.say(l.Arrival, wire.Word{Op: wire.OpNotice, Proof: wire.ProofLandlord, At: l.Change.At, Until: l.ends(), Cause: l.Change.Cause})
		if d := n.dispute; d != nil {
			g.say(d.Arrival, wire.Word{Op: wire.OpDispute, Proof: d.Change.Proof, At: max(d.Change.At, l.Change.At+1)})
		}
	} else if l != nil {
		g.say(l.Arrival, wire.Word{Op: wire.OpWithdraw, Proof: wire.ProofLandlord, At: max(l.Change.At, n.given)})
	}
	if r := n.registry; r != nil {
		g.say(r.Arrival, wire.Word{Op: r.Change.Op, Proof: wire.ProofRegistry, At: cmp.Or(n.decided, r.Change.At), Until: r.Change.Until, Cause: r.Change.Cause})
	}
}

// wordsOnCards says which cards the registry has confirmed: they were there, and it
// has named them again.
func (g *Grant) wordsOnCards(sorted []Event, cards map[wire.CredentialID]cardState) {
	for i := range sorted {
		e := &sorted[i]
		if !e.OfRegistry() || e.Change.Op != wire.OpBind || len(e.Change.Credentials) == 0 || cards[e.Change.Credentials[0]].by == e {
			continue
		}
		ids := slices.Clone(e.Change.Credentials)
		slices.SortFunc(ids, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
		g.say(e.Arrival, wire.Word{Op: wire.OpBind, Proof: wire.ProofRegistry, At: e.Change.At, Cards: slices.Compact(ids)})
	}
}

// wordsOnStops says which cards the registry has suspended that a desk has, too: of
// these a desk would take it for its own affair to bring them back.
func (g *Grant) wordsOnStops(sorted []Event, cards map[wire.CredentialID]cardState) {
	desks := make(map[wire.CredentialID]bool)
	for i := range sorted {
		for _, c := range sorted[i].Change.Credentials {
			desks[c] = desks[c] || sorted[i].Change.Op == wire.OpSuspend && sorted[i].Source != ""
		}
	}
	brought := make(map[wire.CredentialID]bool) // after the event
	for _, e := range slices.Backward(sorted) {
		var ids []wire.CredentialID
		for _, c := range e.Change.Credentials {
			brought[c] = brought[c] || e.Change.Op == wire.OpResume
			if e.Change.Op == wire.OpSuspend && e.OfRegistry() && desks[c] && cards[c].suspended && !brought[c] {
				ids = append(ids, c)
				brought[c] = true // one word is enough
			}
		}
		if len(ids) > 0 {
			slices.SortFunc(ids, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
			g.say(e.Arrival, wire.Word{Op: wire.OpSuspend, Proof: wire.ProofRegistry, At: e.Change.At, Cards: slices.Compact(ids)})
		}
	}
}
