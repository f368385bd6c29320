// Package access says who may open what, and when: an immutable snapshot of a
// building's grants (Grants) and one pure function over it (Decide).
//
// It refuses everything that could make an answer depend on the moment: it
// does no I/O, reads no clock, writes no log and imports nothing of ours. Time,
// and whether it can be trusted, are arguments. What it does not understand
// does not open. All types are safe for concurrent use once made.
package access

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

// Query is one card at one door.
type Query struct {
	Credential CredentialID
	Door       string
	Now        int64 // wall clock, unix s
	Trusted    bool  // Now was set by something that knows the time
	Floor      int64 // highest signed time ever seen, unix s: it is not earlier than this
}

// Decision is the answer, and the record that it rests on. Grant and Tenancy
// are zero where no record names the credential.
type Decision struct {
	Reason  Reason
	Kind    Kind
	Grant   ID
	Tenancy ID
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
// With a trusted clock the time is the later of Now and Floor. Without one, a
// resident, staff or brigade record ends only when Floor is past its end, and
// is taken to have begun: nobody is locked out because a board woke in 1970. A
// visitor's start or end that Floor has not settled is clock untrusted.
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
			best = Decision{reason, r.Kind, r.Grant, r.Tenancy}
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
	case q.Trusted:
		return within(r, max(q.Now, q.Floor))
	case r.Kind == KindVisitor:
		return visitorByFloor(r, q.Floor)
	case r.Until != 0 && q.Floor >= int64(r.Until):
		return ReasonExpired
	}
	return ReasonGranted
}

// within judges by a time that can be trusted.
func within(r *Record, now int64) Reason {
	switch {
	case r.Until != 0 && now >= int64(r.Until):
		return ReasonExpired
	case now < int64(r.From):
		return ReasonNotYet
	}
	return ReasonGranted
}

// visitorByFloor judges a visitor when all we know is that it is not earlier
// than the floor.
func visitorByFloor(r *Record, floor int64) Reason {
	switch {
	case r.Until != 0 && floor >= int64(r.Until):
		return ReasonExpired
	case r.Until != 0 || floor < int64(r.From):
		return ReasonClockUntrusted
	}
	return ReasonGranted
}
