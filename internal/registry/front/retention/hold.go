package retention

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/holds"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Bounds of orders to preserve. How wide one is, and how old, package holds judges.
const (
	perOfficer = 10 // active ones
	holdsMost  = 200
)

// Preserve keeps a span of a door's entries from every erasing for a week, on an officer's signed order. It is in the ledger, in
// no list of entries and in nothing that goes to a building. A refusal is no error; whether the officer is still enrolled is
// for who has the list of the officers.
func (e *Eraser) Preserve(ctx context.Context, o api.Order) (api.Preserved, error) {
	order, refusal := holds.Open(o.Envelope, e.o.Trust())
	if refusal != nil {
		return api.Preserved{Refusal: refusal}, nil
	}
	place, err := e.find(ctx, order.Order.Gateway)
	if err != nil {
		return api.Preserved{}, err
	}
	doors, err := e.o.Doors(ctx, place, order.Order)
	if err != nil {
		return api.Preserved{}, err
	}
	first, last := e.o.Clock.Span()
	order, refusal = holds.Judge(o.Envelope, e.o.Trust(), holds.Question{Place: place, Doors: doors, Now: trueclock.Interval{Sure: first.Unix(), Lo: first.Unix(), Hi: last.Unix()}})
	if refusal != nil {
		return api.Preserved{Refusal: refusal}, nil
	}
	e.one.Lock()
	defer e.one.Unlock()
	p, err := e.preserve(ctx, place, holdOf(order))
	p.DoorUnknown = p.Hold != nil && doors == nil
	return p, err
}

func holdOf(t holds.Taken) api.Hold {
	o, c := t.Order, t.Officer
	key := wire.IDOf(c.Public[:])
	return api.Hold{Reference: o.Reference, Gateway: o.Gateway, Door: o.Door, From: time.Unix(int64(o.From), 0).UTC(), To: time.Unix(int64(o.Until), 0).UTC(),
		Key: hex.EncodeToString(key[:]), Officer: c.Badge, Unit: c.Unit, Case: o.Case}
}

// preserve writes an order down, unless it is there already.
func (e *Eraser) preserve(ctx context.Context, place wire.Place, h api.Hold) (api.Preserved, error) {
	now, _ := e.o.Clock.Now()
	all := e.ledger.holds(now)
	if i := slices.IndexFunc(all, func(o api.Hold) bool { return o.Reference == h.Reference }); i >= 0 {
		return api.Preserved{Hold: &all[i]}, nil
	}
	mine := 0
	for _, o := range all {
		if o.Key == h.Key {
			mine++
		}
	}
	if refusal := holds.RoomFor(mine, perOfficer, len(all) >= holdsMost); refusal != nil {
		return api.Preserved{Refusal: refusal}, nil
	}
	h.ID, h.Made, h.Ends = strings.ToLower(rand.Text()[:8]), now.UTC(), now.Add(holds.For).UTC()
	if err := e.add(ctx, line{At: now, Hold: &h}, line{At: now, Counted: &counted{preserved, place.District, place.Town}}); err != nil {
		return api.Preserved{}, err
	}
	e.o.Log.Info().Str("hold", h.ID).Msg("a span of the log is preserved on an officer's order")
	return api.Preserved{Hold: &h}, nil
}

// Prolong makes the orders for a gateway that a mandate covers last until that expires, which is answered for it now.
func (e *Eraser) Prolong(ctx context.Context, gateway string, m mandates.Mandate) error {
	_, id, _ := strings.Cut(gateway, "/")
	doors, from, until, expires := m.Request.Doors(id), time.Unix(int64(m.Request.From), 0), time.Unix(int64(m.Request.Until), 0), time.Unix(int64(m.Expires), 0).UTC()
	e.one.Lock()
	defer e.one.Unlock()
	now, _ := e.o.Clock.Now()
	var longer []line
	for _, h := range e.ledger.holds(now) {
		if h.Gateway == gateway && slices.Contains(doors, h.Door) && !h.From.Before(from) && !h.To.After(until) && h.Ends.Before(expires) {
			h.Ends = expires
			longer = append(longer, line{At: now, Hold: &h})
		}
	}
	if len(longer) == 0 {
		return nil
	}
	return e.add(ctx, longer...)
}

// find returns where a gateway is, and refuses the address of one that never sent anything.
func (e *Eraser) find(ctx context.Context, address string) (wire.Place, error) {
	building, _, _ := strings.Cut(address, "/")
	all, err := e.o.Store.Gateways(ctx, building, time.Time{})
	if err != nil {
		return wire.Place{}, err
	}
	if i := slices.IndexFunc(all, func(g store.Gateway) bool { return g.Place.Address() == address }); i >= 0 {
		return all[i].Place, nil
	}
	return wire.Place{}, socket.Refused(http.StatusNotFound, "registryd gateways shows them", "no gateway %s", address)
}

// Holds are the active orders.
func (e *Eraser) Holds() []api.Hold {
	e.one.Lock()
	defer e.one.Unlock()
	now, _ := e.o.Clock.Now()
	return e.ledger.holds(now)
}

// holdsEntry reports whether an order keeps an entry of a batch. One whose clock was not known to be good may be of any time
// that the batch's clocks say, until it was stored.
func holdsEntry(all []api.Hold, row store.Batch, h wire.Header) bool {
	from, to := h.Time(), h.Time()
	if h.Clock < wire.ClockRTC {
		from, to = time.UnixMilli(row.WallFrom), time.UnixMilli(row.WallTo)
		if row.Stored.After(to) {
			to = row.Stored
		}
	}
	return slices.ContainsFunc(all, func(o api.Hold) bool {
		return o.Gateway == row.Place.Address() && o.Door == h.Door && !from.After(o.To) && !to.Before(o.From)
	})
}
