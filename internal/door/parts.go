package door

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Recorder records entries. Safe for concurrent use; no method waits, and none reads what a header or a who
// part points to once it has returned.
type Recorder interface {
	// Record sends the outcome of the record to written, once: it is durable, or can't be made so in time and
	// stays queued. The channel has room. An error says that at once, and written gets nothing then.
	Record(h wire.Header, who wire.Who, written chan<- journaled.Written) (wire.Ref, error)
	// Late says that the door waits no longer for a record, which stays queued: the disk is slow.
	// False: its outcome has been sent.
	Late(wire.Ref) bool
	// Queue records what nobody waits for.
	Queue(wire.Header, wire.Who) wire.Ref
}

// Keys is what the door needs of the grants. Safe for concurrent use.
type Keys interface {
	Grants() *access.Grants
	Identify(device.Card) (wire.CredentialID, error) // error: no building key
	Anonymous(device.Card) wire.CredentialID         // under a key that lasts a day
}

// PINs checks the PINs of tenancies. Safe for concurrent use.
type PINs interface {
	// HasPIN reports at once whether the tenancy has a PIN here.
	HasPIN(tenancy wire.ID) bool
	// CheckPIN may take a second. An error means that it could not be checked.
	CheckPIN(who wire.Who, pin device.PIN) (bool, error)
}

// Passes decides on scanned codes. Safe for concurrent use.
type Passes interface {
	Decide(code device.Code, door string, now access.Time) Pass
	// Use marks a pass as used, once it has opened a door; false: it was used before.
	Use(Pass) bool
}

// Codes decides on codes of this gateway that open without a card: one-time codes and those
// of guests, typed or scanned. Safe for concurrent use.
type Codes interface {
	// Scanned returns the digits of a scanned code; false: it is none of these.
	Scanned(device.Code) (device.PIN, bool)
	// Open decides on the digits of a code and may take a second. A granted code that opens once
	// is used up when it returns, also after a power cut.
	Open(door, reader string, typed device.PIN, now access.Time) Admission
}

// Admission is the decision on somebody who shows who it is without a card.
type Admission struct {
	Reason   wire.Reason // ReasonGranted, or why not
	Who      wire.Who    // nobody where nobody knows
	Detail   []byte      // of the entry of a grant
	Doubtful bool        // only doubt about the time keeps the tenancy's term open
}

// Pass is the decision on a scanned code.
type Pass struct {
	ID     wire.ID     // zero where the code is no pass
	Who    wire.Who    // nobody where the code is no pass
	Reason wire.Reason // ReasonGranted, or why not
	// Doubtful: only doubt about the time keeps the tenancy's term open.
	Doubtful bool
}

// Reader is what the door knows of one reader.
type Reader struct {
	ID        string
	Direction wire.Direction // DirectionOut: on the inside, releases without a decision
	// Once: the reader reports a card once each time that it is held up. Other readers repeat a
	// resting card, so that each repetition extends the hold time.
	Once bool
	// Apart: the reader's own driver tells one presentation of a card from the next, so that a card
	// is never told of twice while it rests there. One that comes back is answered, however soon.
	Apart bool
	// PIN asks for the tenancy's PIN after a card. Tenants without a PIN here are let in by the
	// card alone, so that a rule of the door locks no resident out.
	PIN bool
	// Codes takes one-time and guest codes at the reader's keys, without a card.
	Codes bool
}

// Config of one door.
type Config struct {
	ID       string
	Rules    Rules
	FailSafe bool          // de-energised the door is released, and is left so
	Budget   time.Duration // longest wait for a record before the door opens without it
	Hold     time.Duration // the same card seen again within this is one presentation
	Readers  []Reader
	Fire     Fire // at the start
	// Listening: another controller decides at the door. Cards at its readers are learned, and
	// nothing is driven, decided, shown or recorded as a passage.
	Listening bool
	Tick      time.Duration // longest time between two ticks; 0: any
}

func (c Config) reader(id string) Reader {
	for _, r := range c.Readers {
		if r.ID == id {
			return r
		}
	}
	return Reader{ID: id, Direction: wire.DirectionIn}
}

// Fire is the state of the fire input at the start of a door.
type Fire struct {
	Active  bool // the line is active
	Seen    bool // it was, at one look
	Blind   bool // the line can't be read
	Latched bool // it was active, and nobody on site has reset it
}

// Typed is a PIN that was typed at a reader.
type Typed struct {
	Door, Reader string
	PIN          device.PIN
}

// Seen is a card with its answer, for those who wait for one (registration, adopt).
type Seen struct {
	Door, Reader string
	Card         device.Card
	Credential   wire.CredentialID
	Reason       wire.Reason
	Held         bool   // it has rested there since before, and has had this answer
	Openeds      uint64 // number of openings by the contact until then
}

// Parts are the dependencies of a Door. Monotonic and Tick are optional, as are PINs, Codes and
// Passes where no reader asks for them.
type Parts struct {
	Lock     device.Lock
	Recorder Recorder
	Keys     Keys
	Clock    func() access.Time
	// Monotonic is the clock of Event.At; without it no card is stale.
	Monotonic func() time.Duration
	Events    <-chan device.Event
	// Watch is called with every card before anything is done about it. True: it was taken for
	// registration, and the door stays as it is. It must not block.
	Watch func(Seen) bool
	// Typed is called with every PIN likewise. True: it was typed for the desk.
	Typed  func(Typed) bool
	PINs   PINs
	Codes  Codes
	Passes Passes
	// Show shows people at a reader (empty: at all of the door's) the answer to their card, but for a
	// grant. It must not block.
	Show func(reader string, f device.Feedback)
	// Granted is called with each grant once the lock has been driven: it shows it, since it knows whose it
	// was. The error is that of its record. It must not block, nor keep what the who part points to.
	Granted func(h wire.Header, who wire.Who, ref wire.Ref, err error)
	// Tick is called each time that the loop goes round, once the lock is driven; nil: unused. It
	// must not block.
	Tick func()
	Log  zerolog.Logger
}

// staleAfter is the age from which a card is not acted on.
const staleAfter = 2 * time.Second

// isStale reports whether a card was read so long ago that its holder may be gone: it waited in the
// kernel while this process hung.
func (p Parts) isStale(e device.Event) bool {
	return e.At != 0 && p.Monotonic != nil && p.Monotonic()-e.At > staleAfter
}

// Status is the state of a door as people see it. Published values are not changed.
type Status struct {
	State     State
	Released  bool // what the lock was last told
	Open      bool
	ExitSince time.Time // since when the exit input is active; zero: it is not
	Latched   bool
	FireLine  bool
	LockErr   string
	Devices   map[string]DeviceStatus // by reader or input
}

// DeviceStatus is the state of a reader or input as people see it.
type DeviceStatus struct {
	Online bool
	Fault  fault.Code // the present fault, or the cause of being offline, or the last fault
	Lasts  bool       // the fault is present, at a reader that works
	At     time.Time  // of the fault, or of the change
}

// shown is a status that others read. It is copied, since a new one at each step would be garbage.
type shown struct {
	mu sync.Mutex
	s  Status
}

func (s *shown) get() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s
}

func (s *shown) set(now Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s = now
}
