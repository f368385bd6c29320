package uplink

import (
	"context"
	"time"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

// openEvery is how often a journal that is still opening is polled.
const openEvery = 50 * time.Millisecond

// greetAgain makes a new hello due at once.
func (a *actor) greetAgain(now time.Time) {
	a.connection.renew()
	a.sending.Anew()
	a.greeter.again(now)
}

func (a *actor) greet(ctx context.Context, now time.Time) time.Time {
	if !a.connection.up {
		return time.Time{}
	}
	due := a.greeter.due
	if a.connection.agrees() {
		due = timing.Earlier(due, a.saver.AsksAt())
	}
	if now.Before(due) {
		return due
	}
	// A journal that is still opening has nothing to agree on yet. One that can't be opened is no
	// reason to do without the registry's lists.
	if a.o.Journal.Head().Epoch == 0 && now.Before(a.connection.since.Add(timing.FirstWait)) {
		a.greeter.due = now.Add(openEvery)
		return a.greeter.due
	}
	if a.connection.agrees() { // the next scheduled hello is due, or one that asks for a cosignature
		a.saver.Asked(now)
		a.greeter.newest()
		a.greetAgain(now)
	}
	if a.greeter.needsNonce(now) {
		a.greeter.begin(now)
	}
	a.outbox.say(ctx, message{kind: wire.TypeHello, body: a.greeter.body(a.hello())})
	a.outbox.say(ctx, message{kind: wire.TypeStatus, body: wire.Status{Nonce: a.greeter.nonce, Online: true}})
	return a.greeter.said(now)
}

func (a *actor) hello() wire.Hello2 {
	j, list, stamp := a.o.Journal.Head(), a.o.Keyring.Lists(), a.o.Clock()
	h := wire.Hello2{Hello: wire.Hello{Nonce: a.greeter.nonce, Boot: j.Boot, Epoch: j.Epoch, Next: j.Sequence, Root: j.Root,
		List: list.Version, ListHash: list.Hash, House: a.o.Keyring.House().Version, Trust: a.o.Keyring.Trust().Version,
		Wall: stamp.Wall, Clock: stamp.Quality, Software: a.o.Software}}
	h.Cosigned, h.Zone = a.saver.Newest(), a.o.Zone
	h.ListEpoch, h.Removed, h.RemovedHash = list.Epoch, uint64(list.Over), list.OverHash
	h.Floor = a.o.Keyring.HighestSigned()
	for f := uint64(1); f <= a.o.Formats; f++ {
		h.Formats = append(h.Formats, f)
	}
	a.sending.Begin(j.Oldest)
	cursor := a.sending.Cursor()
	if cursor.Epoch != j.Epoch || cursor.Sequence > 0 {
		h.CursorEpoch, h.CursorNext = cursor.Epoch, cursor.Sequence
	}
	h.Line, h.Records = a.o.Records.Head()
	a.greeter.epoch, a.greeter.list = cursor.Epoch, list.Hash
	return h
}
