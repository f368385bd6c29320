package issuer

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// event is one change that was taken in, of a gateway or of the operator. A set
// of events has one meaning, in whatever order they came.
type event struct {
	record  wire.ID // of the change
	source  string  // gateway; empty: the operator
	at      uint32  // unix s: when, never before an earlier one of the same line
	change  wire.Change
	person  wire.Hash // of a check-in: SHA-256 of the sealed person; zeros: none
	n       int       // order of arrival in the building
	line    uint64    // where it stood first; 0: the operator's
	number  uint64    // in this line
	settled bool      // a notice, objection or withdrawal that the operator has decided on, or a suspension that he has lifted since
	// least is of a notice: unix s, it ends nothing before, whatever its own date; 0: it was
	// heard before this was kept. Of the registry's decision that was read from a list: unix s,
	// through then it has settled what was said at the building, whenever that comes.
	least uint32
}

// readOff reports whether a check-in was read from a list: the gateway's record, if it
// comes, says more.
func (e *event) readOff() bool { return e.source == "" && e.change.Flat == unknownFlat }

// unproven reports whether e names cards without saying that they prove their tenant:
// on the landlord's word, or read from a list, whose rows don't say on whose.
func (e *event) unproven() bool {
	return e.readOff() || e.change.Op == wire.OpBind && e.change.Proof == wire.ProofLandlord
}

func (e *event) compare(o *event) int {
	return cmp.Or(cmp.Compare(e.at, o.at), cmp.Compare(e.source, o.source), bytes.Compare(e.record[:], o.record[:]))
}

// card is a credential under a grant.
type card struct {
	id        wire.CredentialID
	suspended bool
	unproven  bool   // it came on the landlord's word, or was read from a list, and nobody else has named it
	by        *event // that brought it; its check-in, if that names it
}

// grant is what the events of one grant add up to.
type grant struct {
	id       wire.ID
	tenancy  wire.ID // that of its check-in; while that has not come, of another event
	known    bool    // its check-in has come
	checkIn  event
	cards    []card // ascending
	ended    bool
	end      event  // the first that ended it
	notice   uint32 // unix s: it ends then, by a notice in force; 0: none
	given    bool   // a notice of the landlord's stands, whether disputed or not
	ends     uint32 // unix s: when that would end it; 0: none stands
	disputed bool   // an objection waits for the operator
	decided  string // what the operator has decided on the newest notice; empty: nothing
	through  uint32 // unix s, by the gateways' clocks: what was said of notices until then is decided; 0: nothing is
	words    []word // what a list says of it besides its rows
	problems []string
}

// States of a tenancy.
const (
	stateActive    = "active"
	stateNotice    = "notice"
	stateSuspended = "suspended"
	stateDisputed  = "disputed"
	stateEnded     = "ended"
	stateNotBegun  = "not_begun" // for people alone: its first day is still to come
)

// fold works out a grant. It does not depend on the order of events.
//
// An end beats all. Of suspend and resume of one card the later wins, at the
// same second the suspension. An objection holds until the operator decides,
// whatever the clocks of two gateways say of what came first: it may be the only
// word that the tenant has.
func fold(id wire.ID, events []event) *grant {
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b event) int { return a.compare(&b) })
	g := &grant{id: id}
	if len(sorted) == 0 {
		return g
	}
	cards := foldCards(sorted)
	g.wordsOnCards(sorted, cards)
	g.wordsOnStops(sorted, cards)
	for i := range sorted {
		e := &sorted[i]
		switch {
		case e.change.Op == wire.OpCheckIn && (!g.known || g.checkIn.readOff()):
			g.known, g.checkIn = true, *e
		case e.change.Op == wire.OpCheckIn && e.readOff():
		case e.change.Op == wire.OpCheckIn:
			g.problems = append(g.problems, "checked in twice; the cards of both open")
		case e.change.Op == wire.OpEnd && !g.ended:
			g.ended, g.end = true, *e
		}
		for _, c := range e.change.Credentials {
			if e.change.Op == wire.OpSuspend && cards[c].by == nil {
				g.problems = append(g.problems, "a card was suspended that the grant does not have")
			}
		}
	}
	if !g.known {
		g.problems = append(g.problems, "no check-in has come for it yet")
	}
	g.foldNotice(sorted)
	if g.tenancy = sorted[0].change.Tenancy; g.known {
		g.tenancy = g.checkIn.change.Tenancy
	}
	for _, e := range sorted {
		if e.change.Tenancy != g.tenancy {
			g.problems = append(g.problems, e.change.Op.String()+" names another tenancy")
		}
	}
	for c, s := range cards {
		if s.by != nil {
			g.cards = append(g.cards, card{c, s.suspended, s.unproven, s.by})
		}
	}
	slices.SortFunc(g.cards, func(a, b card) int { return bytes.Compare(a.id[:], b.id[:]) })
	return g
}

// cardState is what is known of a credential while its grant is folded.
type cardState struct {
	by        *event // nil: the grant does not have it
	suspended bool
	unproven  bool
}

// brought reports whether e, rather than by, brought a card: a check-in before
// whatever bound it too, and then what came first.
func (e *event) brought(by *event) bool {
	if by == nil || (e.change.Op == wire.OpCheckIn) != (by.change.Op == wire.OpCheckIn) {
		return by == nil || e.change.Op == wire.OpCheckIn
	}
	return e.n < by.n
}

