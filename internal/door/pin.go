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

// checkedPIN is the result of checking a PIN.
type checkedPIN struct {
	waitingPIN
	ok  bool
	err error
}

// askPIN keeps a granted card until its PIN comes. Each reader has one at a time: another card
// takes its place, and the same one is asked again.
func (d *Door) askPIN(w waitingPIN) {
	w.until = time.Now().Add(pinWait)
	missed, ok := d.pins.ask(w)
	if !ok {
		return
	}
	d.missPINs(missed)
	d.p.Show(w.head.Source, device.FeedbackEnterPIN)
}

// typed takes a PIN. Checking is slow on purpose, and is done beside the loop so that an exit
// button never waits for it.
func (d *Door) typed(ctx context.Context, e device.Event) {
	reader, ok := d.atReader(ctx, e)
	if !ok || reader.Direction == wire.DirectionOut { // no PIN is asked for on the way out
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
	case reader.Codes:
		if d.codes.open(ctx, &d.beside, d.records, reader, e.PIN) {
			return
		}
		d.deny(denied(reader, wire.ReasonBadCode), wire.Who{})
		return
	default:
		d.deny(denied(reader, wire.ReasonPINAlone), wire.Who{})
		return
	}
	waiting.asked = true
	w := *waiting
	d.beside.running.Go(func() {
		right, err := d.p.PINs.CheckPIN(w.who, e.PIN)
		select {
		case d.beside.checked <- checkedPIN{w, right, err}:
		case <-ctx.Done():
			d.records.unheard(w)
		}
	})
}

// answered goes on with a card whose PIN was checked. The card is decided on again, because its
// grant may have ended meanwhile.
func (d *Door) answered(c checkedPIN) {
	if d.pins.answered(c.waitingPIN) {
		d.p.Show(c.head.Source, d.machine.atRest())
	}
	if c.err != nil {
		d.p.Log.Warn().Err(c.err).Str("door", d.cfg.ID).Msg("PIN could not be checked")
	}
	c.query.Time = d.p.Clock()
	dec := access.Decide(d.p.Keys.Grants(), &c.query)
	c.who.Method = wire.MethodCardPIN
	c.head.Reason = dec.Reason
	switch {
	case c.head.Reason == wire.ReasonGranted && c.ok:
		d.grant(d.cfg.granting(c.head, c.who, dec.Doubtful))
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

// unheard records a card whose PIN never came, or was still being checked at the stop: it opened
// nothing.
func (r records) unheard(w waitingPIN) {
	w.head.Reason = wire.ReasonPINMissing
	r.queue(w.head, w.who)
}

// waitingPIN is a granted card that waits for its PIN at its reader.
type waitingPIN struct {
	head  wire.Header
	who   wire.Who
	query access.Query // decided again when the PIN is there
	until time.Time
	asked bool // a PIN is being checked: its result makes the entry
}

// pins are the cards that wait for their PIN, one a reader at most. For one
// goroutine.
type pins struct{ waiting []waitingPIN }

// at returns the card that waits at a reader; nil for none.
func (p *pins) at(reader string) *waitingPIN {
	for i := range p.waiting {
		if p.waiting[i].head.Source == reader {
			return &p.waiting[i]
		}
	}
	return nil
}

func (p *pins) end(reader string) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w waitingPIN) bool { return w.head.Source == reader })
}

// ask makes a card wait at its reader, in place of another, which is returned if its PIN never
// came. False: the same card waits, and its PIN is being checked.
func (p *pins) ask(w waitingPIN) (missed []waitingPIN, ok bool) {
	if old := p.at(w.head.Source); old != nil {
		same := *old.who.Credential == *w.who.Credential
		if same && old.asked {
			return nil, false
		}
		if !same && !old.asked {
			missed = []waitingPIN{*old}
		}
		p.end(w.head.Source)
	}
	p.waiting = append(p.waiting, w)
	return missed, true
}

// answered ends the wait of a card whose PIN was checked, and reports whether no other card waits
// at that reader by now.
func (p *pins) answered(c waitingPIN) (free bool) {
	w := p.at(c.head.Source)
	if w != nil && w.asked && w.until.Equal(c.until) {
		p.end(c.head.Source)
		return true
	}
	return w == nil
}

// drop ends the wait at a reader, and returns the card unless its PIN is being checked.
func (p *pins) drop(reader string) (waitingPIN, bool) {
	w := p.at(reader)
	if w == nil || w.asked {
		return waitingPIN{}, false
	}
	dropped := *w
	p.end(reader)
	return dropped, true
}

// expire ends the waits that are over, and returns their cards.
func (p *pins) expire(now time.Time) (missed []waitingPIN) {
	p.waiting = slices.DeleteFunc(p.waiting, func(w waitingPIN) bool {
		over := !now.Before(w.until)
		if over && !w.asked {
			missed = append(missed, w)
		}
		return over
	})
	return missed
}
