package uplink

import (
	"context"
	"time"

	"gatehouse/sync/wire"
)

// deliveries brings the desk's records to the registry in order, one in flight.
type deliveries struct {
	records    []Pending // not yet stored there
	fresh      bool      // records is what the desk has
	deliverDue time.Time
	tries      int    // of the first one
	storedLine uint64 // as last told to the desk
	stored     uint64
	shown      uint64 // number of the newest record that the siblings were sent, in shownLine
	shownLine  uint64
}

// renewTries is how often the registry may answer a delivery with another line
// before a new one is begun: its first answers may have been under way.
const renewTries = 3

func (a *actor) delivering() bool { return len(a.records) > 0 }

// recordsSoon has the desk asked for its records at the next tick.
func (a *actor) recordsSoon() { a.fresh = false }

// deliver sends the first record that the registry lacks until it is confirmed,
// and shows new ones to the siblings.
func (a *actor) deliver(ctx context.Context, now time.Time) time.Time {
	if a.o.Records == nil || !a.up {
		return time.Time{}
	}
	if !a.fresh {
		a.loadRecords(ctx)
	}
	switch {
	case len(a.records) == 0 || !a.ready:
		return time.Time{}
	case now.Before(a.deliverDue):
		return a.deliverDue
	}
	p := a.records[0]
	a.publish(ctx, wire.TypeDelivery, a.place.Up(wire.TypeDelivery), wire.Delivery{Record: p.Envelope, Person: p.Person})
	a.deliverDue = now.Add(min(firstWait<<min(a.tries, 10), longWait))
	a.tries++
	return a.deliverDue
}

func (a *actor) loadRecords(ctx context.Context) {
	before := a.records
	a.records, a.fresh = a.o.Records.Pending(), true
	if len(a.records) == 0 {
		return
	}
	if first := a.records[0]; len(before) == 0 || first.Line != before[0].Line || first.Number != before[0].Number {
		a.deliverDue, a.tries = time.Time{}, 0
	}
	for _, p := range a.records {
		if p.Line != a.shownLine || p.Number > a.shown {
			a.shownLine, a.shown = p.Line, p.Number
			a.put(ctx, a.place.House(a.place.Gateway), p.Envelope)
		}
	}
}

// recordsAcked compares the registry's numbering with the desk's. Where the
// registry is ahead, or can take no record that is still here, one of both was
// set back, and a new line goes on.
func (a *actor) recordsAcked(k wire.Ack, now time.Time) {
	if a.o.Records == nil {
		return
	}
	line, made := a.o.Records.Head()
	if made == 0 {
		return
	}
	var first uint64 // that the registry must take next
	if len(a.records) > 0 {
		first = a.records[0].Number
	}
	same := k.Line == line
	switch {
	case same && k.Records > made, same && first > k.Records+1,
		!same && first > 1 && !a.ready, // it knows nothing of this line, and the beginning is not here
		!same && a.tries > renewTries:
		a.o.Log.Warn().Uint64("registry", k.Records).Uint64("made", made).Msg("tenancy records begin a new line: the registry's numbering is another")
		if err := a.o.Records.Renew(k.Line, k.Records); err != nil {
			a.o.Log.Error().Err(err).Msg("a new line of tenancy records can't be begun; it is tried again")
			return
		}
		a.recordsSoon()
	case same && (line != a.storedLine || k.Records > a.stored) && k.Records > 0:
		a.storedLine, a.stored = line, k.Records
		a.o.Records.Stored(line, k.Records)
		a.recordsSoon()
		if first > 0 && first <= k.Records {
			a.progress()
		}
	}
}
