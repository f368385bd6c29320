// Package fold works out what a tenancy's grant is from all that gateways and operators
// have said of it: a set of events has one meaning, in whatever order they came.
//
// It is pure: no store, no clock, no list. It refuses to let a moment decide: times are
// what the events say, and the time at which a state is asked for is an argument. What
// does not fit together is a problem of the grant, in words, and no error.
package fold

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// Event is one change that was taken in, of a gateway or of the operator. A set
// of events has one meaning, in whatever order they came.
type Event struct {
	Record  wire.ID // of the change
	Source  string  // gateway; empty: the operator
	At      uint32  // unix s: when, never before an earlier one of the same line
	Change  wire.Change
	Person  wire.Hash // of a check-in: SHA-256 of the sealed person; zeros: none
	Arrival int       // order of arrival in the building
	Line    uint64    // where it stood first; 0: the operator's
	Number  uint64    // in this line
	Settled bool      // a notice, objection or withdrawal that the operator has decided on, or a suspension that he has lifted since
	// Least is of a notice: unix s, it ends nothing before, whatever its own date; 0: it was
	// heard before this was kept. Of the registry's decision that was read from a list: unix s,
	// through then it has settled what was said at the building, whenever that comes.
	Least uint32
}

// MaxCards of one change.
const MaxCards = 16

// UnknownFlat stands in a check-in that was read from a list: that has no flats.
const UnknownFlat = "?"

// ReadOff reports whether a check-in was read from a list: the gateway's record, if it
// comes, says more.
func (e *Event) ReadOff() bool { return e.Source == "" && e.Change.Flat == UnknownFlat }

// Unproven reports whether e names cards without saying that they prove their tenant:
// on the landlord's word, or read from a list, whose rows don't say on whose.
func (e *Event) Unproven() bool {
	return e.ReadOff() || e.Change.Op == wire.OpBind && e.Change.Proof == wire.ProofLandlord
}

func (e *Event) compare(o *Event) int {
	return cmp.Or(cmp.Compare(e.At, o.At), cmp.Compare(e.Source, o.Source), bytes.Compare(e.Record[:], o.Record[:]))
}

// Card is a credential under a grant.
type Card struct {
	ID        wire.CredentialID
	Suspended bool
	Unproven  bool   // it came on the landlord's word, or was read from a list, and nobody else has named it
	By        *Event // that brought it; its check-in, if that names it
}

// Grant is what the events of one grant add up to.
type Grant struct {
	ID       wire.ID
	Tenancy  wire.ID // that of its check-in; while that has not come, of another event
	Known    bool    // its check-in has come
	CheckIn  Event
	Cards    []Card // ascending
	Ended    bool
	End      Event  // the first that ended it
	Notice   uint32 // unix s: it ends then, by a notice in force; 0: none
	Given    bool   // a notice of the landlord's stands, whether disputed or not
	Ends     uint32 // unix s: when that would end it; 0: none stands
	Disputed bool   // an objection waits for the operator
	Decided  string // what the operator has decided on the newest notice; empty: nothing
	Through  uint32 // unix s, by the gateways' clocks: what was said of notices until then is decided; 0: nothing is
	Words    []Word // what a list says of it besides its rows
	Problems []string
}

// States of a tenancy.
const (
	StateActive    = "active"
	StateNotice    = "notice"
	StateSuspended = "suspended"
	StateDisputed  = "disputed"
	StateEnded     = "ended"
	StateNotBegun  = "not_begun" // for people alone: its first day is still to come
)

// Of works out a grant. It does not depend on the order of events.
//
// An end beats all. Of suspend and resume of one card the later wins, at the
// same second the suspension. An objection holds until the operator decides,
// whatever the clocks of two gateways say of what came first: it may be the only
// word that the tenant has.
func Of(id wire.ID, events []Event) *Grant {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b Event) int { return a.compare(&b) })
	g := &Grant{ID: id}
	if len(sorted) == 0 {
		return g
	}
	cards := foldCards(sorted)
	g.wordsOnCards(sorted, cards)
	g.wordsOnStops(sorted, cards)
	for i := range sorted {
		e := &sorted[i]
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
	if !g.Known {
		g.Problems = append(g.Problems, "no check-in has come for it yet")
	}
	g.foldNotice(sorted)
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

// cardState is what is known of a credential while its grant is folded.
type cardState struct {
	by        *Event // nil: the grant does not have it
	suspended bool
	unproven  bool
}

// brought reports whether e, rather than by, brought a card: a check-in before
// whatever bound it too, and then what came first.
func (e *Event) brought(by *Event) bool {
	if by == nil || (e.Change.Op == wire.OpCheckIn) != (by.Change.Op == wire.OpCheckIn) {
		return by == nil || e.Change.Op == wire.OpCheckIn
	}
	return e.Arrival < by.Arrival
}

func foldCards(sorted []Event) map[wire.CredentialID]cardState {
	type word struct {
		at        uint32
		suspended bool
	}
	cards, words := make(map[wire.CredentialID]cardState), make(map[wire.CredentialID]word)
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
				if e.Settled {
					break
				}
				words[c] = word{e.At, true} // sorted by time: later or the same second
			case wire.OpResume:
				if w := words[c]; !w.suspended || w.at < e.At {
					words[c] = word{e.At, false}
				}
			}
			cards[c] = s
		}
	}
	for c, w := range words {
		s := cards[c]
		s.suspended = w.suspended
		cards[c] = s
	}
	return cards
}

