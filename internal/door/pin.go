package door

import (
	"context"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// pinWait is how long a door waits for the whole PIN after the card.
const pinWait = 15 * time.Second

// waitingPIN is a card that was right and waits for its PIN at the reader that it
// was held up at.
type waitingPIN struct {
	head  wire.Header
	who   wire.Who
	query access.Query // asked again when the PIN is there
	until time.Time
	asked bool // a PIN is being checked
}

// checkedPIN is what became of a PIN.
type checkedPIN struct {
	waitingPIN
	ok  bool
	err error
}

// askPIN keeps a granted card until its PIN comes. There is one at a time at each
// reader: another card takes its place, and the same one is asked anew.
func (d *Door) askPIN(head wire.Header, who wire.Who, q access.Query) {
	if i := d.waits(head.Source); i >= 0 {
		w := d.waiting[i]
		again := *w.who.Credential == *who.Credential
		switch {
		case again && w.asked:
			return // its PIN is there
		case again:
			d.waiting = slices.Delete(d.waiting, i, i+1)
		default:
			d.missPIN(i)
		}
	}
	d.waiting = append(d.waiting, waitingPIN{head: head, who: who, query: q, until: time.Now().Add(pinWait)})
	d.p.Show(head.Source, device.FeedbackEnterPIN)
}

// waits returns which of the waiting cards is at a reader, -1 for none.
func (d *Door) waits(reader string) int {
	return slices.IndexFunc(d.waiting, func(w waitingPIN) bool { return w.head.Source == reader })
}

// typed takes a PIN. Checking it is slow on purpose, and done beside the loop so
// that an exit button never waits for it.
func (d *Door) typed(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	i := d.waits(e.Source)
	switch {
	case !ok || reader.Direction == wire.DirectionOut: // keys ask for nothing where everybody may leave
		return
	case i < 0 && d.p.Typed(Typed{Door: d.cfg.ID, Reader: e.Source, PIN: e.PIN}):
		d.p.Show(e.Source, device.FeedbackIdle)
		return
	case i < 0:
		d.deny(d.denied(reader, wire.ReasonPINAlone), wire.Who{})
		return
	case d.waiting[i].asked:
		return
	}
	d.waiting[i].asked = true
	w := d.waiting[i]
	d.pending.Go(func() {
		right, err := d.p.PINs.Check(w.who, e.PIN)
		select {
		case d.checked <- checkedPIN{w, right, err}:
		case <-ctx.Done():
			d.unheard(w)
		}
	})
}

// answered goes on with a card whose PIN was checked. The card is decided on
// again: its key may have ended meanwhile.
func (d *Door) answered(ctx context.Context, c checkedPIN) {
	i := d.waits(c.head.Source)
	if i >= 0 && d.waiting[i].asked && d.waiting[i].until.Equal(c.until) {
		d.waiting = slices.Delete(d.waiting, i, i+1)
		i = -1
	}
	if i < 0 { // no other card is asked for its PIN by now
		d.rest(c.head.Source)
	}
	if c.err != nil {
		d.p.Log.Warn().Err(c.err).Str("door", d.cfg.ID).Msg("PIN could not be checked")
	}
	c.query.Time = d.p.Clock()
	dec := access.Decide(d.p.Keys.Grants(), c.query)
	c.who.Method = wire.MethodCardPIN
	c.head.Reason = dec.Reason
	switch {
	case c.head.Reason == wire.ReasonGranted && c.ok:
		d.grant(ctx, c.head, c.who, dec.Doubtful)
		return
	case c.head.Reason == wire.ReasonGranted:
		c.head.Reason = wire.ReasonPINWrong
	}
	d.deny(c.head, c.who)
}

// expirePIN ends the waits for PINs that did not come.
func (d *Door) expirePIN(now time.Time) {
	for i := len(d.waiting) - 1; i >= 0; i-- {
		if !now.Before(d.waiting[i].until) {
			d.missPIN(i)
		}
	}
}

// missPIN ends a wait without a PIN.
func (d *Door) missPIN(i int) {
	w := d.waiting[i]
	d.waiting = slices.Delete(d.waiting, i, i+1)
	if w.asked {
		return // its answer is on the way, and makes the entry
	}
	w.head.Reason = wire.ReasonPINMissing
	d.rest(w.head.Source)
	d.deny(w.head, w.who)
}

// dropPIN ends a wait at a reader where the desk has taken the next card: what is typed
// there now is not for the door.
func (d *Door) dropPIN(reader string) {
	i := d.waits(reader)
	if i < 0 || d.waiting[i].asked {
		return
	}
	d.unheard(d.waiting[i])
	d.waiting = slices.Delete(d.waiting, i, i+1)
	d.rest(reader)
}

// unheard records a card whose PIN never came, or was still being checked at the stop:
// it opened nothing.
func (d *Door) unheard(w waitingPIN) {
	w.head.Reason = wire.ReasonPINMissing
	d.queue(w.head, w.who)
}

// rest ends the request for a PIN at a reader.
func (d *Door) rest(reader string) {
	f := device.FeedbackIdle
	if d.machine.State() == Held {
		f = device.FeedbackHeld
	}
	d.p.Show(reader, f)
}
