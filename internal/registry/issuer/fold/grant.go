package fold

import (
	"slices"

	"gatehouse/sync/wire"
)

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
	Notice   uint32 // unix s: it ends then, by an active notice; 0: none
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

// Has reports whether the grant has all these cards.
func (g *Grant) Has(cards []wire.CredentialID) bool {
	return !slices.ContainsFunc(cards, func(c wire.CredentialID) bool {
		return !slices.ContainsFunc(g.Cards, func(k Card) bool { return k.ID == c })
	})
}

// What the operator can have decided on a notice.
const (
	DecidedUpheld   = "upheld"
	DecidedRejected = "rejected"
)

// Word is a wire.Word, and how new it is.
type Word struct {
	wire.Word
	Arrival int // of the event in the building
}
