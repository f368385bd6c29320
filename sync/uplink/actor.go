package uplink

import (
	"context"
	"time"

	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

// actor is the state of one run, owned by the goroutine of loop. Each of its parts holds one thing
// of the protocol and returns what is to be sent, recorded or done; the actor does it and tells the
// other parts.
type actor struct {
	o       Options
	display *display
	seen    chan entries.Sighting // from entries.Watch
	saver   *entries.Saver
	outbox  outbox

	connection connection
	greeter    greeter
	sending    entries.Sending
	notices    notices
	deliveries deliveries
	siblings   siblings
	holdings   holdings
	fetching   lists.Fetching
	authority  authority
	logbook    logbook
}

// holdings are the building's lists as this gateway and others hold them.
type holdings struct {
	lending   lists.Lending
	borrowing *lists.Borrowing
}

// authority is what root, issuers and witnesses have signed.
type authority struct {
	documents documents
	floor     floor
	proving   proving
}

func newActor(o Options, n *nonces, d *display) *actor {
	place := o.Place
	out := entries.Options{Journal: o.Journal, Keyring: o.Keyring, Key: o.Key, Address: place.Address(), Registry: o.Registry,
		Batch: o.Batch, Gather: o.Gather, Log: o.Log}
	a := &actor{o: o, display: d, seen: make(chan entries.Sighting, 16), saver: entries.NewSaver(out), sending: entries.NewSending(out),
		outbox: outbox{o.Link, o.Key, place, o.Log}, logbook: logbook{journal: o.Journal, log: o.Log, refusals: newRefusals()},
		greeter:    greeter{formats: min(o.Formats, helloFormat), format: min(o.Formats, helloFormat), clock: o.Clock, fresh: o.Fresh, nonces: n},
		deliveries: deliveries{desk: o.Records, log: o.Log},
		siblings: siblings{place: place, formats: o.Formats, keyring: o.Keyring, records: o.Records,
			roll: o.Roll, chance: o.Chance, log: o.Log, talked: map[string]time.Time{}, keyless: map[string]bool{}, newcomers: newNewcomers()},
	}
	a.holdings = holdings{lists.NewLending(o.Keyring, o.Log), lists.NewBorrowing(o.Keyring, place.Gateway, o.Formats)}
	a.fetching = lists.NewFetching(o.Keyring, place.Address(), o.Formats, a.holdings.borrowing)
	a.authority = authority{documents{o.Keyring, o.Log}, floor{keyring: o.Keyring, clock: o.Clock}, proving{keyring: o.Keyring}}
	return a
}

// loop runs the parts that are due, then waits for the next event.
func (a *actor) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer a.sending.End()
	parts := a.parts()
	for ctx.Err() == nil {
		up, changed := a.o.Link.State()
		if a.connection.is(up, changed, time.Now()) && up {
			a.connected(time.Now())
		}
		a.report() // before something may take its time
		timer.Reset(time.Until(tick(ctx, parts)))
		a.report()
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-changed:
		case b := <-a.sending.Packed():
			a.sending.Take(b)
		case s := <-a.seen:
			a.saw(s)
		case m := <-a.o.Link.Messages():
			a.receive(ctx, m)
		}
	}
}

// idle is how long the loop sleeps at most.
const idle = time.Minute

// part does what is due and returns when it wants to be called again; zero: at the next event.
type part func(context.Context, time.Time) time.Time

// parts returns the parts in the order of their turns.
func (a *actor) parts() []part {
	return []part{a.greet, a.send, a.whileUp(a.notices.due), a.deliver, a.whileUp(a.fetch),
		a.whileUp(func(now time.Time) ([]message, time.Time) { return a.siblings.talk(a.connection.agrees(), now) }),
		a.whileUp(func(now time.Time) ([]message, time.Time) { return a.holdings.lend(a.greeter.nonce, now) }),
		a.whileUp(a.holdings.borrow), a.judge,
		func(_ context.Context, now time.Time) time.Time { return a.logbook.refused(&a.siblings.newcomers, now) }, a.prove}
}

// tick gives each part its turn, and returns when the next thing will be due.
func tick(ctx context.Context, parts []part) time.Time {
	now := time.Now()
	next := now.Add(idle)
	for _, due := range parts {
		next = timing.Earlier(next, due(ctx, now))
	}
	return next
}

