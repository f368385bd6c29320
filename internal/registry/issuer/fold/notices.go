package fold

import (
	"gatehouse/sync/wire"
)

// foldNotice works out whether and when a notice ends the grant. One by the
// registry holds whoever objects.
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

// notices are what was said of ending a grant.
type notices struct {
	landlord *Event // the newest that no decision has settled: a notice or its withdrawal
	dispute  *Event // likewise
	registry *Event // the newest decision
	given    uint32 // unix s: when the newest of the landlord's notices was given, by its gateway's clock
	decided  uint32 // likewise the newest of all that a decision has settled
	read     uint32 // likewise through when a decision that was read from a list has settled all
}

// decision is what the operator has decided on the newest notice; empty: nothing.
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
		return // read from a list before its record came: when it was heard of first counts
	}
	if n.landlord == nil || n.landlord.At < e.At || op == wire.OpWithdraw || n.landlord.Change.Op == wire.OpNotice {
		n.landlord = e // the latest; at the same second a withdrawal
	}
}
