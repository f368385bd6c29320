package uplink

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

const (
	startWindow = 4  // batches in flight until the registry says otherwise
	maxWindow   = 32 // keeps a link of 50 ms full, in 2 MiB
	packAhead   = 8  // while all of the window is under way
)

// sender keeps batches until they are confirmed, and sends again from the last
// confirmed place when that takes too long.
type sender struct {
	cursor  journal.Position // all before it is at the registry
	flight  []batch          // in order from the cursor
	sent    int              // how many of them were published since the last hello
	window  int
	paused  time.Time     // the registry takes none before
	again   time.Time     // when what was sent counts as lost
	wait    time.Duration // for an answer
	gap     *batch        // what follows the flight is gone
	packing *packing
}

// packing is a packer at work.
type packing struct {
	packer
	asked   bool // for a batch that is not full, and it has not come
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// startPacking packs from a place on, in a goroutine of its own.
func (a *actor) startPacking(ctx context.Context, at journal.Position, r tree.Range) {
	a.stopPacking()
	ctx, stop := context.WithCancel(ctx)
	p := &packing{stop: stop, packer: packer{journal: a.o.Journal, keyring: a.o.Keyring, key: a.o.Key, address: a.address,
		batch: a.o.Batch, gather: a.o.Gather, out: make(chan batch, packAhead), idle: make(chan struct{}, 1),
		failed: func(err error) {
			a.o.Log.Error().Err(err).Msg("entries can't be sent to the registry; it is tried again")
		}}}
	p.stopped.Go(func() { p.run(ctx, at, r) })
	a.packing = p
}

func (a *actor) stopPacking() {
	if a.packing != nil {
		a.packing.stop()
		a.packing.stopped.Wait()
		a.packing = nil
	}
}

// packed is where the next batch comes from; nil while there is no room.
func (a *actor) packed() <-chan batch {
	if a.packing == nil || a.gap != nil || len(a.flight) >= max(a.window, 1) {
		return nil
	}
	return a.packing.out
}

func (a *actor) take(b batch) {
	a.packing.asked = false
	if b.gap {
		a.gap = &b
		return
	}
	a.flight = append(a.flight, b)
}

// send publishes what the window allows.
func (a *actor) send(ctx context.Context, now time.Time) time.Time {
	switch {
	case !a.connection.open():
		return time.Time{}
	case now.Before(a.paused):
		return a.paused
	case a.sent > 0 && !now.Before(a.again):
		a.wait = backoff(a.wait, firstWait, longWait)
		a.greetAgain(now) // asks where the registry stands, and goes on from there
		return now
	case len(a.flight) == 0 && a.gap != nil:
		a.leaveGap(ctx)
		return now
	case len(a.flight) == 0:
		if !a.packing.asked {
			a.packing.asked = true
			poke(a.packing.idle)
		}
		return time.Time{}
	}
	for a.sent < min(len(a.flight), a.window) {
		if a.sent == 0 {
			a.again = now.Add(max(a.wait, firstWait))
		}
		if !a.outbox.say(ctx, message{kind: wire.TypeBatch, signed: a.flight[a.sent].envelope}) {
			return now.Add(time.Second)
		}
		a.sent++
	}
	return a.again
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// leaveGap begins a new epoch behind entries that are gone: no registry can
// take what follows them in the old one.
func (a *actor) leaveGap(ctx context.Context) {
	root, err := a.o.Journal.Root(ctx, a.cursor)
	if err != nil {
		a.o.Log.Warn().Err(err).Msg("root before a gap is not known")
	}
	from := a.gap.end
	a.fork(ctx, from, wire.ReasonNone, wire.Ack2{Ack: wire.Ack{Epoch: a.cursor.Epoch, Next: a.cursor.Sequence, Root: wire.Hash(root)}})
	if a.gap != nil { // not yet: the hello comes back here
		a.connection.renew()
		a.greetDue, a.greetWait = time.Now().Add(longWait), 0
	}
}

// confirmed looks for the place of an ack in the flight. The root must be the
// one that was computed here.
func (a *actor) confirmed(k wire.Ack2) (n int) {
	at := journal.Position{Epoch: k.Epoch, Sequence: k.Next}
	for i, b := range a.flight {
		if b.end == at && b.root == k.Root {
			return i + 1
		}
	}
	return 0
}

// advance moves the cursor over n batches.
func (a *actor) advance(n int, k wire.Ack2, now time.Time) {
	a.moveCursor(a.flight[n-1].end)
	a.flight = append(a.flight[:0], a.flight[n:]...)
	a.sent = max(0, a.sent-n)
	a.wait, a.forkWait = 0, 0
	a.again = now.Add(firstWait)
	a.progress(entries, now)
	a.saver.save(k)
}

// moveCursor forgets the notices whose entries the registry has now.
func (a *actor) moveCursor(to journal.Position) {
	before := a.cursor
	a.cursor = to
	a.notices.passed(before, to)
}

// resume goes on where both ends agree: behind some of the flight, or anew from
// there.
func (a *actor) resume(ctx context.Context, at journal.Position, r tree.Range, now time.Time) {
	a.sent = 0
	for i, b := range a.flight {
		if a.packing != nil && b.end == at && b.root == wire.Hash(r.Root()) {
			a.flight = append(a.flight[:0], a.flight[i+1:]...)
			a.moveCursor(at)
			a.wait = 0
			a.progress(entries, now)
			return
		}
	}
	if at == a.cursor && a.packing != nil {
		return
	}
	a.moveCursor(at)
	a.flight, a.gap = nil, nil
	a.startPacking(ctx, at, r)
}
