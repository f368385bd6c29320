package fold

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// Card is a credential under a grant.
type Card struct {
	ID        wire.CredentialID
	Suspended bool
	Unproven  bool   // it came on the landlord's word, or was read from a list, and nobody else has named it
	By        *Event // the event that brought it; its check-in, if that names it
}

// Grant is the result of the events of one grant.
type Grant struct {
	ID        wire.ID
	Tenancy   wire.ID // that of its check-in; before that has come, of another event
	Known     bool    // its check-in has come
	CheckIn   Event
	Cards     []Card // ascending
	Ended     bool
	End       Event      // the first that ended it
	Notice    uint32     // unix s: end by an active notice; 0: none
	Given     bool       // there is a notice of the landlord's, disputed or not
	Ends      uint32     // unix s: end by that notice; 0: none
	Disputed  bool       // an objection waits for the operator
	Decided   string     // the operator's decision on the newest notice; empty: none
	Through   uint32     // unix s, by the gateways' clocks: changes of notices until then are decided; 0: none are
	Registers []Register // what a list says of it besides its rows
	Problems  []string
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

// Over returns when the grant is over for people, who read it beside its state: if it was ended
// before its time, that moment; 0: no end.
func (g *Grant) Over() uint32 {
	until := g.Until()
	if at := g.End.Change.At; g.Ended && (until == 0 || at < until) {
		return at
	}
	return until
}

// State returns the state of the grant at a time.
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

// Lines returns the grant's rows of a list for these cards (nil: all); set is the index of its
// doors.
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

// The operator's decisions on a notice.
const (
	DecidedUpheld   = "upheld"
	DecidedRejected = "rejected"
)

// Register is a wire.Register, and how new it is.
type Register struct {
	wire.Register
	Arrival int // of the event in the building
}

// Event is one change by a gateway or the operator. A set of events has one meaning, in whatever
// order they came.
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
	// Least is, of a notice, unix s: it ends nothing before that, whatever its own date; 0: it was
	// received before this was stored. Of a registry's decision read from a list, unix s: it has
	// settled what was said at the building until then, whenever that arrives.
	Least uint32
}

// MaxCards of one change.
const MaxCards = 16

// UnknownFlat is the flat of a check-in that was read from a list, which has no flats.
const UnknownFlat = "?"

// ReadOff reports whether a check-in was read from a list: the gateway's record, if it comes, says
// more.
func (e *Event) ReadOff() bool { return e.Source == "" && e.Change.Flat == UnknownFlat }

// Unproven reports whether e names cards that do not prove their tenant: they came on the
// landlord's word, or were read from a list, whose rows don't say on whose word.
func (e *Event) Unproven() bool {
	return e.ReadOff() || e.Change.Op == wire.OpBind && e.Change.Proof == wire.ProofLandlord
}

func (e *Event) compare(o *Event) int {
	return cmp.Or(cmp.Compare(e.At, o.At), cmp.Compare(e.Source, o.Source), bytes.Compare(e.Record[:], o.Record[:]))
}

// brought reports whether e, rather than by, brought a card: a check-in goes before any bind, then
// the first goes.
func (e *Event) brought(by *Event) bool {
	if by == nil || (e.Change.Op == wire.OpCheckIn) != (by.Change.Op == wire.OpCheckIn) {
		return by == nil || e.Change.Op == wire.OpCheckIn
	}
	return e.Arrival < by.Arrival
}

// OnNotice reports whether an event is a notice, its withdrawal, or an objection.
func (e *Event) OnNotice() bool {
	return e.Change.Op == wire.OpNotice || e.Change.Op == wire.OpWithdraw || e.Change.Op == wire.OpDispute
}

// OfRegistry reports whether an event is the registry's own word. One that was read from a list may
// be the landlord's.
func (e *Event) OfRegistry() bool { return e.Source == "" && e.Change.Proof == wire.ProofRegistry }

// ends returns when a notice of the landlord's ends a grant: at its date, but no earlier than its
// days after the registry received it. So a date that a wrong clock has made shortens nothing.
func (e *Event) ends() uint32 { return max(e.Change.Until, e.Least) }

// ByClock reports whether an event is the end of a term as earlier versions stored it, by the
// registry's clock alone. It does not count: whether the term is over is computed.
func (e *Event) ByClock() bool {
	return e.Source == "" && e.Change.Op == wire.OpEnd && e.Change.Proof == wire.ProofTerm
}
