// Package intake takes tenancy records into the ledger. A record counts by its gateway's signature
// alone, whoever brought it. One that comes before its predecessor waits; one that comes again
// counts once.
//
// It refuses to drop a record that it can't apply: that is kept and shown, with its bytes.
package intake

import (
	"errors"
	"fmt"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// Deliver takes a tenancy record from the front. A faulty record is kept.
func Deliver(c *ledger.Change, d api.Delivery) {
	b := c.Building(d.Place.Building)
	if b == nil {
		c.Problem(d.Place, d.Line, d.Record, "record of a building that is not known here", d.Envelope)
		return
	}
	r, err := building.Open[wire.Record](b, d.Place.Gateway, wire.TypeRecord, d.Envelope)
	if err != nil {
		c.Problem(d.Place, d.Line, d.Record, fmt.Sprintf("record refused: %v", err), d.Envelope)
		return
	}
	line := building.Line{Gateway: d.Place.Gateway, Number: r.Line}
	seen := b.Lines.Seen[line].Number
	grant, known := b.Tenancies.Record(line.Gateway, r.ID)
	switch {
	case r.Number <= seen && known:
		c.NameLine(b, line)
		c.NameAgain(b, grant)
	case r.Number <= seen: // two of one number, made by a gateway whose disk was rolled back: both count
		take(c, b, line, r, d.Envelope)
	case r.Number > seen+1:
		if !store.AddWaiting(c.Tx, b.ID, line, r.Number, d.Envelope) {
			c.Problem(d.Place, r.Line, r.Number, "record before too many that are missing", d.Envelope)
		}
	default:
		take(c, b, line, r, d.Envelope)
		takeWaiting(c, b, line)
	}
}

// takeWaiting takes in the records that waited for the one that a line has reached.
func takeWaiting(c *ledger.Change, b *building.Building, line building.Line) {
	for !c.Failed() {
		next := b.Lines.Seen[line].Number + 1
		envelope := store.TakeWaiting(c.Tx, b.ID, line, next)
		if envelope == nil {
			return
		}
		r, err := building.Open[wire.Record](b, line.Gateway, wire.TypeRecord, envelope)
		if err != nil {
			c.Problem(api.Place(b.Place(line.Gateway)), line.Number, next, fmt.Sprintf("record refused: %v", err), envelope)
			return
		}
		take(c, b, line, r, envelope)
	}
}

func take(c *ledger.Change, b *building.Building, line building.Line, r wire.Record, envelope []byte) {
	s := b.Lines.Seen[line]
	s.Number = max(s.Number, r.Number)
	place := b.Place(line.Gateway)
	grant, known := b.Tenancies.Record(line.Gateway, r.ID)
	if !known {
		change, err := unseal(c.Keys.Desk, place.Address(), r)
		if err != nil {
			c.Problem(api.Place(place), r.Line, r.Number, fmt.Sprintf("record can't be read: %v", err), envelope)
		} else {
			s.At, grant = max(s.At, min(change.At, c.Clock.Ahead())), change.Grant
			c.Take(b, fold.Event{Record: r.ID, Source: line.Gateway, At: s.At, Change: change, Person: r.Person, Line: r.Line, Number: r.Number,
				Least: leastEnd(b, change, c.Clock.Unix())})
			if change.Op == wire.OpCheckIn {
				endCovered(c, b, line, r.Number, grant)
			}
		}
	}
	c.Relist(b)
	c.NameAgain(b, grant)
	c.UseLine(b, line, s)
}

// leastEnd returns the earliest end of a notice that arrives now: when the building's days have
// passed, whatever the clock said at which it was given.
func leastEnd(b *building.Building, c wire.Change, now uint32) uint32 {
	if c.Op != wire.OpNotice {
		return 0
	}
	days := uint64(grantlist.NoticeDays(wire.House{NoticeDays: b.NoticeDays}))
	return uint32(min(uint64(now)+days*24*3600, 1<<32-1))
}

// unseal opens the change of a record with the desk key. A gateway can't speak in the registry's name.
func unseal(desk []byte, address string, r wire.Record) (change wire.Change, err error) {
	plain, err := sealing.Unseal(desk, sealing.Change, address, r.Desk)
	if err != nil {
		return change, err
	}
	if err := wire.Decode(plain, &change); err != nil {
		return change, err
	}
	if change.Proof == wire.ProofRegistry {
		return change, errors.New("a gateway speaks in the registry's name")
	}
	return change, nil
}

// endCovered ends a grant whose check-in comes after a list that included it and no longer named
// it.
func endCovered(c *ledger.Change, b *building.Building, line building.Line, number uint64, id wire.ID) {
	g, now := b.Tenancies.Grants[id], c.Clock.Unix()
	switch {
	case number > b.Lines.Covered[line].Number, g == nil, !g.Known, g.Ended, len(b.Tenancies.Events[id]) > 1, b.Lists.Listed()[id]:
		return
	case g.Until() != 0 && g.Until() <= now, building.UnknownDoor(g, b.Doors()) != "":
		return
	}
	c.Say(b, wire.Change{Op: wire.OpEnd, Proof: wire.ProofRegistry, Tenancy: g.Tenancy, Grant: id, Cause: wire.CauseOrder})
}
