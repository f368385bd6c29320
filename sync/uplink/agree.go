package uplink

import (
	"context"
	"errors"
	"time"

	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// ack processes an ack: what the registry has committed. An ack for an older hello is still true
// about the past: it may name versions but moves no cursor, because a registry that was rolled back
// since would not stand by it.
func (a *actor) ack(ctx context.Context, envelope []byte) error {
	payload, p, err := wire.Open(envelope, wire.Expect{Type: wire.TypeAck, Role: wire.RoleWitness, Address: a.outbox.place.Address(), Newest: a.o.Formats},
		a.o.Keyring.Trust().Keyset(wire.RoleWitness))
	if err != nil {
		return err
	}
	k, err := wire.DecodeAck(p.Version, payload)
	if err != nil {
		return err
	}
	now := time.Now()
	a.takeTime(k, p.Epoch, now)
	a.fetching.Hears(k, now)
	if !a.greeter.isAnswered(k) {
		return nil
	}
	if err := a.saver.Check(k, now); err != nil {
		return err
	}
	a.connection.lastAck = now
	a.greeter.heard(p.Version)
	if a.o.Spread != nil {
		a.o.Spread(time.Duration(k.Spread) * time.Second)
	}
	a.sending.SetWindow(k, now)
	a.sending.Hears(k, !a.connection.agrees())
	a.holdings.lending.AskedFor(k.Holding, now)
	answer := !a.connection.agrees()
	if answer {
		a.fetching.Standing(k, now)
		a.settle(ctx, k, now)
	} else {
		a.advance(k, now)
	}
	// Not before both ends agree on what was: a rollback of the disk shows by the journal first.
	if a.connection.agrees() && a.deliveries.acked(k, answer, p.Version > 1) {
		a.logbook.confirmed(replyRecord, now)
	}
	return nil
}

// takeTime uses the time of an ack unless the registry doubts its own clock, and records a time
// that is not believed. The rest of the ack counts all the same.
func (a *actor) takeTime(k wire.Ack2, epoch uint64, now time.Time) {
	if k.NoTime {
		return
	}
	a.greeter.hearTime(k, epoch)
	if err := a.authority.floor.hear(int64(k.Time), epoch, now); err != nil {
		a.logbook.refuse(wire.TypeAck, err)
	}
}

// advance moves the cursor where an ack confirms batches.
func (a *actor) advance(k wire.Ack2, now time.Time) {
	before := a.sending.Cursor()
	if !a.sending.Confirmed(k, now) {
		if a.sending.Stands(k) { // the cosignature of what an ack before confirmed without one
			a.saver.Save(k)
		}
		return
	}
	a.notices.passed(before, a.sending.Cursor())
	a.logbook.confirmed(replyAck, now)
	a.saver.Save(k)
	a.saver.Lacks(k)
}

// settle compares the registry's answer to a hello with the journal. The hello is repeated until
// both agree.
func (a *actor) settle(ctx context.Context, k wire.Ack2, now time.Time) {
	at, cursor := entries.PlaceOf(k), a.sending.Cursor()
	if at.Epoch == 0 || at.Epoch != a.greeter.epoch {
		if at.Epoch == 0 {
			a.fetching.MayTake(now)
		}
		return // the journal is not open yet, or it answers something else
	}
	own, err := a.o.Journal.Range(ctx, at)
	oldest := a.o.Journal.Head().Oldest
	switch {
	case a.connection.before.isKnownFork(at, own, err, k):
		a.beginAt(a.connection.before.begins, now)
	case errors.Is(err, journaled.ErrAhead):
		a.fork(ctx, cursor, wire.ReasonAhead, k)
	case errors.Is(err, journaled.ErrGone) && cursor == oldest:
		a.fork(ctx, oldest, wire.ReasonNone, k)
	case errors.Is(err, journaled.ErrGone): // the registry's position is not here any more
		a.beginAt(oldest, now)
	case err != nil:
		a.fetching.MayTake(now)
		a.o.Log.Error().Err(err).Msg("the registry's copy can't be compared with the journal; it is tried again")
	case wire.Hash(own.Root()) != k.Root:
		a.fork(ctx, cursor, wire.ReasonOtherRoot, k)
	case a.sending.LostEpoch(at, oldest):
		a.connection.before = before{}
		a.beginAt(oldest, now)
	case a.connection.before.asks(at, cursor, a.o.Journal):
		a.beginAt(a.connection.before.end, now)
	default:
		a.connection.before = before{}
		moved, over := a.sending.Resume(ctx, at, own)
		if moved {
			a.notices.passed(cursor, at)
		}
		if over {
			a.logbook.confirmed(replyAck, now)
		}
		a.connection.agree(now)
		a.fetching.MayTake(now)
		a.greeter.settled(a.connection.hours(now), now)
		a.saver.Save(k)
	}
}

// beginAt starts packing at another place, and asks the registry about it.
func (a *actor) beginAt(at journaled.Position, now time.Time) {
	a.sending.MoveTo(at)
	a.greetAgain(now)
}

// fork leaves an epoch in which the registry's copy and the journal differ, or in which entries are
// missing: everything from that place on goes into a new epoch that cites the registry's head.
func (a *actor) fork(ctx context.Context, from journaled.Position, why wire.Reason, k wire.Ack2) {
	now := time.Now()
	if why != wire.ReasonNone && !a.deliveries.leaveLine(k, a.o.Journal.Head().Epoch) {
		return
	}
	at, ok := a.sending.NewEpoch(ctx, from, k, now)
	if !ok {
		a.fetching.MayTake(now)
		return
	}
	a.o.Log.Warn().Str("reason", why.String()).Uint64("registry", k.Next).Msg("new epoch of the journal: the registry has another copy")
	if why != wire.ReasonNone {
		a.logbook.differs(why)
	}
	a.notices.forget() // watch sees them again, at their new places
	a.beginAt(at, now)
}

// leaveGap begins a new epoch behind missing entries: no registry can take the entries after them
// in the old one.
func (a *actor) leaveGap(ctx context.Context) {
	cursor := a.sending.Cursor()
	root, err := a.o.Journal.Root(ctx, cursor)
	if err != nil {
		a.o.Log.Warn().Err(err).Msg("root before a gap is not known")
	}
	end, _ := a.sending.Gap()
	a.fork(ctx, end, wire.ReasonNone, wire.Ack2{Ack: wire.Ack{Epoch: cursor.Epoch, Next: cursor.Sequence, Root: wire.Hash(root)}})
	if _, still := a.sending.Gap(); still { // not yet: the hello comes back here
		a.connection.renew()
		a.greeter.rest(time.Now().Add(timing.LongWait))
	}
}
