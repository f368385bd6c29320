// Package uplink brings what a gateway has recorded to the registry exactly
// once, and the registry's lists, documents and acks back, over a link that is
// only transport: it may drop, repeat, reorder, delay, replay, or belong to an
// enemy. docs/protocol.md has the messages and their order.
//
// An entry counts as delivered when the registry's witness has signed that it
// is stored, with the root that this gateway computes itself; nothing else moves
// the cursor. What comes down is taken only with the right signature, type,
// role and address, and never older than what is in force.
//
// The package refuses to touch a door, to expire anything because the registry
// is silent, to delete an entry, and to keep a queue of its own: the journal is
// the queue. A silent registry is an entry and a problem in the status.
package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
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

// Keyring is the part of *keyring.Keyring that the uplink uses.
type Keyring interface {
	Registry() *keys.Registry
	Status() keyring.Status
	Missing(manifest []byte, p keyring.Proof) ([]wire.Hash, error)
	Apply(keyring.Update) error
	Holding() (keyring.Holding, error)
	Inherit(keyring.Holding) error
	SetTrust(envelope []byte) error
	SetHouse(envelope []byte) error
	ShareBuildingKey(kem []byte, address string) ([]byte, error)
	TakeBuildingKey(sealed []byte) error
	Floor() int64
	HighestSigned() wire.Floor
	Undo(envelope []byte) (wire.Floor, error)
	RaiseFloor(unix int64, epoch uint64) // a time that a witness of that epoch has signed
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
	Link    Link
	Journal *journal.Journal
	Keyring Keyring
	Records Records
	Key     ed25519.PrivateKey   // the gateway's
	Clock   func() journal.Stamp // for the hello; never for a decision
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

// Uplink talks to the registry. Make it with New, run it once with Run.
type Uplink struct {
	o Options

	mu         sync.Mutex
	s          Status
	connection [8]byte // of the nonces
}

// New prepares an uplink of an enrolled gateway; it starts nothing.
func New(o Options) (*Uplink, error) {
	if o.Link == nil || o.Journal == nil || o.Keyring == nil || o.Clock == nil || len(o.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("new uplink: link, journal, keyring, key and clock are needed")
	}
	r := o.Keyring.Registry()
	if r == nil {
		return nil, errors.New("new uplink: this gateway is not enrolled")
	}
	if err := r.Place.Check(); err != nil {
		return nil, fmt.Errorf("new uplink: %w", err)
	}
	if o.Batch <= 0 || o.Batch > wire.MaxBatch {
		o.Batch = batchEntries
	}
	if o.Borrow <= 0 {
		o.Borrow = agreeMost
	}
	if o.Chance == nil {
		o.Chance = rand.N[time.Duration]
	}
	if o.Roll <= 0 {
		o.Roll = rollEvery
	}
	if o.Formats == 0 || o.Formats > wire.Formats {
		o.Formats = wire.Formats
	}
	return &Uplink{o: o, s: Status{Since: time.Now(), State: StateDown}}, nil
}

// Run talks until ctx ends. It returns when its goroutines are gone and the
// cursor is written; the journal must run longer.
func (u *Uplink) Run(ctx context.Context) error {
	a := newActor(u)
	ctx, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { a.saver.run(ctx) })
	others.Go(func() { watch(ctx, a.o.Journal, a.seen) })
	a.loop(ctx)
	a.stopPacking()
	stop()
	others.Wait()
	return nil
}

// actor is one run: all that it has belongs to the goroutine of loop.
type actor struct {
	o       Options
	u       *Uplink
	place   wire.Place
	address string
	seen    chan sighting // from watch
	saver   *saver

	session
	sender
	heardFirst time.Time // the first ack of this run
	alarm
	notices
	deliveries
	collection
	holdings
	siblings
	newcomers
	refusals
}

func newActor(u *Uplink) *actor {
	place := u.o.Keyring.Registry().Place
	a := &actor{o: u.o, u: u, place: place, address: place.Address(), seen: make(chan sighting, 16)}
	a.saver = newSaver(a)
	a.format = u.o.Formats
	a.cursor = u.o.Journal.Acked()
	a.refused = map[refusal]*refusedCount{}
	a.talked = map[string]time.Time{}
	a.unsure, a.turned = map[string]*unsure{}, map[string]time.Time{}
	a.lent, a.empty, a.lenders = map[string]time.Time{}, map[string]bool{}, map[string]*lender{}
	return a
}

// loop does what is due, then waits for the next thing.
func (a *actor) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		up, changed := a.o.Link.State()
		a.linkIs(up, changed, time.Now())
		a.report() // before something may take its time
		timer.Reset(time.Until(a.tick(ctx)))
		a.report()
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-changed:
		case b := <-a.packed():
			a.take(b)
		case s := <-a.seen:
			a.saw(s)
		case m := <-a.o.Link.Messages():
			a.receive(ctx, m)
		}
	}
}

// idle is how long the loop sleeps at most.
const idle = time.Minute

// tick does what is due and returns when the next thing will be. Each of the
// parts returns when it wants to be called again; zero: when something happens.
func (a *actor) tick(ctx context.Context) time.Time {
	now := time.Now()
	next := now.Add(idle)
	for _, due := range [...]func(context.Context, time.Time) time.Time{
		a.greet, a.send, a.announce, a.deliver, a.fetch, a.talk, a.lend, a.borrow, a.judge, a.unexplained, a.tellRefused, a.prove,
	} {
		if t := due(ctx, now); !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}

// publishFor bounds one publish: a link that takes nothing for so long is as
// good as down, and the others wait.
const publishFor = 30 * time.Second

// publish signs and sends one message. What is lost is sent again by whoever
// needs it, so an error is only logged.
func (a *actor) publish(ctx context.Context, kind, topic string, p wire.Payload) bool {
	payload, err := wire.Encode(p)
	if err == nil {
		var envelope []byte
		if envelope, err = a.sign(kind, wire.VersionOf(p), payload); err == nil {
			return a.put(ctx, topic, envelope)
		}
	}
	a.o.Log.Error().Err(err).Str("type", kind).Msg("message to the registry can't be made")
	return false
}

func (a *actor) sign(kind string, version uint64, payload []byte) ([]byte, error) {
	return wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: a.address, Version: version}, payload, a.o.Key)
}

// put sends bytes that are signed already.
func (a *actor) put(ctx context.Context, topic string, envelope []byte) bool {
	ctx, cancel := context.WithTimeout(ctx, publishFor)
	defer cancel()
	if err := a.o.Link.Publish(ctx, topic, envelope); err != nil {
		a.o.Log.Debug().Err(err).Str("topic", topic).Msg("not published")
		return false
	}
	return true
}

// backoff doubles a wait from low to high.
func backoff(wait, low, high time.Duration) time.Duration {
	return min(max(2*wait, low), high)
}