func foldCards(sorted []event) map[wire.CredentialID]cardState {
	type word struct {
		at        uint32
		suspended bool
	}
	cards, words := make(map[wire.CredentialID]cardState), make(map[wire.CredentialID]word)
	for i := range sorted {
		e := &sorted[i]
		for _, c := range e.change.Credentials {
			s := cards[c]
			switch e.change.Op {
			case wire.OpCheckIn, wire.OpBind:
				if unproven := e.unproven(); s.by == nil || !unproven {
					s.unproven = unproven
				}
				if e.brought(s.by) {
					s.by = e
				}
			case wire.OpSuspend:
				if e.settled {
					break
				}
				words[c] = word{e.at, true} // sorted by time: later or the same second
			case wire.OpResume:
				if w := words[c]; !w.suspended || w.at < e.at {
					words[c] = word{e.at, false}
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
func (g *grant) foldNotice(sorted []event) {
	var n notices
	for i := range sorted {
		if e := &sorted[i]; e.ofRegistry() && (e.change.Op == wire.OpNotice || e.change.Op == wire.OpWithdraw) {
			n.read = max(n.read, e.least)
		}
	}
	n.decided = n.read
	for i := range sorted {
		n.hear(&sorted[i])
	}
	g.through = n.decided
	g.given, g.disputed = n.landlord != nil && n.landlord.change.Op == wire.OpNotice, n.dispute != nil
	if g.given {
		g.ends = n.landlord.ends()
	}
	if !g.disputed {
		g.notice = g.ends
	}
	if n.registry != nil && n.registry.change.Op == wire.OpNotice && (g.notice == 0 || n.registry.change.Until < g.notice) {
		g.notice = n.registry.change.Until
	}
	switch {
	case n.registry == nil || g.given:
	case n.registry.change.Op == wire.OpNotice:
		g.decided = decidedUpheld
	default:
		g.decided = decidedRejected
	}
	g.wordsOnNotice(&n)
}

// notices are what was said of ending a grant.
type notices struct {
	landlord *event // the newest that no decision has settled: a notice or its withdrawal
	dispute  *event // likewise
	registry *event // the newest decision
	given    uint32 // unix s: when the newest of the landlord's notices was given, by its gateway's clock
	decided  uint32 // likewise the newest of all that a decision has settled
	read     uint32 // likewise through when a decision that was read from a list has settled all
}

// hear takes one event after the other, sorted.
func (n *notices) hear(e *event) {
	op := e.change.Op
	switch {
	case op != wire.OpNotice && op != wire.OpWithdraw && op != wire.OpDispute:
		return
	case e.ofRegistry():
		n.registry = e // sorted: the latest
		return
	case e.settled, e.change.At <= n.read:
		n.decided = max(n.decided, e.change.At)
		return
	case op == wire.OpDispute:
		n.dispute = e
		return
	case op == wire.OpNotice:
		n.given = max(n.given, e.change.At)
	}
	if n.landlord != nil && op == wire.OpNotice && n.landlord.change.Op == op && n.landlord.change.At == e.change.At {
		return // read from a list before its record came: when it was heard of first counts
	}
	if n.landlord == nil || n.landlord.at < e.at || op == wire.OpWithdraw || n.landlord.change.Op == wire.OpNotice {
		n.landlord = e // the latest; at the same second a withdrawal
	}
}

// ofRegistry reports whether an event is the registry's own word. One that was read
// from a list may be the landlord's.
func (e *event) ofRegistry() bool { return e.source == "" && e.change.Proof == wire.ProofRegistry }

// ends is when a notice of the landlord's ends a grant: at its date, but no earlier
// than its days after the registry heard of it. So a date that a wrong clock has made
// shortens nothing.
func (e *event) ends() uint32 { return max(e.change.Until, e.least) }

// until is when the grant stops opening, unix s; 0: no end.
func (g *grant) until() uint32 {
	until := g.checkIn.change.Until
	if g.notice != 0 && (until == 0 || g.notice < until) {
		until = g.notice
	}
	return until
}

// over is when the grant is over for people, who read it beside its state: where it was
// ended before its time, then; 0: no end.
func (g *grant) over() uint32 {
	until := g.until()
	if at := g.end.change.At; g.ended && (until == 0 || at < until) {
		return at
	}
	return until
}

// state is that of the grant at a time.
func (g *grant) state(now uint32) string {
	until := g.until()
	switch {
	case g.ended || until != 0 && until <= now:
		return stateEnded
	case g.given && g.disputed:
		return stateDisputed
	case g.notice != 0:
		return stateNotice
	case len(g.cards) > 0 && !slices.ContainsFunc(g.cards, func(c card) bool { return !c.suspended }):
		return stateSuspended
	}
	return stateActive
}

// lines are the grant's records of a list for these cards (nil: all); set is the
// index of its doors.
func (g *grant) lines(set uint16, cards []wire.CredentialID) []wire.Grant {
	if !g.known {
		return nil
	}
	c := &g.checkIn.change
	line := wire.Grant{ID: g.id, Tenancy: c.Tenancy, Kind: c.Kind, DoorSet: set, From: c.From, Until: g.until()}
	if line.Until != 0 && line.Until <= line.From {
		line.From = line.Until - 1 // a list holds no grant that ends before it begins
	}
	lines := make([]wire.Grant, 0, len(g.cards))
	for _, card := range g.cards {
		if cards != nil && !slices.Contains(cards, card.id) {
			continue
		}
		line.Credential, line.State = card.id, wire.GrantActive
		switch {
		case g.ended:
			line.State = wire.GrantRevoked
		case card.suspended:
			line.State = wire.GrantSuspended
		}
		lines = append(lines, line)
	}
	return lines
}
