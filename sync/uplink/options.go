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
	// Publish returns nil when the message was handed on, which is no delivery; it gives up when
	// ctx ends.
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

// Records are the tenancy records of this gateway's desk and of its siblings. All methods are safe
// for concurrent use.
type Records interface {
	Head() (line, number uint64)                // newest own record; 0, 0: none
	Pending() []Pending                         // own records that are not at the registry, in order
	Stored(line, number uint64)                 // the registry has the own records through number
	Safe(line, number uint64)                   // the registry can't lose these; called before Stored
	Behind(line, number uint64) (renew bool)    // the registry has only these: what it lost is pending again
	Renew(line, number uint64) error            // the registry's numbering differs: begin a new line
	Hear(gateway string, envelope []byte) error // takes a sibling's record whose signature is not verified yet
	Unsettled() (own [][]byte, have []wire.ID)  // envelopes of own records, and ids of all siblings' records
	Siblings() [][]byte                         // envelopes of siblings' records that no list has settled, in order
}

// Options of an Uplink. Records, Fresh, Checkpoint, Software, Zone and Batch are optional.
type Options struct {
	Link     Link
	Place    wire.Place // of this gateway
	Registry string     // its name, as its notes are signed
	Journal  entries.Journal
	Keyring  Keyring
	Records  Records
	Key      ed25519.PrivateKey     // of the gateway
	Clock    func() journaled.Stamp // for the hello; never for a decision
	// Fresh takes a signed time that can't be a replay, and reports whether it contradicts what the
	// gateway knows; then the registry is asked again soon.
	Fresh func(SignedTime) (apart bool)
	// TakeBack is told that two issuers have revoked a signed time; nil: unused.
	TakeBack func(wire.Floor)
	// Briefs takes the issuer's list of tenancies whom logs name for a shorter time; nil: it is refused.
	Briefs   func(envelope []byte) error
	Software string              // version, at most 64 bytes
	Zone     string              // time zone of the building
	Batch    int                 // entries of a message at most; 0: 700
	Gather   time.Duration       // how long entries wait for others that are stored in the same moment; 0: not at all
	Roll     time.Duration       // mean period of rolls; 0: 10 minutes
	Borrow   time.Duration       // how long a gateway without a list waits for its siblings'; 0: 10 minutes
	Spread   func(time.Duration) // takes the registry's limit for the wait before the next reconnect; nil: unused
	Formats  uint64              // wire formats 1 to this one are spoken; 0: all that this program knows
	// Chance returns a random duration below limit (above 0), so that the gateways of a city do not
	// speak at once; nil: uniform.
	Chance func(limit time.Duration) time.Duration
	Log    zerolog.Logger
}
