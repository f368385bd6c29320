package uplink

import (
	"context"
	"time"

	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
)

// receive judges one message. A refused message is counted and recorded, and changes nothing else.
func (a *actor) receive(ctx context.Context, m mqtt.Message) {
	place, dir, kind, err := wire.ParseTopic(m.Topic)
	switch {
	case err != nil:
		a.logbook.refuse("topic", err)
		return
	case dir == wire.DirDown && place == a.outbox.place:
		err = a.down(ctx, kind, m.Payload)
	case dir == wire.HouseLevel && place.Building == a.outbox.place.Building:
		if place == a.outbox.place {
			return // our own
		}
		if kind, err = a.sibling(ctx, place, m.Payload); a.siblings.newcomers.explained(place.Gateway, kind, err, time.Now()) {
			return
		}
	default:
		err = wire.ErrWrongAddress
	}
	if err != nil {
		a.logbook.refuse(kind, err)
	}
}

// sibling takes a message of another gateway of the building, and returns its type.
func (a *actor) sibling(ctx context.Context, from wire.Place, envelope []byte) (kind string, err error) {
	kind, payload, err := a.siblings.open(from, envelope)
	if err != nil {
		return kind, err
	}
	now := time.Now()
	switch kind {
	case wire.TypeRoll:
		var list []message
		list, err = a.siblings.answer(from.Gateway, payload, now)
		a.outbox.sayAll(ctx, list)
	case wire.TypeKey:
		var took []wire.Header
		took, err = a.siblings.takeKey(payload, now)
		a.logbook.record(took)
	case wire.TypeHolding:
		err = a.holding(ctx, from.Gateway, payload, now)
	default:
		err = a.o.Records.Hear(from.Gateway, envelope)
	}
	return kind, err
}

// holding takes a sibling's question for a list, or a part of its answer.
func (a *actor) holding(ctx context.Context, from string, payload []byte, now time.Time) error {
	var h wire.Holding
	if err := wire.Decode(payload, &h); err != nil {
		return err
	}
	switch {
	case !lists.IsQuestion(h):
		if whole := a.holdings.borrowing.Take(from, &h, now); whole != nil {
			return a.inherit(ctx, *whole)
		}
	case a.o.Keyring.Lists().Active > 0:
		a.outbox.sayAll(ctx, holdingMessages(a.holdings.lending.ToSibling(from, h.Nonce, now), true))
	default:
		if ask := a.holdings.borrowing.Hears(from, now); ask != nil {
			a.outbox.sayAll(ctx, holdingMessages(ask, true))
			a.fetching.Soon(now)
		}
	}
	return nil
}

// down takes a message of the registry.
func (a *actor) down(ctx context.Context, kind string, envelope []byte) error {
	if len(envelope) > wire.MaxMessage {
		return wire.ErrTooLarge
	}
	now := time.Now()
	switch kind {
	case wire.TypeAck:
		return a.ack(ctx, envelope)
	case wire.TypeList:
		whole, err := a.fetching.Take(envelope, now)
		if whole != nil {
			err = a.apply(ctx, *whole)
		}
		return err
	case wire.TypeTrust, wire.TypeHouse:
		return a.document(kind, envelope, now)
	case wire.TypeUndo:
		return a.undo(envelope, now)
	case briefs.Type:
		if a.o.Briefs != nil {
			return a.o.Briefs(envelope)
		}
	}
	return wire.ErrWrongType
}

// apply makes a list active. A list without a proof may have been sent with the proof for an
// earlier list of this gateway: it is requested again after a hello that names the active list, and
// refused only once that hello is answered.
func (a *actor) apply(ctx context.Context, u lists.List) error {
	before := a.o.Keyring.Lists()
	err := a.o.Keyring.Apply(u)
	s, now := a.applied(ctx, before), time.Now()
	if said := a.greeter.list == s.Hash && s.Active == s.Version; isUnproved(err) && !(said && a.connection.agrees()) {
		if !said {
			a.greetAgain(now)
		}
		a.fetching.Soon(now)
		return nil
	}
	return withoutDisk(a.o.Log, err)
}

// inherit makes a sibling's list active if it proves itself.
func (a *actor) inherit(ctx context.Context, h lists.Holding) error {
	before := a.o.Keyring.Lists()
	err := a.o.Keyring.Inherit(h)
	a.applied(ctx, before)
	now := time.Now()
	a.fetching.Soon(now)
	a.greetAgain(now) // the registry proves the list that a hello names
	return withoutDisk(a.o.Log, err)
}

// applied records that the active list has changed.
func (a *actor) applied(ctx context.Context, before lists.State) lists.State {
	s := a.o.Keyring.Lists()
	if s.Newest() == before.Newest() {
		return s
	}
	a.o.Log.Info().Uint64("version", s.Active).Msg("list of grants active")
	a.authority.proving.unproved = s.Active
	a.prove(ctx, time.Now())
	a.fetching.Applied()
	a.deliveries.soon()
	for _, m := range givenBack(before.Masked, s.Masked) {
		a.o.Journal.Queue(wire.Header{Kind: wire.KindRefused, Outcome: wire.OutcomeRefused, Reason: wire.ReasonGivenBack, Source: wire.TypeGrantList},
			wire.Who{Grant: &m.Grant, Tenancy: &m.Tenancy})
	}
	return s
}

// document takes the root's document or an issuer's.
func (a *actor) document(kind string, envelope []byte, now time.Time) error {
	before := a.o.Keyring.House()
	acts, err := a.authority.documents.set(kind, envelope)
	a.logbook.record(acts)
	if acts != nil {
		a.fetching.Soon(now)
	}
	if kind == wire.TypeTrust && acts != nil { // answers that were refused may be signed by a key that is trusted now
		a.greeter.newest()
		a.greetAgain(now)
	}
	if kind == wire.TypeHouse {
		a.siblings.newcomers.turn(before, a.o.Keyring.House(), now)
		if err == nil {
			a.siblings.soon(now) // the document may name a new sibling
		}
	}
	return err
}

// undo takes back a signed time. The next hello shows the registry that it is gone.
func (a *actor) undo(envelope []byte, now time.Time) error {
	floor, acts, err := a.authority.documents.undo(envelope)
	if err != nil {
		return err
	}
	a.logbook.record(acts)
	if a.o.TakeBack != nil {
		a.o.TakeBack(floor)
	}
	a.greeter.due = now
	return nil
}
