package desk

import (
	"context"
	"sync/atomic"
	"time"

	"gatehouse/sync/wire"
)

// A card that the landlord alone wants to stop goes on opening for the days of a
// notice, counted in time that this gateway runs: no clock shortens them. A door
// that takes the card meanwhile shows that it is not lost. Doors of siblings do
// too: each keeps its own mark, and brings the card back when it hears that it
// was stopped all the same.

// publishStops tells the doors which cards are to stop, and which came on the
// landlord's word.
func (d *Desk) publishStops() {
	all, unproven := map[wire.CredentialID]*atomic.Bool{}, map[wire.CredentialID]bool{}
	for _, t := range d.book.Tenancies {
		for i := range t.Cards {
			k := &t.Cards[i]
			for _, id := range k.Credentials {
				if k.Unproven {
					unproven[id] = true
				}
			}
			if k.Stop == nil {
				continue
			}
			if k.Stop.mark == nil {
				k.Stop.mark = &atomic.Bool{}
				k.Stop.mark.Store(k.Stop.Used)
			}
			for _, id := range k.Credentials {
				all[id] = k.Stop.mark
			}
		}
	}
	d.stops.Store(&all)
	d.unproven.Store(&unproven)
}

// foldUses takes the doors' marks into the book.
func (d *Desk) foldUses() {
	for _, t := range d.book.Tenancies {
		for _, k := range t.Cards {
			if k.Stop != nil && k.Stop.mark != nil && k.Stop.mark.Load() {
				k.Stop.Used = true
			}
		}
	}
}

// countStops takes the time that has passed from the days that cards still open.
func (d *Desk) countStops(ctx context.Context, passed time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.foldUses()
	for _, t := range d.book.Tenancies {
		for i := range t.Cards {
			k := &t.Cards[i]
			switch s := uint32(min(max(passed, 0)/time.Second, 1<<31)); {
			case k.Stop == nil:
			case k.Stopped && k.Stop.Used:
				d.sayOf(ctx, t, k, wire.OpResume, wire.ProofCard)
			case k.Stop.Left > s:
				k.Stop.Left -= s
			case k.Stop.Left > 0:
				d.stopsNow(ctx, t, k)
			}
		}
	}
}

// stopsNow ends the days of a card: it stops, unless it was used or it would be the
// last one that opens.
func (d *Desk) stopsNow(ctx context.Context, t *tenancy, k *card) {
	st := d.standing(t, holdings(d.p.Keyring.Grants())[t.ID])
	others := 0
	for _, c := range st.cards {
		if c.State == stateActive && !k.meets(c.credentials) {
			others++
		}
	}
	if k.Stop.Used || others == 0 || t.state(st, d.p.Clock().surely()) == stateEnded {
		k.Stop = nil
		_ = d.save() // logged there; after a restart the last hour is counted again
		return
	}
	d.sayOf(ctx, t, k, wire.OpSuspend, wire.ProofLandlord)
}

// sayOf records a suspension or its end, which is tried again in a minute if it
// can't be.
func (d *Desk) sayOf(ctx context.Context, t *tenancy, k *card, op wire.Op, proof wire.Proof) {
	clock := d.p.Clock()
	c := wire.Change{Op: op, At: max(clock.now(), k.Word+1), Clock: clock.Quality, Proof: proof, Tenancy: t.ID, Grant: k.Grant}
	for _, id := range k.Credentials {
		c.Credentials = append(c.Credentials, id)
	}
	reg, err := d.registry()
	if err == nil {
		_, err = d.record(ctx, reg, c, nil)
	}
	if err != nil {
		d.p.Log.Warn().Err(err).Str("change", op.String()).Msg("a card's change waits; it is tried again")
	}
}

// saveStops writes the days that are left, if any card has some.
func (d *Desk) saveStops() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(*d.stops.Load()) > 0 {
		_ = d.save() // logged there
	}
}
