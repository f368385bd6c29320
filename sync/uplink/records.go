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
	sentLine   uint64 // of what was delivered in this run
	sentNumber uint64
	renewals   int    // for want of progress, since the last
	shown      uint64 // number of the newest record that the siblings were sent, in shownLine
	shownLine  uint64
}

// renewTries is how often a record of a line that the registry does not know is
// delivered before a new line is begun: it may have been lost on the way. It
// doubles with each line that brought nothing.
const renewTries = 5

// recordsSoon has the desk asked for its records at the next tick.
func (a *actor) recordsSoon() { a.fresh = false }

// deliver sends the first record that the registry lacks until it is confirmed,
// and shows new ones to the siblings.
func (a *actor) deliver(ctx context.Context, now time.Time) time.Time {
	if a.o.Records == nil || !a.connection.up {
		return time.Time{}
	}
	if !a.fresh {
		a.loadRecords(ctx)
	}
	switch {
	case len(a.records) == 0 || !a.connection.agrees():
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
	a.outbox.say(ctx, message{kind: wire.TypeDelivery, body: wire.Delivery{Record: p.Envelope, Person: p.Person}})
	a.sentLine, a.sentNumber = p.Line, p.Number
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
			a.outbox.say(ctx, message{building: true, signed: p.Envelope})
		}
	}
}

// recordsAcked takes what an ack says of the records; answer: to a hello. It
// counts for what this run has delivered: that the registry has so many is no
// proof that it has these, if the disk was set back.
func (a *actor) recordsAcked(k wire.Ack2, answer bool, now time.Time) {
	if a.o.Records == nil {
		return
	}
	line, made := a.o.Records.Head()
	if made == 0 {
		return
	}
	if k.Line == line && a.spoken > 1 { // one of the first format says nothing of it, and a bad line looks like one
		a.o.Records.Safe(line, k.SafeRecords)
	}
	behind := answer && a.o.Records.Behind(k.Line, k.Records)
	if answer && k.Line == line && a.storedLine == line && k.Records < a.stored {
		a.stored = k.Records // it has lost some, which are pending again
		a.recordsSoon()
	}
	if behind || answer && a.linesDiffer(k, line, made) {
		a.o.Log.Warn().Uint64("registry", k.Records).Uint64("made", made).Msg("tenancy records begin a new line: the registry's numbering is another")
		if err := a.o.Records.Renew(k.Line, k.Records); err != nil {
			a.o.Log.Error().Err(err).Msg("a new line of tenancy records can't be begun; it is tried again")
		}
		a.recordsSoon()
		return
	}
	n := min(k.Records, a.sentNumber)
	if k.Line != line || a.sentLine != line || n == 0 || line == a.storedLine && n <= a.stored {
		return
	}
	a.storedLine, a.stored, a.renewals = line, n, 0
	a.o.Records.Stored(line, n)
	if len(a.records) > 0 && a.records[0].Number <= n {
		a.progress(changes, now)
	}
	a.recordsSoon()
}

// linesDiffer says whether the registry can take no record that is still here,
// or has more than were made: one of both was set back. Only the answer to a
// hello shows it; other acks may have been overtaken. A registry that has another
// record of one of these numbers names no line.
func (a *actor) linesDiffer(k wire.Ack2, line, made uint64) bool {
	var first uint64 // that the registry must take next
	if pending := a.o.Records.Pending(); len(pending) > 0 {
		first = pending[0].Number
	}
	if k.Line == line {
		return k.Records > made || first > k.Records+1
	}
	if first > 1 {
		return true
	}
	if first == 1 && a.tries >= renewTries<<min(a.renewals, 8) {
		a.renewals++
		return true
	}
	return false
}

// leaveLine begins a new line of records when the journal shows that this disk
// was set back: as many may have been made since as were lost, so that numbers
// alone would show nothing. It comes before the new epoch: after a crash between
// the two it is done again, and not left out.
func (a *actor) leaveLine(k wire.Ack2) bool {
	epoch := a.o.Journal.Status().Epoch
	if a.o.Records == nil || a.leftEpoch == epoch {
		return true
	}
	if err := a.o.Records.Renew(k.Line, k.Records); err != nil {
		a.o.Log.Error().Err(err).Msg("a new line of tenancy records can't be begun; it is tried again")
		return false
	}
	a.leftEpoch = epoch
	a.recordsSoon()
	return true
}
