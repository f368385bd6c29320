package door

import (
	"context"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// card decides on a card. Exit readers release first; a grant waits for its record; a denial is
// recorded and not waited for.
func (d *Door) card(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok {
		return
	}
	id, err := d.p.Keys.Identify(e.Card)
	q := access.Query{Credential: id, Door: d.cfg.ID, Time: d.p.Clock()}
	dec := access.Decision{Reason: wire.Reason(wire.ReasonNotReady)}
	if err == nil {
		dec = access.Decide(d.p.Keys.Grants(), &q)
	}
	head := denied(reader, dec.Reason)
	held := d.isHeld(reader, e.Card, head.Reason)
	if d.p.Watch(Seen{Door: d.cfg.ID, Reader: e.Source, Card: e.Card, Credential: id, Reason: head.Reason, Held: held, Openeds: d.inputs.openings}) {
		if w, ok := d.pins.drop(e.Source); ok { // what is typed there now is not for the door
			d.records.unheard(w)
			d.p.Show(e.Source, d.machine.atRest())
		}
		head.Outcome, head.Reason = wire.OutcomeRefused, wire.ReasonCapture
		d.records.queue(head, wire.Who{})
		return
	}
	if held {
		return
	}
	holder := d.beside.grants.holder()
	who := holder.whose(d.p.Keys, id, dec, e.Card)
	switch {
	case reader.Direction == wire.DirectionOut:
		d.records.left(head, who)
	case head.Reason == wire.ReasonGranted && reader.PIN && d.p.PINs.HasPIN(*who.Tenancy):
		d.askPIN(waitingPIN{head: head, who: who, query: q})
		return // who waits, too
	case head.Reason == wire.ReasonGranted:
		g := d.cfg.granting(head, who, dec.Doubtful)
		g.holder = holder
		d.grant(g)
		return
	default:
		d.deny(head, who)
	}
	d.beside.grants.free(holder)
}

// atReader does what comes first for every card and code: exit readers release, stale ones are
// dropped (false), and the reader is marked as working.
func (d *Door) atReader(ctx context.Context, e device.Event) (Reader, bool) {
	reader := d.cfg.reader(e.Source)
	if reader.Direction == wire.DirectionOut {
		d.step(ExitCard)
	} else if d.p.isStale(e) {
		d.event(ctx, device.Event{Kind: device.FaultSeen, Source: e.Source, Fault: fault.Stale})
		return reader, false
	}
	d.publishIf(d.devices.reads(e.Source))
	return reader, true
}

// denied returns the entry of a denial at a reader.
func denied(r Reader, why wire.Reason) wire.Header {
	return wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Reason: why, Source: r.ID, Direction: r.Direction}
}

// left records that an exit reader released.
func (r records) left(head wire.Header, who wire.Who) {
	head.Outcome, head.Reason = wire.OutcomeGranted, wire.ReasonExit
	r.queue(head, who)
}

func (d *Door) deny(head wire.Header, who wire.Who) {
	d.p.Show(head.Source, device.FeedbackDenied)
	d.step(DenyCard)
	d.repeats.denial(head, who)
}

// holder is the memory of a card's who part.
type holder struct {
	id             wire.CredentialID
	grant, tenancy wire.ID
}

// whose returns the who part for a card: a known one by its credential, an unknown one only under a
// key that lasts a day, so that strangers leave no track.
func (h *holder) whose(k Keys, id wire.CredentialID, dec access.Decision, card device.Card) wire.Who {
	if r := dec.Reason; r == wire.ReasonUnknown || r == wire.ReasonNotReady {
		h.id = k.Anonymous(card)
		return wire.Who{Credential: &h.id, Method: wire.MethodCard}
	}
	h.id, h.grant, h.tenancy = id, dec.Grant, dec.Tenancy
	return wire.Who{Credential: &h.id, Grant: &h.grant, Tenancy: &h.tenancy, Method: wire.MethodCard}
}

// granting returns the grant of a card or pass. One that only doubt about the time keeps open says so in its
// entry.
func (c *Config) granting(head wire.Header, who wire.Who, doubtful bool) grant {
	head.Door, head.Outcome = c.ID, wire.OutcomeGranted
	if doubtful {
		head.Reason = wire.ReasonTermDoubtful
	}
	return grant{head: head, who: who, until: time.Now().Add(c.Budget)}
}

// grant records a grant. The loop goes on, so that a slow disk never delays an exit button, and opens
// when the record is durable or its budget is spent.
func (d *Door) grant(g grant) {
	if !d.beside.grants.record(&g) {
		d.granted(g)
	}
}

// granted opens for a grant whose record has an outcome.
func (d *Door) granted(g grant) {
	defer d.beside.grants.over(&g)
	if !g.opens() {
		d.deny(g.head, g.who)
		return
	}
	d.lock.grant = g.ref
	d.step(GrantCard)
	d.p.Granted(g.head, g.who, g.ref, g.err)
	if g.err != nil {
		d.p.Log.Debug().Err(g.err).Str("door", d.cfg.ID).Msg("released before its record was durable")
		d.records.queue(wire.Header{Kind: wire.KindReleasedLate, Reason: wire.ReasonSlowDisk, Source: g.head.Source, Ref: &d.lock.grant}, wire.Who{})
	}
}

// isHeld reports whether a card is still on the reader and has had this answer. Where a reader
// reports each tap, somebody who taps again because the door was not pulled in time gets an answer
// once the door is secured again: a card that such a reader repeats all the same opens once for
// each release.
func (d *Door) isHeld(r Reader, card device.Card, reason wire.Reason) bool {
	once := r.Once && r.Direction != wire.DirectionOut // to go out nobody waits for an answer
	hold := d.cfg.Hold
	if r.Apart {
		hold = 0
	}
	if once && !r.PIN && reason == wire.ReasonGranted && d.machine.IsReleased() {
		hold = max(hold, d.cfg.Budget+d.cfg.Rules.ReleaseTime)
	}
	return d.sightings.again(sighting{r.ID, d.p.Keys.Anonymous(card), reason, time.Now()}, once, hold)
}

// sighting is the last card at a reader, under a name that is not its number (a raw number lives
// for one swipe), and its answer.
type sighting struct {
	reader string
	card   wire.CredentialID
	reason wire.Reason
	at     time.Time
}

// maxSightings is how many cards are told apart at the readers of a door: two cards that alternate
// on one reader are two presentations, not hundreds.
const maxSightings = 8

// sightings are the last cards at a door's readers, oldest first. For one goroutine.
type sightings struct{ last []sighting }

// again reports whether a card was seen on its reader with the same answer within hold. Readers
// repeat a held card every 50 ms to 1 s, so it is being held. A grant that ends meanwhile changes
// the answer. At a reader that reports a card once, a repetition does not extend hold.
func (s *sightings) again(now sighting, once bool, hold time.Duration) bool {
	held := false
	s.last = slices.DeleteFunc(s.last, func(old sighting) bool {
		same := old.reader == now.reader && old.card == now.card
		if same && old.reason == now.reason && now.at.Sub(old.at) < hold {
			held = true
			if once {
				now.at = old.at
			}
		}
		return same
	})
	if len(s.last) == maxSightings {
		s.last = slices.Delete(s.last, 0, 1) // in place
	}
	s.last = append(s.last, now)
	return held
}
