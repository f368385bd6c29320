package uplink

import (
	"context"
	"time"

	"gatehouse/sync/wire"
)

// actor is one run: all that it has belongs to the goroutine of loop.
type actor struct {
	o       Options
	u       *Uplink
	place   wire.Place
	address string
	seen    chan sighting // from watch
	saver   *saver
	outbox  outbox

	connection connection
	alarm      alarm
	notices    notices
	deliveries deliveries
	siblings   siblings
	newcomers  newcomers
	lending    lending
	borrowing  borrowing
	refusals   refusals

	session
	sender
	heardFirst time.Time // the first ack of this run
	collection
}

func newActor(u *Uplink) *actor {
	place := u.o.Keyring.Registry().Place
	a := &actor{o: u.o, u: u, place: place, address: place.Address(), seen: make(chan sighting, 16),
		outbox: outbox{u.o.Link, u.o.Key, place, u.o.Log}, newcomers: newNewcomers(), refusals: newRefusals()}
	a.deliveries = deliveries{desk: u.o.Records, log: u.o.Log}
	a.siblings = siblings{place: place, key: u.o.Key, formats: u.o.Formats, keyring: u.o.Keyring, records: u.o.Records,
		roll: u.o.Roll, chance: u.o.Chance, log: u.o.Log, talked: map[string]time.Time{}}
	a.lending = lending{keyring: u.o.Keyring, log: u.o.Log, lent: map[string]time.Time{}}
	a.borrowing = borrowing{gateway: place.Gateway, formats: u.o.Formats, keyring: u.o.Keyring, empty: map[string]bool{}, lenders: map[string]*lender{}}
	a.saver = newSaver(a)
	a.format = u.o.Formats
	a.cursor = u.o.Journal.Acked()
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

func (a *actor) saw(s sighting) {
	if s.tenancy {
		a.deliveries.soon()
	}
	if s.notice != nil {
		a.notices.add(*s.notice)
	}
}

// announce sends the notices that are due.
func (a *actor) announce(ctx context.Context, now time.Time) time.Time {
	return a.whileUp(ctx, func() ([]message, time.Time) { return a.notices.due(now) })
}

// deliver sends the record that the registry lacks, and shows new ones to the
// siblings.
func (a *actor) deliver(ctx context.Context, now time.Time) time.Time {
	if !a.connection.up {
		return time.Time{}
	}
	a.outbox.sayAll(ctx, a.deliveries.load())
	if !a.connection.agrees() {
		return time.Time{}
	}
	list, hello, next := a.deliveries.next(now)
	if hello {
		a.greetAgain(now)
	}
	a.outbox.sayAll(ctx, list)
	return next
}

// talk sends the siblings a roll of what is here.
func (a *actor) talk(ctx context.Context, now time.Time) time.Time {
	return a.whileUp(ctx, func() ([]message, time.Time) { return a.siblings.talk(a.connection.agrees(), now) })
}

// lend sends the registry the lists that it lacks.
func (a *actor) lend(ctx context.Context, now time.Time) time.Time {
	return a.whileUp(ctx, func() ([]message, time.Time) { return a.lending.toRegistry(a.nonce, now) })
}

// borrow asks the siblings for the list that is lacking here.
func (a *actor) borrow(ctx context.Context, now time.Time) time.Time {
	return a.whileUp(ctx, func() ([]message, time.Time) { return a.borrowing.borrow(now) })
}

// whileUp sends what is due while there is a link.
func (a *actor) whileUp(ctx context.Context, due func() ([]message, time.Time)) time.Time {
	if !a.connection.up {
		return time.Time{}
	}
	list, next := due()
	a.outbox.sayAll(ctx, list)
	return next
}

// judge raises the alarm and takes it back.
func (a *actor) judge(_ context.Context, now time.Time) time.Time {
	acts, next := a.alarm.judge(&a.connection, [debts]bool{
		entries: !a.connection.open() || len(a.flight) > 0 || a.alarm.raised != wire.ReasonNone && !a.inStep(),
		changes: len(a.deliveries.waiting) > 0,
	}, now)
	a.recordAlarm(acts)
	return next
}

// inStep says whether the registry has all that is here.
func (a *actor) inStep() bool { return a.o.Journal.Status().Position == a.cursor }

// progress notes that the registry confirmed something.
func (a *actor) progress(of debt, now time.Time) { a.recordAlarm(a.alarm.progress(of, now)) }

// recordAlarm logs and records what the alarm says.
func (a *actor) recordAlarm(list []wire.Header) {
	for _, h := range list {
		if h.Outcome == wire.OutcomeActive {
			a.o.Log.Error().Str("reason", h.Reason.String()).Msg("the registry does not confirm what is sent to it")
		} else {
			a.o.Log.Info().Str("reason", h.Reason.String()).Msg("the registry confirms again")
		}
	}
	a.record(list)
}
