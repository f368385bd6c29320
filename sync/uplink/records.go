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
	greeted    bool   // a hello went before the next try
	storedLine uint64 // as last told to the desk
	stored     uint64
	shown      uint64 // number of the newest record that the siblings were sent, in shownLine
	shownLine  uint64
}

// renewTries is how often a record of a line that the registry does not know is
// delivered before a new line is begun: it may have been lost on the way.
const renewTries = 5

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
	if a.tries > 0 && !a.greeted {
		a.greeted = true
		a.greetAgain(now) // its answer says where the registry stands
		return now
	}
	p := a.records[0]
	a.publish(ctx, wire.TypeDelivery, a.place.Up(wire.TypeDelivery), wire.Delivery{Record: p.Envelope, Person: p.Person})
	a.deliverDue = now.Add(min(firstWait<<min(a.tries, 10), longWait))
	a.tries, a.greeted = a.tries+1, false
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

// recordsAcked takes what an ack says of the records.
func (a *actor) recordsAcked(k wire.Ack) {
	if a.o.Records == nil {
		return
	}
	line, made := a.o.Records.Head()
	if made == 0 {
		return
	}
	if a.linesDiffer(k, line, made) {
		a.o.Log.Warn().Uint64("registry", k.Records).Uint64("made", made).Msg("tenancy records begin a new line: the registry's numbering is another")
		if err := a.o.Records.Renew(k.Line, k.Records); err != nil {
			a.o.Log.Error().Err(err).Msg("a new line of tenancy records can't be begun; it is tried again")
		}
		a.recordsSoon()
		return
	}
	if k.Line != line || k.Records == 0 || line == a.storedLine && k.Records <= a.stored {
		return
	}
	a.storedLine, a.stored = line, k.Records
	a.o.Records.Stored(line, k.Records)
	if len(a.records) > 0 && a.records[0].Number <= k.Records {
		a.progress(changes)
	}
	a.recordsSoon()
}

// linesDiffer says whether the registry can take no record that is still here,
// or has more than were made: one of both was set back. Only the answer to a
// hello shows it; other acks may have been overtaken.
func (a *actor) linesDiffer(k wire.Ack, line, made uint64) bool {
	if a.ready {
		return false
	}
	var first uint64 // that the registry must take next
	if len(a.records) > 0 {
		first = a.records[0].Number
	}
	if k.Line == line {
		return k.Records > made || first > k.Records+1
	}
	return first > 1 || first == 1 && k.Line != 0 && a.tries >= renewTries
}
