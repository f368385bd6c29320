package fold

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// foldNotice computes whether and when a notice ends the grant. One by the registry holds whoever
// objects.
func (g *Grant) foldNotice(sorted []Event) (n notices) {
	for i := range sorted {
		if e := &sorted[i]; e.OfRegistry() && e.OnNotice() && e.Change.Op != wire.OpDispute {
			n.read = max(n.read, e.Least)
		}
	}
	n.decided = n.read
	for i := range sorted {
		n.hear(&sorted[i])
	}
	g.Through = n.decided
	g.Given, g.Disputed = n.landlord != nil && n.landlord.Change.Op == wire.OpNotice, n.dispute != nil
	if g.Given {
		g.Ends = n.landlord.ends()
	}
	if !g.Disputed {
		g.Notice = g.Ends
	}
	if n.registry != nil && n.registry.Change.Op == wire.OpNotice && (g.Notice == 0 || n.registry.Change.Until < g.Notice) {
		g.Notice = n.registry.Change.Until
	}
	g.Decided = n.decision()
	return n
}

// notices are the events about ending a grant.
type notices struct {
	landlord *Event // the newest that no decision has settled: a notice or its withdrawal
	dispute  *Event // the newest objection that no decision has settled
	registry *Event // the newest decision
	given    uint32 // unix s: when the landlord's newest notice was given, by its gateway's clock
	decided  uint32 // unix s, likewise: the newest event that a decision has settled
	read     uint32 // unix s, likewise: until when a decision that was read from a list has settled all
}

// decision returns the operator's decision on the newest notice; empty: none.
func (n *notices) decision() string {
	switch {
	case n.registry == nil, n.landlord != nil && n.landlord.Change.Op == wire.OpNotice:
		return ""
	case n.registry.Change.Op == wire.OpNotice:
		return DecidedUpheld
	}
	return DecidedRejected
}

// hear takes one event after the other, sorted.
func (n *notices) hear(e *Event) {
	op := e.Change.Op
	switch {
	case !e.OnNotice():
		return
	case e.OfRegistry():
		n.registry = e // sorted: the latest
		return
	case e.Settled, e.Change.At <= n.read:
		n.decided = max(n.decided, e.Change.At)
		return
	case op == wire.OpDispute:
		n.dispute = e
		return
	case op == wire.OpNotice:
		n.given = max(n.given, e.Change.At)
	}
	if n.landlord != nil && op == wire.OpNotice && n.landlord.Change.Op == op && n.landlord.Change.At == e.Change.At {
		return // read from a list before its record came: the time of the first arrival counts
	}
	if n.landlord == nil || n.landlord.At < e.At || op == wire.OpWithdraw || n.landlord.Change.Op == wire.OpNotice {
		n.landlord = e // the latest; at the same second a withdrawal
	}
}

// Registers in a list, besides its rows, carry what a gateway may have missed, or only the registry
// knows: the newest state of a notice, and which cards were confirmed or suspended.

// MaxRegisterBytes is the most that they take of a manifest; the newest ones fit first. A notice takes
// 49 bytes, a confirmed card of two forms 85.
const MaxRegisterBytes = 6 << 10

func (g *Grant) say(n int, w wire.Register) { g.Registers = append(g.Registers, Register{w, n}) }

// sayCards adds the registers for the registry's event about cards.
func (g *Grant) sayCards(e *Event, ids []wire.CredentialID) {
	slices.SortFunc(ids, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
	g.say(e.Arrival, wire.Register{Op: e.Change.Op, Proof: wire.ProofRegistry, At: e.Change.At, Cards: slices.Compact(ids)})
}

// registersOfNotice adds the registers for the state of a notice on the grant. Times are those of the
// gateways' own changes, by which their desks recognise what they have heard.
func (g *Grant) registersOfNotice(n *notices) {
	if l := n.landlord; l != nil && l.Change.Op == wire.OpNotice {
		g.say(l.Arrival, wire.Register{Op: wire.OpNotice, Proof: wire.ProofLandlord, At: l.Change.At, Until: l.ends(), Cause: l.Change.Cause})
		if d := n.dispute; d != nil {
			g.say(d.Arrival, wire.Register{Op: wire.OpDispute, Proof: d.Change.Proof, At: max(d.Change.At, l.Change.At+1)})
		}
	} else if l != nil {
		g.say(l.Arrival, wire.Register{Op: wire.OpWithdraw, Proof: wire.ProofLandlord, At: max(l.Change.At, n.given)})
	}
	if r := n.registry; r != nil {
		g.say(r.Arrival, wire.Register{Op: r.Change.Op, Proof: wire.ProofRegistry, At: cmp.Or(n.decided, r.Change.At), Until: r.Change.Until, Cause: r.Change.Cause})
	}
}

// registersOfCards adds the registers for cards that the registry has confirmed: they were there, and it
// has named them again.
func (g *Grant) registersOfCards(sorted []Event, cards map[wire.CredentialID]cardState) {
	for i := range sorted {
		e := &sorted[i]
		if !e.OfRegistry() || e.Change.Op != wire.OpBind || len(e.Change.Credentials) == 0 || cards[e.Change.Credentials[0]].by == e {
			continue
		}
		g.sayCards(e, slices.Clone(e.Change.Credentials))
	}
}

// registersOfStops adds the registers for cards that both the registry and a desk have suspended, because a
// desk would otherwise bring them back by itself.
func (g *Grant) registersOfStops(sorted []Event, cards map[wire.CredentialID]cardState) {
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
				brought[c] = true // one register is enough
			}
		}
		if len(ids) > 0 {
			g.sayCards(&e, ids)
		}
	}
}