// whileUp makes a part of a function that has only messages to send; it runs only while the link is
// up.
func (a *actor) whileUp(due func(time.Time) ([]message, time.Time)) part {
	return func(ctx context.Context, now time.Time) time.Time {
		if !a.connection.up {
			return time.Time{}
		}
		list, next := due(now)
		a.outbox.sayAll(ctx, list)
		return next
	}
}

// connected starts the protocol anew after a connect.
func (a *actor) connected(now time.Time) {
	a.greeter.newest()
	a.greetAgain(now)
	a.siblings.soon(now)
	a.fetching.Connected(a.o.Borrow, now)
	a.notices.again(now)
}

func (a *actor) saw(s entries.Sighting) {
	if s.Tenancy {
		a.deliveries.soon()
	}
	if s.Alarm != nil {
		a.notices.add(notice{at: s.Alarm.Position, header: s.Alarm.Header})
	}
}

// fetch asks the registry for what is lacking.
func (a *actor) fetch(now time.Time) (ask []message, next time.Time) {
	want, next := a.fetching.Fetch(now)
	if want != nil {
		ask = []message{{kind: wire.TypeWant, body: *want}}
	}
	return ask, next
}

// borrow asks the siblings for a list.
func (h *holdings) borrow(now time.Time) ([]message, time.Time) {
	ask, next := h.borrowing.Borrow(now)
	return holdingMessages(ask, true), next
}

// lend sends the registry the lists that it lost and this gateway holds. nonce is that of the
// newest hello.
func (h *holdings) lend(nonce wire.Nonce, now time.Time) ([]message, time.Time) {
	parts, next := h.lending.ToRegistry(nonce, now)
	return holdingMessages(parts, false), next
}

func (a *actor) send(ctx context.Context, now time.Time) time.Time {
	if !a.connection.open() {
		return time.Time{}
	}
	do, next := a.sending.Due(now)
	switch do {
	case entries.Ask:
		a.greetAgain(now)
		a.greeter.late(now)
	case entries.Leave:
		a.leaveGap(ctx)
	case entries.Repeat:
		a.outbox.say(ctx, message{kind: wire.TypeBatch, signed: a.sending.First()})
	case entries.Publish:
		for e := a.sending.Next(now); e != nil; e = a.sending.Next(now) {
			if !a.outbox.say(ctx, message{kind: wire.TypeBatch, signed: e}) {
				return now.Add(time.Second)
			}
			next = a.sending.Published()
		}
	}
	return next
}

// deliver sends the next record that the registry lacks, and shows new records to the siblings.
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

// judge raises or ends the alarm about answers that are overdue.
func (a *actor) judge(_ context.Context, now time.Time) time.Time {
	return a.logbook.judge(&a.connection, [replies]bool{
		replyAck:    !a.connection.open() || a.sending.Busy() || a.logbook.alarm.raised != wire.ReasonNone && !a.sending.InStep(),
		replyRecord: len(a.deliveries.waiting) > 0,
	}, now)
}

// prove records which list is active.
func (a *actor) prove(_ context.Context, now time.Time) time.Time {
	proof, next := a.authority.proving.due(now)
	a.logbook.proved(proof, now)
	return next
}

// report publishes the status.
func (a *actor) report() {
	state := StateInStep
	switch {
	case !a.connection.up:
		state = StateDown
	case a.connection.phase == greeting:
		state = StateGreeting
	case !a.fetching.Lacking().IsZero(), a.authority.proving.unproved != 0:
		state = StateUnproved
	case !a.connection.agrees(), a.sending.Busy(): // a repeated hello follows an entry that is not confirmed in time
		state = StateSending
	}
	alarm, refusals := &a.logbook.alarm, &a.logbook.refusals
	a.display.show(Status{State: state, Stored: a.sending.Cursor(), LastAck: a.connection.lastAck, Problem: alarm.raised, Quiet: alarm.quiet,
		List: a.fetching.Named().Number, Withheld: a.fetching.Lacking(), Records: len(a.deliveries.waiting),
		KeyNowhere: a.siblings.keyNowhere(), Refused: refusals.total, Refusals: refusals.list()}, time.Now())
}
