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
	newcomers  newcomers
	refusals   refusals

	session
	sender
	heardFirst time.Time // the first ack of this run
	deliveries
	collection
	holdings
	siblings
}

func newActor(u *Uplink) *actor {
	place := u.o.Keyring.Registry().Place
	a := &actor{o: u.o, u: u, place: place, address: place.Address(), seen: make(chan sighting, 16),
		outbox: outbox{u.o.Link, u.o.Key, place, u.o.Log}, newcomers: newNewcomers(), refusals: newRefusals()}
	a.saver = newSaver(a)
	a.format = u.o.Formats
	a.cursor = u.o.Journal.Acked()
	a.talked = map[string]time.Time{}
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

func (a *actor) saw(s sighting) {
	if s.tenancy {
		a.recordsSoon()
	}
	if s.notice != nil {
		a.notices.add(*s.notice)
	}
}

// announce sends the notices that are due.
func (a *actor) announce(ctx context.Context, now time.Time) time.Time {
	if !a.connection.up {
		return time.Time{}
	}
	list, next := a.notices.due(now)
	for _, n := range list {
		a.outbox.say(ctx, message{kind: wire.TypeNotice, body: n})
	}
	return next
}

// judge raises the alarm and takes it back.
func (a *actor) judge(_ context.Context, now time.Time) time.Time {
	acts, next := a.alarm.judge(&a.connection, [debts]bool{
		entries: !a.connection.open() || len(a.flight) > 0 || a.alarm.raised != wire.ReasonNone && !a.inStep(),
		changes: len(a.records) > 0,
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
