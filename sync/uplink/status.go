package uplink

import (
	"sync"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// State is the state of an uplink in one word.
type State string

const (
	StateDown     State = "down"            // the link is
	StateGreeting State = "greeting"        // no hello of this connection is answered yet
	StateSending  State = "sending"         // entries wait to be confirmed
	StateUnproved State = "list not proved" // the newest list is not active here, or not on disk
	StateInStep   State = "in step"         // the registry has all entries, and its list is active
)

// Status is the state of an uplink at one moment.
type Status struct {
	State    State
	Since    time.Time
	Stored   journaled.Position // all before it is at the registry
	Behind   uint64             // entries that are not, of the newest epoch
	LastAck  time.Time          // on this connection or an earlier one; zero: never
	Problem  wire.Reason        // why the alarm is raised; ReasonNone: it is not
	Quiet    bool               // the alarm came of entries alone: it says when somebody came, and is not for owners
	List     uint64             // newest version that the registry named
	Withheld time.Time          // since when List is named and not active; zero: it is
	Records  int                // tenancy records that the registry has not stored
	// KeyNowhere reports that this gateway lacks the building key, and that all others have said
	// since the start that they lack it too.
	KeyNowhere bool
	Refused    uint64    // messages since the start
	Refusals   []Refusal // the kinds of the last hour
}

// display holds the newest status.
type display struct {
	mu sync.Mutex
	s  Status
}

func (d *display) status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.s
}

// show stores the status; Since is the time of the last change of State.
func (d *display) show(s Status, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Since = d.s.Since; s.State != d.s.State {
		s.Since = now
	}
	d.s = s
}
