// Package uplink brings what a gateway has recorded to the registry exactly
// once, and the registry's lists, documents and acks back, over a link that is
// only transport: it may drop, repeat, reorder, delay, replay, or belong to an
// enemy. docs/protocol.md has the messages and their order.
//
// An entry counts as delivered when the registry's witness has signed that it
// is stored, with the root that this gateway computes itself; nothing else moves
// the cursor. What comes down is taken only with the right signature, type,
// role and address, and never older than what is active.
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

	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// Uplink connects a gateway with its registry. Make it with New, run it once with Run.
type Uplink struct {
	o       Options
	nonces  nonces
	display display
}

// New prepares an uplink of an enrolled gateway; it starts nothing.
func New(o Options) (*Uplink, error) {
	if o.Link == nil || o.Journal == nil || o.Keyring == nil || o.Clock == nil || len(o.Key) != ed25519.PrivateKeySize {
		return nil, errors.New("new uplink: link, journal, keyring, key and clock are needed")
	}
	if err := o.Place.Check(); err != nil {
		return nil, fmt.Errorf("new uplink: %w", err)
	}
	if o.Records == nil {
		o.Records = noRecords{}
	}
	if o.Borrow <= 0 {
		o.Borrow = lists.AgreeMost
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
	return &Uplink{o: o, display: display{s: Status{Since: time.Now(), State: StateDown}}}, nil
}

// Run works until ctx ends. It returns when its goroutines are gone; the journal must run longer,
// since it saves the cursor at its own end.
func (u *Uplink) Run(ctx context.Context) error {
	a := newActor(u.o, &u.nonces, &u.display)
	ctx, stop := context.WithCancel(ctx)
	var others sync.WaitGroup
	others.Go(func() { entries.Watch(ctx, a.o.Journal, a.seen) })
	a.loop(ctx)
	stop()
	others.Wait()
	return nil
}

// Will returns the last will of the next connection, which begins with this call, for the link's
// configuration. Without it only silence tells the registry that a gateway is gone.
func (u *Uplink) Will() mqtt.Message {
	place := u.o.Place
	envelope, err := wire.SignBody(wire.Protected{Type: wire.TypeStatus, Role: wire.RoleGateway, Address: place.Address()},
		wire.Status{Nonce: u.nonces.connect()}, u.o.Key)
	if err != nil {
		panic(err) // key and place were checked by New
	}
	return mqtt.Message{Topic: place.Status(), Payload: envelope}
}

// Status returns the state of the uplink now. Safe for concurrent use.
func (u *Uplink) Status() Status {
	s := u.display.status()
	head := u.o.Journal.Head().Position
	s.Behind = head.Sequence
	if s.Stored.Epoch == head.Epoch {
		s.Behind -= min(head.Sequence, s.Stored.Sequence)
	}
	return s
}
