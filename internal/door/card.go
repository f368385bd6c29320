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

// Seen is what a card was, for those who wait for one (registration, adopt).
type Seen struct {
	Door, Reader string
	Card         device.Card
	Credential   wire.CredentialID
	Reason       wire.Reason
	Held         bool   // it is still there from before, and has had this answer
	Openeds      uint64 // how often the door was opened by then, where it has a contact
}

// sighting is the last card at a reader, under a name that is not its number (a
// raw number lives for one swipe), and what was said to it.
type sighting struct {
	reader string
	card   wire.CredentialID
	reason wire.Reason
	at     time.Time
}

// maxSightings is how many cards are told apart at the readers of a door: two
// that take turns on one reader are two presentations, not hundreds.
const maxSightings = 8

type appendResult struct {
	ref  wire.Ref
	head wire.Header
	err  error
}

// card decides. Exit readers release first; a grant waits for its record; a
// denial is recorded and not waited for.
func (d *Door) card(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok {
		return
	}
	q := access.Query{Door: d.cfg.ID, Time: d.p.Clock()}
	id, err := d.p.Keys.Identify(e.Card)
	q.Credential = id
	dec := access.Decision{Reason: wire.Reason(wire.ReasonNotReady)}
	if err == nil {
		dec = access.Decide(d.p.Keys.Grants(), q)
	}
	head := d.denied(reader, dec.Reason)
	held := d.isHeld(reader, e.Card, head.Reason)
	if d.p.Watch(Seen{Door: d.cfg.ID, Reader: e.Source, Card: e.Card, Credential: id, Reason: head.Reason, Held: held, Openeds: d.openeds}) {
		d.dropPIN(e.Source)
		head.Outcome, head.Reason = wire.OutcomeRefused, wire.ReasonCapture
		d.queue(head, wire.Who{})
		return
	}
	if held {
		return
	}
	who := d.who(id, dec, e.Card)
	switch {
	case reader.Direction == wire.DirectionOut:
		d.left(head, who)
	case head.Reason == wire.ReasonGranted && reader.PIN && d.p.PINs != nil && d.p.PINs.Has(*who.Tenancy):
		d.askPIN(head, who, q)
	case head.Reason == wire.ReasonGranted:
		d.grant(ctx, head, who, dec.Doubtful)
	default:
		d.deny(head, who)
	}
}

// atReader begins what every card and code begins with: exit readers release
// before anything else, what is too old is not acted on (false), and a reader
// that reads is well.
func (d *Door) atReader(ctx context.Context, e device.Event) (Reader, bool) {
	reader := d.reader(e.Source)
	if reader.Direction == wire.DirectionOut {
		d.step(ExitCard)
	} else if d.isStale(e) {
		d.event(ctx, device.Event{Kind: device.FaultSeen, Source: e.Source, Fault: fault.Stale})
		return reader, false
	}
	d.reads(e.Source)
	return reader, true
}

// denied is the entry of a decision at a reader, before anything better is known.
func (d *Door) denied(r Reader, why wire.Reason) wire.Header {
	return wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied, Reason: why,
		Door: d.cfg.ID, Source: r.ID, Direction: r.Direction}
}

// left records that an exit reader released.
func (d *Door) left(head wire.Header, who wire.Who) {
	head.Outcome, head.Reason = wire.OutcomeGranted, wire.ReasonExit
	d.queue(head, who)
}

func (d *Door) deny(head wire.Header, who wire.Who) {
	d.p.Show(head.Source, device.FeedbackDenied)
	d.step(DenyCard)
	d.repeats.denial(d, head, who)
}

// who names the card: a known one by its credential, an unknown one only under
// a key that is gone tomorrow, so that strangers leave no track.
func (d *Door) who(id wire.CredentialID, dec access.Decision, card device.Card) wire.Who {
	if r := dec.Reason; r == wire.ReasonUnknown || r == wire.ReasonNotReady {
		id = d.p.Keys.Anonymous(card)
		return wire.Who{Credential: &id, Method: wire.MethodCard}
	}
	grant, tenancy := dec.Grant, dec.Tenancy
	return wire.Who{Credential: &id, Grant: &grant, Tenancy: &tenancy, Method: wire.MethodCard}
}

// grant appends beside the loop, so that a slow disk never delays an exit
// button; granted goes on when the record is durable or its budget is spent.
// What only doubt about the time holds open says so in its entry.
func (d *Door) grant(ctx context.Context, head wire.Header, who wire.Who, doubtful bool) {
	head.Outcome = wire.OutcomeGranted
	if doubtful {
		head.Reason = wire.ReasonTermDoubtful
	}
	d.pending.Go(func() {
		budget, cancel := context.WithTimeout(ctx, d.cfg.Budget)
		defer cancel()
		ref, err := d.p.Recorder.Append(budget, head, who)
		select {
		case d.appended <- appendResult{ref, head, err}:
		case <-ctx.Done():
		}
	})
}

func (d *Door) granted(r appendResult) {
	d.stepFor(GrantCard, &r.ref)
	if r.err != nil {
		d.p.Log.Debug().Err(r.err).Str("door", d.cfg.ID).Msg("released before its record was durable")
		d.queue(wire.Header{Kind: wire.KindReleasedLate, Reason: wire.ReasonSlowDisk, Source: r.head.Source, Ref: &r.ref}, wire.Who{})
	}
}

func (d *Door) reader(id string) Reader {
	for _, r := range d.cfg.Readers {
		if r.ID == id {
			return r
		}
	}
	return Reader{ID: id, Direction: wire.DirectionIn}
}

// staleAfter is how old a card may be when its door gets to it.
const staleAfter = 2 * time.Second

// isStale reports whether a card was read so long ago that whoever held it may
// be gone: it waited in the kernel while this process hung.
func (d *Door) isStale(e device.Event) bool {
	return e.At != 0 && d.p.Monotonic != nil && d.p.Monotonic()-e.At > staleAfter
}

// isHeld reports whether the card has been on the reader since it was last
// seen, with the same answer: readers repeat a held card every 50 ms to 1 s. A
// key that ends meanwhile is told so.
func (d *Door) isHeld(r Reader, card device.Card, reason wire.Reason) bool {
	now := sighting{r.ID, d.p.Keys.Anonymous(card), reason, time.Now()}
	once := r.Once && r.Direction != wire.DirectionOut // to go out nobody waits for an answer
	hold := d.hold(once && !r.PIN && reason == wire.ReasonGranted)
	held := false
	d.last = slices.DeleteFunc(d.last, func(s sighting) bool {
		if now.at.Sub(s.at) >= hold {
			return true
		}
		same := s.reader == now.reader && s.card == now.card
		if same && s.reason == reason {
			held = true
			if once {
				now.at = s.at
			}
		}
		return same
	})
	d.last = append(d.last, now)
	if len(d.last) > maxSightings {
		d.last = d.last[1:]
	}
	return held
}

// hold returns how long a card seen again is the same presentation. Where a
// reader tells of each tap, who taps again because the door was not pulled in
// time gets an answer once the door is secured again: a card that such a reader
// repeats all the same lets in once for each release.
func (d *Door) hold(untilSecured bool) time.Duration {
	if untilSecured && d.machine.IsReleased() {
		return max(d.cfg.Hold, d.cfg.Budget+d.cfg.Rules.ReleaseTime)
	}
	return d.cfg.Hold
}
