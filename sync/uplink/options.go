package uplink

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Link carries bytes to topics and may lose them; *mqtt.Link is one. All
// methods are called by one goroutine.
type Link interface {
	// Publish gives up when ctx ends. Nil means that it was handed on, no more.
	Publish(ctx context.Context, topic string, payload []byte) error
	Messages() <-chan mqtt.Message
	// State says whether the link is up; changed is closed when that changes.
	State() (up bool, changed <-chan struct{})
}

// Pending is a tenancy record that the registry has not stored yet.
type Pending struct {
	Line, Number uint64
	Envelope     []byte
	Person       []byte // sealed; empty: none
}

// Records are the tenancy records made at this gateway's desk, and those that
// it hears from its siblings.
type Records interface {
	Head() (line, number uint64)                // newest of its own; 0, 0: none
	Pending() []Pending                         // its own that are not at the registry, in order
	Stored(line, number uint64)                 // the registry has them through number
	Safe(line, number uint64)                   // and can't lose these: called before Stored
	Behind(line, number uint64) (renew bool)    // the registry has no more: what it had and lost is pending again
	Renew(line, number uint64) error            // the registry's numbering is another: begin a new line
	Hear(gateway string, envelope []byte) error // a sibling's record, its signature not judged yet
	Unsettled() (own [][]byte, have []wire.ID)  // envelopes of its own; ids of all of siblings'
	Siblings() [][]byte                         // envelopes of siblings' that no list has settled, in order
}

// Options of an Uplink. Records, Fresh, Checkpoint, Software, Zone and Batch may be
// missing.
type Options struct {
	Link     Link
	Place    wire.Place // of this gateway
	Registry string     // its name, as its notes are signed
	Journal  entries.Journal
	Keyring  Keyring
	Records  Records
	Key      ed25519.PrivateKey     // the gateway's
	Clock    func() journaled.Stamp // for the hello; never for a decision
	// Fresh takes a signed time that can't be an old one, and reports whether it is
	// against what the gateway knows; then the registry is asked again soon.
	Fresh func(SignedTime) (apart bool)
	// TakeBack hears that two issuers have taken back a time that was signed; nil:
	// nobody minds.
	TakeBack   func(wire.Floor)
	Checkpoint string              // file of the newest cosigned checkpoint
	Software   string              // version, at most 64 bytes
	Zone       string              // time zone of the building
	Batch      int                 // entries of a message at most; 0: 700
	Gather     time.Duration       // how long entries wait for others that are stored in the same moment; 0: not at all
	Roll       time.Duration       // between two rolls, roughly; 0: 10 minutes
	Borrow     time.Duration       // how long a gateway without a list waits for its siblings'; 0: 10 minutes
	Spread     func(time.Duration) // what the registry wishes for the wait before the next reconnect; nil: nobody minds
	Formats    uint64              // wire formats that it speaks, 1 to this one; 0: all that this program knows
	// Chance returns a time by chance below a limit above 0, so that a city does
	// not speak at once; nil: any.
	Chance func(limit time.Duration) time.Duration
	Log    zerolog.Logger
}
