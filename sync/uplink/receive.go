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
		if kind, err = a.sibling(ctx, place, m.Payload); a.explained(place.Gateway, kind, err, time.Now()) {
			return
		}
	default:
		err = wire.ErrWrongAddress
	}
	if err != nil {
		a.refuse(kind, err)
	}
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

// refusals are messages that were not taken. The first of a kind is recorded at
// once, then one entry a minute says how many: a flood must not fill the journal.
type refusals struct {
	refused      map[refusal]*refusedCount
	refusedTotal uint64
}

type refusal struct {
	reason wire.Reason
	source string // message type
}

type refusedCount struct {
	n       uint64
	told    time.Time
	entries int // so far; forgotten after an hour without one
}

// pause is how long after the last entry the next one may be.
func (c *refusedCount) pause() time.Duration {
	if c.entries < refusedSoon {
		return refusedEvery
	}
	return refusedLater
}

const (
	// refusedEvery is the pause between two entries of one kind of refusal; after
	// refusedSoon of them refusedLater is. A broker that never stops must not fill
	// the journal.
	refusedEvery = time.Minute
	refusedLater = time.Hour
	refusedSoon  = 10
	maxRefusals  = 32 // kinds of them that are told apart
)

func (a *actor) refuse(source string, err error) {
	a.refusedTotal++
	if !known[source] {
		source = "other"
	}
	r := refusal{reasonOf(err), source}
	c := a.refused[r]
	if c == nil && len(a.refused) >= maxRefusals {
		return
	}
	if c == nil {
		c = &refusedCount{}
		a.refused[r] = c
	}
	if c.n++; c.n == 1 {
		a.o.Log.Warn().Err(err).Str("type", source).Msg("message refused")
	}
}

// known are the types that come from outside.
var known = map[string]bool{wire.TypeAck: true, wire.TypeList: true, wire.TypeTrust: true, wire.TypeHouse: true, wire.TypeUndo: true,
	wire.TypeRecord: true, wire.TypeRoll: true, wire.TypeKey: true, wire.TypeHolding: true, "topic": true}

// tellRefused records what was refused.
func (a *actor) tellRefused(_ context.Context, now time.Time) (next time.Time) {
	for r, c := range a.refused {
		if due := c.told.Add(c.pause()); now.Before(due) {
			next = earlier(next, due)
			continue
		}
		if c.n == 0 {
			if due := c.told.Add(refusedLater); now.Before(due) {
				next = earlier(next, due)
				continue
			}
			delete(a.refused, r)
			continue
		}
		a.record(r, c, now)
		next = earlier(next, now.Add(c.pause()))
	}
	return next
}

// tellRefusedBefore records which lists were refused before the one that is in force now.
// A later entry about them would say that this one is not taken.
func (a *actor) tellRefusedBefore(now time.Time) {
	for r, c := range a.refused {
		if r.source == wire.TypeList && c.n > 0 {
			a.record(r, c, now)
		}
	}
}

func (a *actor) record(r refusal, c *refusedCount, now time.Time) {
	a.o.Journal.Queue(wire.Header{Kind: wire.KindRefused, Outcome: wire.OutcomeRefused, Reason: r.reason, Source: r.source, Count: c.n}, wire.Who{})
	c.n, c.told, c.entries = 0, now, c.entries+1
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
