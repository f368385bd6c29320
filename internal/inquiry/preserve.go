package inquiry

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/holds"
	"gatehouse/internal/inquiry/when"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// Kept is what an order to preserve gets. It tells nothing of the log.
type Kept struct {
	Left  time.Duration // it holds for so long from now, at least
	Until time.Time     // that is until then; zero: the gateway does not know the time
	Again bool          // the order was taken before, and counts from then
}

// Preserve takes an officer's order: the entry that says so is durable before the hold takes effect. The error
// is a *mandate.Refusal where the order is refused.
func (d *Desk) Preserve(ctx context.Context, envelope []byte) (k Kept, err error) {
	house := d.o.House()
	if len(house.Trust.Records) == 0 {
		return k, ErrNoAuthority
	}
	d.turn.Lock()
	defer d.turn.Unlock()
	q := query{Sources: d.o, house: house, envelope: envelope}
	order, refusal := holds.Judge(envelope, house.Trust, holds.Question{Place: house.Place, Doors: house.doors(), Now: d.o.Now().Interval})
	if refusal != nil {
		return k, d.turnAway(ctx, &q, refusal)
	}
	q.reference = order.Order.Reference[:]
	if d.o.Holds.Left(order.Order.Reference) > 0 {
		return d.kept(order, true), nil
	}
	if refusal := d.o.Holds.Room(order.Officer); refusal != nil {
		return k, d.turnAway(ctx, &q, refusal)
	}
	o, id := order.Order, wire.IDOf(order.Officer.Public[:])
	span := sealed.Span{Door: o.Door, From: o.From, Until: o.Until, Case: o.Case}
	if err := q.write(ctx, sealed.Record{What: sealed.Held, Mandate: order.Sum[:], Reference: q.reference, Approver: id[:], Span: &span}); err != nil {
		return k, err
	}
	if err := d.o.Holds.Take(order); err != nil {
		return k, fmt.Errorf("%w: %w", ErrNotHeld, err)
	}
	return d.kept(order, false), nil
}

func (d *Desk) kept(t holds.Taken, again bool) Kept {
	k := Kept{Left: d.o.Holds.Left(t.Order.Reference), Again: again}
	if now := d.o.Now(); when.Sure(now.Quality) {
		k.Until = now.Wall.Add(k.Left)
	}
	return k
}

func (h House) doors() (names []string) {
	for _, d := range h.Doors {
		names = append(names, d.ID)
	}
	return names
}