// foldNotice works out whether and when a notice ends the grant. One by the
// registry holds whoever objects.
func (g *Grant) foldNotice(sorted []Event) {
	var n notices
	for i := range sorted {
		if e := &sorted[i]; e.OfRegistry() && (e.Change.Op == wire.OpNotice || e.Change.Op == wire.OpWithdraw) {
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
	switch {
	case n.registry == nil || g.Given:
	case n.registry.Change.Op == wire.OpNotice:
		g.Decided = DecidedUpheld
	default:
		g.Decided = DecidedRejected
	}
	g.wordsOnNotice(&n)
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

// hear takes one event after the other, sorted.
func (n *notices) hear(e *Event) {
	op := e.Change.Op
	switch {
	case op != wire.OpNotice && op != wire.OpWithdraw && op != wire.OpDispute:
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

// OfRegistry reports whether an event is the registry's own word. One that was read
// from a list may be the landlord's.
func (e *Event) OfRegistry() bool { return e.Source == "" && e.Change.Proof == wire.ProofRegistry }

// ends is when a notice of the landlord's ends a grant: at its date, but no earlier
// than its days after the registry heard of it. So a date that a wrong clock has made
// shortens nothing.
func (e *Event) ends() uint32 { return max(e.Change.Until, e.Least) }

// Until is when the grant stops opening, unix s; 0: no end.
func (g *Grant) Until() uint32 {
	until := g.CheckIn.Change.Until
	if g.Notice != 0 && (until == 0 || g.Notice < until) {
		until = g.Notice
	}
	return until
}

// Over is when the grant is over for people, who read it beside its state: where it was
// ended before its time, then; 0: no end.
func (g *Grant) Over() uint32 {
	until := g.Until()
	if at := g.End.Change.At; g.Ended && (until == 0 || at < until) {
		return at
	}
	return until
}

// State is that of the grant at a time.
func (g *Grant) State(now uint32) string {
	until := g.Until()
	switch {
	case g.Ended || until != 0 && until <= now:
		return StateEnded
	case g.Given && g.Disputed:
		return StateDisputed
	case g.Notice != 0:
		return StateNotice
	case len(g.Cards) > 0 && !slices.ContainsFunc(g.Cards, func(c Card) bool { return !c.Suspended }):
		return StateSuspended
	}
	return StateActive
}

// Lines are the grant's records of a list for these cards (nil: all); set is the
// index of its doors.
func (g *Grant) Lines(set uint16, cards []wire.CredentialID) []wire.Grant {
	if !g.Known {
		return nil
	}
	c := &g.CheckIn.Change
	line := wire.Grant{ID: g.ID, Tenancy: c.Tenancy, Kind: c.Kind, DoorSet: set, From: c.From, Until: g.Until()}
	if line.Until != 0 && line.Until <= line.From {
		line.From = line.Until - 1 // a list holds no grant that ends before it begins
	}
	lines := make([]wire.Grant, 0, len(g.Cards))
	for _, card := range g.Cards {
		if cards != nil && !slices.Contains(cards, card.ID) {
			continue
		}
		line.Credential, line.State = card.ID, wire.GrantActive
		switch {
		case g.Ended:
			line.State = wire.GrantRevoked
		case card.Suspended:
			line.State = wire.GrantSuspended
		}
		lines = append(lines, line)
	}
	return lines
}

// ByClock reports whether an event is the end of a term as earlier versions stored
// it, by the registry's clock alone. It counts for nothing: whether the term is over
// is worked out.
func (e *Event) ByClock() bool {
	return e.Source == "" && e.Change.Op == wire.OpEnd && e.Change.Proof == wire.ProofTerm
}

// Has reports whether the grant has all these cards.
func (g *Grant) Has(cards []wire.CredentialID) bool {
	return !slices.ContainsFunc(cards, func(c wire.CredentialID) bool {
		return !slices.ContainsFunc(g.Cards, func(k Card) bool { return k.ID == c })
	})
}
