package door

import (
	"context"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// pinWait is how long a door waits for the whole PIN after the card.
const pinWait = 15 * time.Second

// waitingPIN is a card that was right and waits for its PIN. No reader: none is.
type waitingPIN struct {
	reader string
	head   wire.Header
	who    wire.Who
	query  access.Query // asked again when the PIN is there
	until  time.Time
	asked  bool // a PIN is being checked
}

// checkedPIN is what became of a PIN.
type checkedPIN struct {
	waitingPIN
	ok  bool
	err error
}

// askPIN keeps a granted card until its PIN comes. There is one at a time: the
// next card takes its place.
func (d *Door) askPIN(head wire.Header, who wire.Who, q access.Query) {
	d.expirePIN(time.Now().Add(pinWait))
	d.waiting = waitingPIN{reader: head.Source, head: head, who: who, query: q, until: time.Now().Add(pinWait)}
	d.p.Show(head.Source, device.FeedbackEnterPIN)
}

// typed takes a PIN. Checking it is slow on purpose, and done beside the loop so
// that an exit button never waits for it.
func (d *Door) typed(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	switch {
	case !ok || reader.Direction == wire.DirectionOut: // keys ask for nothing where everybody may leave
		return
	case d.waiting.reader != e.Source:
		d.deny(d.denied(reader, wire.ReasonPINAlone), wire.Who{})
		return
	case d.waiting.asked:
		return
	}
	d.waiting.asked = true
	w := d.waiting
	d.pending.Go(func() {
		right, err := d.p.PINs.Check(*w.who.Tenancy, e.PIN)
		select {
		case d.checked <- checkedPIN{w, right, err}:
		case <-ctx.Done():
		}
	})
}

// answered goes on with a card whose PIN was checked. The card is decided on
// again: its key may have ended meanwhile.
func (d *Door) answered(ctx context.Context, c checkedPIN) {
	if d.waiting.asked && d.waiting.until.Equal(c.until) {
		d.waiting = waitingPIN{}
	}
	d.rest(c.reader)
	if c.err != nil {
		d.p.Log.Warn().Err(c.err).Str("door", d.cfg.ID).Msg("PIN could not be checked")
	}
	now := d.p.Clock()
	c.query.Now, c.query.Trusted, c.query.Floor = now.Now, now.Trusted, now.Floor
	c.head.Reason = wire.Reason(access.Decide(d.p.Keys.Grants(), c.query).Reason)
	switch {
	case c.head.Reason == wire.ReasonGranted && c.ok:
		d.grant(ctx, c.head, c.who)
		return
	case c.head.Reason == wire.ReasonGranted:
		c.head.Reason = wire.ReasonPINWrong
	}
	d.deny(c.head, c.who)
}

// expirePIN ends the wait for a PIN that did not come.
func (d *Door) expirePIN(now time.Time) {
	w := d.waiting
	if w.reader == "" || now.Before(w.until) {
		return
	}
	d.waiting = waitingPIN{}
	if w.asked {
		return // its answer is on the way, and makes the entry
	}
	w.head.Reason = wire.ReasonPINMissing
	d.rest(w.reader)
	d.deny(w.head, w.who)
}

// rest ends the request for a PIN at a reader.
func (d *Door) rest(reader string) {
	f := device.FeedbackIdle
	if d.machine.State() == Held {
		f = device.FeedbackHeld
	}
	d.p.Show(reader, f)
}
