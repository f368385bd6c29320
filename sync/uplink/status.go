package uplink

import (
	"crypto/ed25519"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// State of an uplink in one word.
type State string

// The states.
const (
	StateDown     State = "down"            // the link is
	StateGreeting State = "greeting"        // no hello of this connection is answered yet
	StateSending  State = "sending"         // entries wait to be confirmed
	StateUnproved State = "list not proved" // the newest list is not in force here, or not on disk
	StateInStep   State = "in step"         // the registry has all that is here, and its list is in force
)

// Status is how the uplink is.
type Status struct {
	State    State
	Since    time.Time
	Stored   journal.Position // all before it is at the registry
	Behind   uint64           // entries that are not, of the newest epoch
	LastAck  time.Time        // of this connection or one before; zero: never
	Problem  wire.Reason      // why the alarm is raised; ReasonNone: it is not
	Quiet    bool             // the alarm came of entries alone: it says when somebody came, and is not for owners
	List     uint64           // newest version that the registry named
	Withheld time.Time        // since when it is named and not in force; zero: it is
	Records  int              // tenancy records that the registry has not stored
	Refused  uint64           // messages since the start
	Refusals []Refusal        // the kinds of the last hour
}

// Status returns how the uplink is now. Safe for concurrent use.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	s := u.s
	u.mu.Unlock()
	head := u.o.Journal.Status().Position
	s.Behind = head.Sequence
	if s.Stored.Epoch == head.Epoch {
		s.Behind -= min(head.Sequence, s.Stored.Sequence)
	}
	return s
}

// report shows the state to Status.
func (a *actor) report() {
	state := StateInStep
	switch {
	case !a.connection.up:
		state = StateDown
	case a.connection.phase == greeting:
		state = StateGreeting
	case !a.fetching.lacking.IsZero(), a.authority.proving.unproved != 0:
		state = StateUnproved
	case !a.connection.agrees(), len(a.sending.flight) > 0: // a hello said anew follows an entry that is not confirmed in time
		state = StateSending
	}
	a.u.mu.Lock()
	defer a.u.mu.Unlock()
	s := &a.u.s
	if s.State != state {
		s.State, s.Since = state, time.Now()
	}
	s.Stored, s.LastAck, s.Problem, s.Quiet = a.sending.cursor, a.connection.lastAck, a.alarm.raised, a.alarm.quiet
	s.List, s.Withheld, s.Records, s.Refused = a.fetching.named.list.number, a.fetching.lacking, len(a.deliveries.waiting), a.refusals.total
	s.Refusals = a.refusals.list()
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	return ed25519.PublicKey(key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
}
