package uplink

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/keyring"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// receive judges one message. Whatever is wrong with it is counted and
// recorded, and changes nothing else.
func (a *actor) receive(ctx context.Context, m mqtt.Message) {
	place, dir, kind, err := wire.ParseTopic(m.Topic)
	switch {
	case err != nil:
		a.refuse("topic", err)
		return
	case dir == wire.DirDown && place == a.place:
		err = a.down(ctx, kind, m.Payload)
	case dir == wire.HouseLevel && place.Building == a.place.Building:
		if place == a.place {
			return // our own
		}
		if kind, err = a.sibling(ctx, place, m.Payload); a.newcomers.explained(place.Gateway, kind, err, time.Now()) {
			return
		}
	default:
		err = wire.ErrWrongAddress
	}
	if err != nil {
		a.refuse(kind, err)
	}
}

// sibling takes a message of another gateway of the building and returns its type.
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
		a.record(took)
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
	case !isQuestion(h):
		if whole := a.borrowing.take(from, &h, now); whole != nil {
			return a.inherit(*whole)
		}
	case a.o.Keyring.Status().InForce > 0:
		a.outbox.sayAll(ctx, a.lending.toSibling(from, h.Nonce, now))
	default:
		if ask := a.borrowing.hears(from, now); ask != nil {
			a.outbox.sayAll(ctx, ask)
			a.fetchSoon(now)
		}
	}
	return nil
}

// inherit puts a sibling's list in force, where it proves itself.
func (a *actor) inherit(h keyring.Holding) error {
	before := a.o.Keyring.Status()
	err := a.o.Keyring.Inherit(h)
	a.applied(before)
	a.fetchSoon(time.Now())
	a.greetAgain(time.Now()) // the registry proves the list that a hello names
	return withoutDisk(a.o.Log, err)
}

func (a *actor) down(ctx context.Context, kind string, envelope []byte) error {
	if len(envelope) > wire.MaxMessage {
		return wire.ErrTooLarge
	}
	switch kind {
	case wire.TypeAck:
		return a.ack(ctx, envelope)
	case wire.TypeList:
		return a.list(envelope)
	case wire.TypeTrust:
		return a.trust(envelope)
	case wire.TypeHouse:
		return a.house(envelope)
	case wire.TypeUndo:
		return a.undo(envelope)
	}
	return wire.ErrWrongType
}

// refuse counts a message that was not taken.
func (a *actor) refuse(source string, err error) {
	if a.refusals.add(source, reasonOf(err)) {
		a.o.Log.Warn().Err(err).Str("type", source).Msg("message refused")
	}
}

// tellRefused records what was refused.
func (a *actor) tellRefused(_ context.Context, now time.Time) time.Time {
	list, next := a.refusals.due(now)
	a.record(list)
	return next
}

// unexplained counts what no House document has explained in time.
func (a *actor) unexplained(_ context.Context, now time.Time) time.Time {
	list, next := a.newcomers.unexplained(now)
	for _, u := range list {
		for range u.n {
			a.refuse(u.kind, u.why)
		}
	}
	return next
}

// record puts entries without a who part into the journal.
func (a *actor) record(list []wire.Header) {
	for _, h := range list {
		a.o.Journal.Queue(h, wire.Who{})
	}
}

// reasonOf names why a message was refused.
func reasonOf(err error) wire.Reason {
	for _, c := range [...]struct {
		err    error
		reason wire.Reason
	}{
		{wire.ErrTooLarge, wire.ReasonTooLarge}, {wire.ErrWrongAddress, wire.ReasonMisaddressed},
		{wire.ErrUnknownKey, wire.ReasonBadSignature}, {wire.ErrBadSignature, wire.ReasonBadSignature},
		{wire.ErrWrongRole, wire.ReasonBadSignature}, {wire.ErrWrongType, wire.ReasonMalformed},
		{wire.ErrWrongVersion, wire.ReasonMalformed}, {wire.ErrMalformed, wire.ReasonMalformed},
		{keyring.ErrSecondNeeded, wire.ReasonSecondNeeded}, {keyring.ErrUnproved, wire.ReasonUnproved}, {keyring.ErrTooFar, wire.ReasonTooFar}, {keyring.ErrOtherFloor, wire.ReasonRolledBack}, {keyring.ErrConflict, wire.ReasonRolledBack}, {keyring.ErrRolledBack, wire.ReasonRolledBack}, {errFarTime, wire.ReasonClockLeapt},
	} {
		if errors.Is(err, c.err) {
			return c.reason
		}
	}
	return wire.ReasonListRefused
}
