// Package access says who may open what, and when: an immutable snapshot of a
// building's grants (Grants) and one pure function over it (Decide).
//
// It refuses everything that could make an answer depend on the moment: it
// does no I/O, reads no clock and writes no log. Its words are those of sync/wire.
// Time is an argument: the interval in which it lies. What it does not understand does
// not open. All types are safe for concurrent use once made.
package access

import (
	"math"

	"gatehouse/sync/wire"
)

// Time is the interval in which the time lies, unix s; no single clock gives it.
type Time struct {
	Sure int64 // has certainly come: only this ends residents' grants
	Lo   int64 // it is not earlier; for visitors
	Hi   int64 // and not later; Unknown where nobody can tell
}

// Unknown is the Hi of a Time without an upper bound.
const Unknown = math.MaxInt64

// At is the time where it is known to the second.
func At(unix int64) Time { return Time{unix, unix, unix} }

// Within judges a visitor's time: granted from its start (unix s; 0: at once) to its end
// (exclusive; 0: none) where all that is known of the time says so; expired, not yet, or
// clock untrusted where it differs.
func (t Time) Within(from, until uint32) wire.Reason {
	return visitor(&wire.Grant{From: from, Until: until}, t)
}

// Query is one card at one door.
type Query struct {
	Credential wire.CredentialID
	Door       string
	Time       Time
}

// Decision is the answer, and the record that it rests on. Grant and Tenancy
// are zero where no record names the credential.
type Decision struct {
	Reason  wire.Reason
	Kind    wire.GrantKind
	Grant   wire.ID
	Tenancy wire.ID
	// Doubtful marks a granted resident, staff or brigade whose term may be over: only doubt about
	// the time keeps it open.
	Doubtful bool
}

// Decide answers a query. It allocates nothing. The query is read where its caller made it: to copy
// one just made costs as much as the lookup.
//
// Each record of the credential runs through the checks in this order, and its reason
// is the first that fails: not ready (kind, state or door set not understood), revoked,
// suspended, wrong door, expired, not yet, clock untrusted. One record that passes them
// all opens. Otherwise the answer is that of the record that came furthest; of equals
// the first. A credential in no record is unknown; without grants the answer is not ready.
//
// A resident, staff or brigade record ends only when its end has certainly come (Sure),
// so no clock locks anybody out who lives here. It is taken to have begun, unless its
// start is more than 400 days after the latest time that it can be. A visitor's start
// must have come by all sources and the end by none; what they differ about is clock
// untrusted.
func Decide(g *Grants, q *Query) Decision {
	if g == nil {
		return Decision{Reason: wire.ReasonNotReady}
	}
	best, door := Decision{Reason: g.unknown}, g.door(q.Door)
	records := g.find(&q.Credential)
	for i := range records {
		g.weigh(&best, &records[i], door, q.Time)
	}
	return best
}

// DecideTenancy answers for a tenancy what Decide answers for a credential. The
// query's Credential does not count. It reads every record of the snapshot until one
// opens, 64 bytes each, and allocates nothing: a QR pass costs a signature as well,
// so an index would save nothing that anybody notices.
func DecideTenancy(g *Grants, tenancy wire.ID, q *Query) Decision {
	return DecideHome(g, tenancy, func(wire.CredentialID) bool { return false }, q)
}

// DecideHome answers for a tenancy whose tenant shows who it is without a card: as
// DecideTenancy, but a suspended record whose card is lost, as lost says, counts as
// active. Who has lost the card still lives here.
func DecideHome(g *Grants, tenancy wire.ID, lost func(wire.CredentialID) bool, q *Query) Decision {
	if g == nil {
		return Decision{Reason: wire.ReasonNotReady}
	}
	best, door := Decision{Reason: g.unknown}, g.door(q.Door)
	for _, b := range g.buckets { // by hand: All calls a function for each record, twice the time
		records := b.Records()
		for i := range records {
			if records[i].Tenancy != tenancy {
				continue
			}
			as := records[i]
			if as.State == wire.GrantSuspended && lost(as.Credential) {
				as.State = wire.GrantActive
			}
			if g.weigh(&best, &as, door, q.Time); best.Reason == wire.ReasonGranted {
				return best
			}
		}
	}
	return best
}

// weigh replaces the best decision so far by that of record r, if r is nearer to opening.
func (g *Grants) weigh(best *Decision, r *wire.Grant, door int, t Time) {
	reason := g.judge(r, door, t)
	if nearness(reason) > nearness(best.Reason) {
		*best = Decision{reason, r.Kind, r.ID, r.Tenancy, reason == wire.ReasonGranted && r.Until != 0 && t.Hi >= int64(r.Until)}
	}
}

// nearness is how many of the checks a record passed before it gave a reason; an unranked reason
// counts as the first.
func nearness(r wire.Reason) uint8 {
	if int(r) >= len(ranks) {
		return 0
	}
	return ranks[r]
}

var ranks = [...]uint8{
	wire.ReasonUnknown:        0,
	wire.ReasonNotReady:       1,
	wire.ReasonRevoked:        2,
	wire.ReasonSuspended:      3,
	wire.ReasonWrongDoor:      4,
	wire.ReasonExpired:        5,
	wire.ReasonNotYet:         6,
	wire.ReasonClockUntrusted: 7,
	wire.ReasonGranted:        8,
}

func (g *Grants) judge(r *wire.Grant, door int, t Time) wire.Reason {
	switch {
	case r.Kind < wire.GrantResident || r.Kind > wire.GrantBrigade || int(r.DoorSet) >= len(g.sets):
		return wire.ReasonNotReady
	case r.State == wire.GrantRevoked:
		return wire.ReasonRevoked
	case r.State == wire.GrantSuspended:
		return wire.ReasonSuspended
	case r.State != wire.GrantActive:
		return wire.ReasonNotReady
	case !g.sets[r.DoorSet].has(door):
		return wire.ReasonWrongDoor
	case r.Kind == wire.GrantVisitor:
		return visitor(r, t)
	case r.Until != 0 && t.Sure >= int64(r.Until):
		return wire.ReasonExpired
	case t.Hi < int64(r.From)-earliestStart:
		return wire.ReasonNotYet
	}
	return wire.ReasonGranted
}

// earliestStart is how long before its start a resident's grant opens, s.
const earliestStart = 400 * 24 * 60 * 60

// visitor judges a visitor's grant by the whole interval.
func visitor(r *wire.Grant, t Time) wire.Reason {
	switch {
	case r.Until != 0 && t.Lo >= int64(r.Until):
		return wire.ReasonExpired
	case t.Hi < int64(r.From):
		return wire.ReasonNotYet
	case t.Lo < int64(r.From), r.Until != 0 && t.Hi >= int64(r.Until):
		return wire.ReasonClockUntrusted
	}
	return wire.ReasonGranted
}
