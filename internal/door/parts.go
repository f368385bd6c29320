package door

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// Recorder keeps records. Append returns nil when the record is durable; when
// ctx ends or the disk is sick it returns an error, and the record stays
// queued. Queue does not wait. Both are safe for concurrent use.
type Recorder interface {
	Append(context.Context, wire.Header, wire.Who) (wire.Ref, error)
	Queue(wire.Header, wire.Who) wire.Ref
}

// Keys is what the door asks of the grants. Safe for concurrent use.
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
	// Use makes a pass worthless, once it has opened a door; false: it was already.
	Use(Pass) bool
}

// Codes decides on one-time codes that are typed without a card. Safe for concurrent use.
type Codes interface {
	// Open may take a second. A code that it grants is used up, also over a power cut,
	// when it returns.
	Open(door, reader string, typed device.PIN, now access.Time) Admission
}

// Admission is the answer to somebody who shows without a card who it is.
type Admission struct {
	Reason   wire.Reason // ReasonGranted, or why not
	Who      wire.Who    // nobody where nobody knows
	Detail   []byte      // of the entry of a grant
	Doubtful bool        // only doubt about the time holds the tenancy's term open
}

// Pass is what a scanned code is good for.
type Pass struct {
	ID     wire.ID     // its mark; zero where the code is no pass
	Who    wire.Who    // nobody where the code is no pass
	Reason wire.Reason // ReasonGranted, or why not
	// Doubtful: only doubt about the time holds the tenancy's term open.
	Doubtful bool
}

// Reader is what the door knows of one reader.
type Reader struct {
	ID        string
	Direction wire.Direction // DirectionOut: on the inside, releases without a decision
	// Once: the reader tells of a card once for each time that it is held up. Others
	// repeat one that rests there, so that each repetition puts off its end.
	Once bool
	// PIN asks for the tenancy's PIN after a card. Who has none here is let in by
	// the card alone: a rule of the door locks no resident out.
	PIN bool
	// Codes takes one-time codes without a card at the reader's keys.
	Codes bool
}

// Config of one door.
type Config struct {
	ID       string
	Rules    Rules
	FailSafe bool          // de-energised the door is released: that is how it is left
	Budget   time.Duration // longest wait for a record before the door opens anyway
	Hold     time.Duration // the same card seen again within this is one presentation
	Readers  []Reader
	Fire     Fire // at the start
	// Listening: another controller decides at the door. Its readers' cards are learned,
	// and nothing is driven, decided, shown or recorded as a passage.
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

// Fire is the state of the fire input as a door finds it at its start.
type Fire struct {
	Active  bool // the line is active
	Seen    bool // it was, at one look
	Blind   bool // the line can't be read
	Latched bool // it was active, and nobody on site has reset it
}

// Typed is a PIN at a reader's keys.
type Typed struct {
	Door, Reader string
	PIN          device.PIN
}

// Seen is what a card was, for those who wait for one (registration, adopt).
type Seen struct {
	Door, Reader string
	Card         device.Card
	Credential   wire.CredentialID
	Reason       wire.Reason
	Held         bool   // it is still there from before, and has had this answer
	Openeds      uint64 // how often the door was opened by then, where it has a contact
}

// Parts are what a Door works with; all are needed but Monotonic and Tick, and PINs, Codes and
// Passes where no reader asks for them.
type Parts struct {
	Lock     device.Lock
	Recorder Recorder
	Keys     Keys
	Clock    func() access.Time
	// Monotonic is the clock of Event.At; without it no card is too old.
	Monotonic func() time.Duration
	Events    <-chan device.Event
	// Watch is told of every card before anything is done about it. True: it was
	// taken for registration, and the door stays as it is. It must not block.
	Watch func(Seen) bool
	// Typed is told of every PIN likewise. True: it was typed for the desk.
	Typed  func(Typed) bool
	PINs   PINs
	Codes  Codes
	Passes Passes
	// Show tells people at a reader (empty: at all of the door's) what became of
	// their card. That it was granted the Recorder tells, which knows whose it was.
	// It must not block.
	Show func(reader string, f device.Feedback)
	// Tick is called each time that the loop goes round, once the lock is driven; nil:
	// nobody is. It must not block.
	Tick func()
	Log  zerolog.Logger
}

// staleAfter is how old a card may be when its door gets to it.
const staleAfter = 2 * time.Second

// isStale reports whether a card was read so long ago that whoever held it may
// be gone: it waited in the kernel while this process hung.
func (p Parts) isStale(e device.Event) bool {
	return e.At != 0 && p.Monotonic != nil && p.Monotonic()-e.At > staleAfter
}

// Status is what people see of a door. Values are not changed once published.
type Status struct {
	State     State
	Released  bool // what the lock was last told
	Open      bool
	ExitSince time.Time // the exit input is active since; zero: it is not
	Latched   bool
	FireLine  bool
	LockErr   string
	Devices   map[string]DeviceStatus // by reader or input
}

// DeviceStatus is what people see of a reader or input.
type DeviceStatus struct {
	Online bool
	Fault  fault.Code // the one that is there, or why it is out of order, or the last one
	Lasts  bool       // the fault is there, at a reader that works
	At     time.Time  // of the fault, or of the change
}
