package door

import (
	"cmp"
	"context"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// Listen runs a door at which another controller decides (Config.Listening), in place of Run, until
// ctx ends: its readers' cards are learned and nothing else is done. It drives no lock, decides
// nothing, shows nothing, and records no passage, since none was its own.
func Listen(ctx context.Context, d *Door) error {
	tick := time.NewTicker(cmp.Or(max(d.cfg.Tick, 0), time.Hour))
	defer tick.Stop()
	for ctx.Err() == nil {
		if d.p.Tick != nil {
			d.p.Tick()
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case e := <-d.p.Events:
			heard(d, e)
		}
	}
	return nil
}

// heard takes an event of a reader that is only listened to. A fault shows in the status and makes
// no entry: where a format is not known yet, each passage would make one.
func heard(d *Door, e device.Event) {
	switch e.Kind {
	case device.CardRead:
		hear(d, e) // the status stays as it is: a fault that clears would show that somebody came
	case device.FaultSeen:
		d.publishIf(d.devices.faulty(e))
	case device.FaultCleared:
		d.publishIf(d.devices.cleared(e))
	case device.WentOffline:
		d.publishIf(d.devices.set(e.Source, false, e.Fault))
		d.records.queue(wire.Header{Kind: wire.KindOffline, Reason: wire.Reason(e.Fault), Source: e.Source}, wire.Who{})
	case device.CameOnline:
		d.publishIf(d.devices.set(e.Source, true, fault.None))
		d.records.queue(wire.Header{Kind: wire.KindOnline, Source: e.Source}, wire.Who{})
	}
}

// hear gives a card to whoever learns cards, with the answer that the door would give.
func hear(d *Door, e device.Event) {
	id, err := d.p.Keys.Identify(e.Card)
	if err != nil {
		return // without the building's key a card has no name
	}
	reason := access.Decide(d.p.Keys.Grants(), &access.Query{Credential: id, Door: d.cfg.ID, Time: d.p.Clock()}).Reason
	held := d.isHeld(d.cfg.reader(e.Source), e.Card, reason)
	d.p.Watch(Seen{Door: d.cfg.ID, Reader: e.Source, Card: e.Card, Credential: id, Reason: reason, Held: held})
}
