package uplink

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
)

// renewTries is how often a record whose line the registry does not know is delivered before a new
// line begins: it may have been lost on the way. It doubles with each new line that brought no
// progress.
const renewTries = 5

// deliveries brings the desk's records to the registry in order, one in flight.
type deliveries struct {
	desk     Records
	log      zerolog.Logger
	waiting  []Pending // not yet stored at the registry
	fresh    bool      // waiting is up to date with the desk
	due      time.Time
	tries    int        // of the first one
	greeted  bool       // a hello was sent before the next try
	stored   recordMark // as last told to the desk
	sent     recordMark // of what was delivered in this run
	shown    recordMark // newest that the siblings were sent
	renewals int        // new lines without progress
	left     uint64     // epoch of the journal that was left with a new line
}

// recordMark is a place in a line of records.
type recordMark struct{ line, number uint64 }

// soon makes the next tick read the desk's records again.
func (d *deliveries) soon() { d.fresh = false }

// load reads the desk's records where that is due, and returns those to be shown to the siblings.
func (d *deliveries) load() (show []message) {
	if d.fresh {
		return nil
	}
	before := d.waiting
	d.waiting, d.fresh = d.desk.Pending(), true
	if len(d.waiting) == 0 {
		return nil
	}
	if first := d.waiting[0]; len(before) == 0 || first.Line != before[0].Line || first.Number != before[0].Number {
		d.due, d.tries = time.Time{}, 0
	}
	for _, p := range d.waiting {
		if p.Line != d.shown.line || p.Number > d.shown.number {
			d.shown = recordMark{p.Line, p.Number}
			show = append(show, message{building: true, signed: p.Envelope})
		}
	}
	return show
}

// next returns the first record that the registry lacks, when its next try is due; tries go on
// until the record is confirmed. hello: a hello must be sent before this try, because its answer
// says where the registry stands.
func (d *deliveries) next(now time.Time) (deliver []message, hello bool, next time.Time) {
	switch {
	case len(d.waiting) == 0:
		return nil, false, time.Time{}
	case now.Before(d.due):
		return nil, false, d.due
	case d.tries > 0 && !d.greeted:
		d.greeted = true
		return nil, true, now
	}
	p := d.waiting[0]
	d.sent = recordMark{p.Line, p.Number}
	d.due = now.Add(min(timing.FirstWait<<min(d.tries, 10), timing.LongWait))
	d.tries, d.greeted = d.tries+1, false
	return []message{{kind: wire.TypeDelivery, body: wire.Delivery{Record: p.Envelope, Person: p.Person}}}, false, d.due
}

// acked takes what an ack says of the records, and reports whether one that waits is
// confirmed. answer: it is to a hello; safe: it says what the registry can't lose. Only
// what this run has delivered counts, since the disk may have been rolled back.
func (d *deliveries) acked(k wire.Ack2, answer, safe bool) (progress bool) {
	line, made := d.desk.Head()
	if made == 0 {
		return false
	}
	if k.Line == line && safe { // one of the first format says nothing of it, and a bad line looks like one
		d.desk.Safe(line, k.SafeRecords)
	}
	behind := answer && d.desk.Behind(k.Line, k.Records)
	if answer && k.Line == line && d.stored.line == line && k.Records < d.stored.number {
		d.stored.number = k.Records // it has lost some, which are pending again
		d.soon()
	}
	if behind || answer && d.linesDiffer(k, line, made) {
		d.log.Warn().Uint64("registry", k.Records).Uint64("made", made).Msg("tenancy records begin a new line: the registry's numbering is another")
		d.renew(k)
		d.soon()
		return false
	}
	return d.confirm(k, line)
}

// confirm takes the confirmed records out, of those that this run has delivered.
func (d *deliveries) confirm(k wire.Ack2, line uint64) (progress bool) {
	n := min(k.Records, d.sent.number)
	if k.Line != line || d.sent.line != line || n == 0 || line == d.stored.line && n <= d.stored.number {
		return false
	}
	d.stored, d.renewals = recordMark{line, n}, 0
	d.desk.Stored(line, n)
	d.soon()
	return len(d.waiting) > 0 && d.waiting[0].Number <= n
}

// linesDiffer reports whether the registry can't take any record that is still here, or has more
// records than were made: one end was rolled back. Only the answer to a hello shows this. A
// registry that has another record under one of these numbers names no line.
func (d *deliveries) linesDiffer(k wire.Ack2, line, made uint64) bool {
	var first uint64 // the number that the registry must take next
	if pending := d.desk.Pending(); len(pending) > 0 {
		first = pending[0].Number
	}
	if k.Line == line {
		return k.Records > made || first > k.Records+1
	}
	if first > 1 {
		return true
	}
	if first == 1 && d.tries >= renewTries<<min(d.renewals, 8) {
		d.renewals++
		return true
	}
	return false
}

// leaveLine begins a new line of records when the journal shows that this disk was rolled back.
// Numbers alone may not show it, if as many records were made since as were lost. The line is left
// before the new epoch begins, so that a crash between the two repeats both.
func (d *deliveries) leaveLine(k wire.Ack2, epoch uint64) bool {
	if d.left == epoch {
		return true
	}
	if !d.renew(k) {
		return false
	}
	d.left = epoch
	d.soon()
	return true
}

func (d *deliveries) renew(k wire.Ack2) bool {
	err := d.desk.Renew(k.Line, k.Records)
	if err != nil {
		d.log.Error().Err(err).Msg("a new line of tenancy records can't be begun; it is tried again")
	}
	return err == nil
}

// noRecords is the desk of a gateway that makes none.
type noRecords struct{}

func (noRecords) Head() (line, number uint64)               { return 0, 0 }
func (noRecords) Pending() []Pending                        { return nil }
func (noRecords) Stored(uint64, uint64)                     {}
func (noRecords) Safe(uint64, uint64)                       {}
func (noRecords) Behind(uint64, uint64) bool                { return false }
func (noRecords) Renew(uint64, uint64) error                { return nil }
func (noRecords) Hear(string, []byte) error                 { return nil }
func (noRecords) Unsettled() (own [][]byte, have []wire.ID) { return nil, nil }
func (noRecords) Siblings() [][]byte                        { return nil }
