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

// checkedPIN is what became of a PIN.
type checkedPIN struct {
	waitingPIN
	ok  bool
	err error
}

// askPIN keeps a granted card until its PIN comes. There is one at a time at each
// reader: another card takes its place, and the same one is asked anew.
func (d *Door) askPIN(w waitingPIN) {
	w.until = time.Now().Add(pinWait)
	missed, ok := d.pins.ask(w)
	if !ok {
		return
	}
	d.missPINs(missed)
	d.p.Show(w.head.Source, device.FeedbackEnterPIN)
}

// typed takes a PIN. Checking it is slow on purpose, and done beside the loop so
// that an exit button never waits for it.
func (d *Door) typed(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok || reader.Direction == wire.DirectionOut { // keys ask for nothing where everybody may leave
		return
	}
	waiting := d.pins.at(e.Source)
	switch {
	case waiting != nil && waiting.asked:
		return
	case waiting != nil:
	case d.p.Typed(Typed{Door: d.cfg.ID, Reader: e.Source, PIN: e.PIN}):
		d.p.Show(e.Source, device.FeedbackIdle)
		return
	default:
		d.deny(denied(reader, wire.ReasonPINAlone), wire.Who{})
		return
	}
	waiting.asked = true
	w := *waiting
	d.beside.running.Go(func() {
		right, err := d.p.PINs.Check(w.who, e.PIN)
		select {
		case d.beside.checked <- checkedPIN{w, right, err}:
		case <-ctx.Done():
			d.unheard(w)
		}
	})
}

// answered goes on with a card whose PIN was checked. The card is decided on
// again: its key may have ended meanwhile.
func (d *Door) answered(ctx context.Context, c checkedPIN) {
	if d.pins.answered(c.waitingPIN) {
		d.p.Show(c.head.Source, d.machine.atRest())
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

// missPINs denies cards whose PIN never came.
func (d *Door) missPINs(missed []waitingPIN) {
	for _, w := range missed {
		w.head.Reason = wire.ReasonPINMissing
		d.p.Show(w.head.Source, d.machine.atRest())
		d.deny(w.head, w.who)
	}
}

// unheard records a card whose PIN never came, or was still being checked at the stop:
// it opened nothing.
func (d *Door) unheard(w waitingPIN) {
	w.head.Reason = wire.ReasonPINMissing
	d.records.queue(w.head, w.who)
}
