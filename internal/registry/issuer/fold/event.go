package fold

import (
	"bytes"
	"cmp"

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

// brought reports whether e, rather than by, brought a card: a check-in before
// whatever bound it too, and then what came first.
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

// OfRegistry reports whether an event is the registry's own word. One that was read
// from a list may be the landlord's.
func (e *Event) OfRegistry() bool { return e.Source == "" && e.Change.Proof == wire.ProofRegistry }

// ends is when a notice of the landlord's ends a grant: at its date, but no earlier
// than its days after the registry heard of it. So a date that a wrong clock has made
// shortens nothing.
func (e *Event) ends() uint32 { return max(e.Change.Until, e.Least) }

// ByClock reports whether an event is the end of a term as earlier versions stored
// it, by the registry's clock alone. It counts for nothing: whether the term is over
// is worked out.
func (e *Event) ByClock() bool {
	return e.Source == "" && e.Change.Op == wire.OpEnd && e.Change.Proof == wire.ProofTerm
}
