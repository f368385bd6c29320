// Package fold computes the state of a tenancy's grant from all events of gateways and operators: a
// set of events has one meaning, in whatever order they came.
//
// It is pure: no store, no clock, no list. The time for which a state is computed is an argument.
// Contradictions are a problem of the grant, in words, and no error.
package fold

import (
	"bytes"
	"slices"

	"gatehouse/sync/wire"
)

// Of computes a grant. It does not depend on the order of events.
//
// An end beats all. Of suspend and resume of one card the later wins, at the same second the
// suspension. An objection, which may be the only word that the tenant has, holds until the
// operator decides, whatever the clocks of two gateways say of their order.
func Of(id wire.ID, events []Event) *Grant {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b Event) int { return a.compare(&b) })
	g := &Grant{ID: id}
	if len(sorted) == 0 {
		return g
	}
	cards := foldCards(sorted)
	g.registersOfCards(sorted, cards)
	g.registersOfStops(sorted, cards)
	for i := range sorted {
		g.take(&sorted[i], cards)
	}
	if !g.Known {
		g.Problems = append(g.Problems, "no check-in has come for it yet")
	}
	notices := g.foldNotice(sorted)
	g.registersOfNotice(&notices)
	if g.Tenancy = sorted[0].Change.Tenancy; g.Known {
		g.Tenancy = g.CheckIn.Change.Tenancy
	}
	for _, e := range sorted {
		if e.Change.Tenancy != g.Tenancy {
			g.Problems = append(g.Problems, e.Change.Op.String()+" names another tenancy")
		}
	}
	for c, s := range cards {
		if s.by != nil {
			g.Cards = append(g.Cards, Card{c, s.suspended, s.unproven, s.by})
		}
	}
	slices.SortFunc(g.Cards, func(a, b Card) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return g
}

// take applies events in order: the grant's beginning and end, and cards that it does not have.
func (g *Grant) take(e *Event, cards map[wire.CredentialID]cardState) {
	switch {
	case e.Change.Op == wire.OpCheckIn && (!g.Known || g.CheckIn.ReadOff()):
		g.Known, g.CheckIn = true, *e
	case e.Change.Op == wire.OpCheckIn && e.ReadOff():
	case e.Change.Op == wire.OpCheckIn:
		g.Problems = append(g.Problems, "checked in twice; the cards of both open")
	case e.Change.Op == wire.OpEnd && !g.Ended:
		g.Ended, g.End = true, *e
	}
	for _, c := range e.Change.Credentials {
		if e.Change.Op == wire.OpSuspend && cards[c].by == nil {
			g.Problems = append(g.Problems, "a card was suspended that the grant does not have")
		}
	}
}

// cardState is the state of a credential while its grant is folded.
type cardState struct {
	by        *Event // nil: the grant does not have it
	suspended bool
	unproven  bool
}

func foldCards(sorted []Event) map[wire.CredentialID]cardState {
	type change struct {
		at        uint32
		suspended bool
	}
	cards, latest := make(map[wire.CredentialID]cardState), make(map[wire.CredentialID]change)
	for i := range sorted {
		e := &sorted[i]
		for _, c := range e.Change.Credentials {
			s := cards[c]
			switch e.Change.Op {
			case wire.OpCheckIn, wire.OpBind:
				if unproven := e.Unproven(); s.by == nil || !unproven {
					s.unproven = unproven
				}
				if e.brought(s.by) {
					s.by = e
				}
			case wire.OpSuspend:
				if !e.Settled {
					latest[c] = change{e.At, true} // sorted by time: later or the same second
				}
			case wire.OpResume:
				if w := latest[c]; !w.suspended || w.at < e.At {
					latest[c] = change{e.At, false}
				}
			}
			cards[c] = s
		}
	}
	for c, w := range latest {
		s := cards[c]
		s.suspended = w.suspended
		cards[c] = s
	}
	return cards
}
