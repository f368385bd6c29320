// Package access says who may open what, and when: an immutable snapshot of a
// building's grants (Grants) and one pure function over it (Decide).
//
// It refuses everything that could make an answer depend on the moment: it
// does no I/O, reads no clock, writes no log and imports nothing of ours. Time is
// an argument: the interval in which it lies. What it does not understand does
// not open. All types are safe for concurrent use once made.
package access

import "math"

// CredentialID names a card within its building: the number of the building's
// key, then 16 bytes of HMAC-SHA256 over the card's bits.
type CredentialID [17]byte

// ID is a random 128-bit name of a grant or a tenancy.
type ID [16]byte

// Kind says whose grant it is; it decides what an unsure clock means.
type Kind uint8

// The kinds of grants.
const (
	KindResident Kind = 1 // lives here: an unsure clock never locks them out
	KindStaff    Kind = 2 // cleaner, caretaker: as a resident
	KindVisitor  Kind = 3 // never without a clock that can tell the end
	KindBrigade  Kind = 4 // fire brigade: as a resident
)

// State says whether a grant opens at all.
type State uint8

// The states of a credential under a grant.
const (
	StateActive    State = 1
	StateSuspended State = 2 // a lost card, a dispute: can come back
	StateRevoked   State = 3 // for good
)

// Reason is the answer to a swipe. The numbers are those of the journal.
type Reason uint16

// The reasons of decisions.
const (
	ReasonGranted        Reason = 1
	ReasonUnknown        Reason = 2 // no grant names this credential
	ReasonWrongDoor      Reason = 3
	ReasonNotYet         Reason = 4
	ReasonExpired        Reason = 5
	ReasonSuspended      Reason = 6
	ReasonRevoked        Reason = 7
	ReasonClockUntrusted Reason = 8 // a visitor, and nobody knows what time it is
	ReasonNotReady       Reason = 9 // no list, or a record that this program is too old for
)

// Record is what one credential may do under one grant. A grant with several
// credentials has several records; a credential may stand in several grants.
// It is 64 bytes.
type Record struct {
	Credential CredentialID
	Grant      ID
	Tenancy    ID
	Kind       Kind
	State      State
	DoorSet    uint16 // index into Doors.Sets
	Schedule   uint16 // 0: at all hours; nothing else is understood yet
	From       uint32 // unix s, inclusive; 0: since ever
	Until      uint32 // unix s, exclusive; 0: no end
}

// Time is what is known of the time, unix s. No single clock says it.
type Time struct {
	Sure int64 // has certainly come: residents end by this alone
	Lo   int64 // visitors: it is not earlier
	Hi   int64 // and not later; Unknown where nobody can tell
}

// Unknown is the Hi of a Time that nobody knows.
const Unknown = math.MaxInt64

// At is the time where it is known to the second.
func At(unix int64) Time { return Time{unix, unix, unix} }

// Query is one card at one door.
type Query struct {
	Credential CredentialID
	Door       string
	Time       Time
}

// Decision is the answer, and the record that it rests on. Grant and Tenancy
// are zero where no record names the credential.
type Decision struct {
	Reason  Reason
	Kind    Kind
	Grant   ID
	Tenancy ID
	// Doubtful is a granted resident, staff or brigade whose term may be over:
	// only doubt about the time holds it open.
	Doubtful bool
}

// Decide answers a query. It allocates nothing.
//
// Each record of the credential runs through the checks in this order, and its
// reason is the first that fails: not ready (kind, state, schedule or door set
// not understood), revoked, suspended, wrong door, expired, not yet, clock
// untrusted. One record that passes them all opens. Otherwise the answer is
// that of the record that came furthest, the nearest to opening; of equals the
// first in their order. A credential in no record is unknown. Without grants
// the answer is not ready.
//
// A resident, staff or brigade record ends only when its end has certainly come
// (Sure), so no clock locks anybody out who lives here. It is taken to have begun,
// unless its start is more than 400 days after the latest time that it can be:
// no list and no record is that much older than what it says. A visitor's start
// must have come by all sources and the end by none; what they differ about is
// clock untrusted.
func Decide(g *Grants, q Query) Decision {
	if g == nil {
		return Decision{Reason: ReasonNotReady}
	}
	best := Decision{Reason: g.unknown}
	door, known := g.doors[q.Door]
	if !known {
		door = -1
	}
	records := g.buckets[q.Credential.index(g.bits)].find(&q.Credential)
	for i := range records {
		r := &records[i]
		reason := g.judge(r, door, q)
		if nearness[reason] > nearness[best.Reason] {
			best = decided(r, reason, q.Time)
		}
	}
	return best
}

// nearness ranks reasons by how far a record came through the checks.
var nearness = [...]uint8{
	ReasonUnknown:        0,
	ReasonNotReady:       1,
	ReasonRevoked:        2,
	ReasonSuspended:      3,
	ReasonWrongDoor:      4,
	ReasonExpired:        5,
	ReasonNotYet:         6,
	ReasonClockUntrusted: 7,
	ReasonGranted:        8,
}

func (g *Grants) judge(r *Record, door int, q Query) Reason {
	switch {
	case r.Kind < KindResident || r.Kind > KindBrigade || r.Schedule != 0 || int(r.DoorSet) >= len(g.sets):
		return ReasonNotReady
	case r.State == StateRevoked:
		return ReasonRevoked
	case r.State == StateSuspended:
		return ReasonSuspended
	case r.State != StateActive:
		return ReasonNotReady
	case !g.sets[r.DoorSet].has(door):
		return ReasonWrongDoor
	case r.Kind == KindVisitor:
		return visitor(r, q.Time)
	case r.Until != 0 && q.Time.Sure >= int64(r.Until):
		return ReasonExpired
	case q.Time.Hi < int64(r.From)-earliestStart:
		return ReasonNotYet
	}
	return ReasonGranted
}

// earliestStart is how long before its start a resident's grant opens, s.
const earliestStart = 400 * 24 * 60 * 60

// visitor judges by the whole interval.
func visitor(r *Record, t Time) Reason {
	switch {
	case r.Until != 0 && t.Lo >= int64(r.Until):
		return ReasonExpired
	case t.Hi < int64(r.From):
		return ReasonNotYet
	case t.Lo < int64(r.From), r.Until != 0 && t.Hi >= int64(r.Until):
		return ReasonClockUntrusted
	}
	return ReasonGranted
}

func decided(r *Record, reason Reason, t Time) Decision {
	return Decision{reason, r.Kind, r.Grant, r.Tenancy, reason == ReasonGranted && r.Until != 0 && t.Hi >= int64(r.Until)}
}
