package retention

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Bounds of orders to preserve.
const (
	holdFor    = 7 * 24 * time.Hour
	holdMost   = 24 * time.Hour // of the log
	perOfficer = 10             // active ones
	holdsMost  = 200
	holdText   = 64 // bytes of what names officer, unit and case
)

// Preserve keeps a span of a door's entries from every erasing for a week, on an officer's order. It is in the ledger, in
// no list of entries and in nothing that goes to a building.
func (e *Eraser) Preserve(ctx context.Context, h api.Hold) (api.Hold, error) {
	if err := checkHold(&h); err != nil {
		return h, err
	}
	place, err := e.find(ctx, h.Gateway)
	if err != nil {
		return h, err
	}
	e.one.Lock()
	defer e.one.Unlock()
	now, _ := e.o.Clock.Now()
	if h.From.After(now) {
		return h, socket.Refused(http.StatusBadRequest, "order it again when it was", "the span begins in the future")
	}
	all := e.ledger.holds(now)
	same := func(other api.Hold) bool { return other.Officer == h.Officer }
	if n := len(slices.DeleteFunc(slices.Clone(all), func(o api.Hold) bool { return !same(o) })); n >= perOfficer || len(all) >= holdsMost {
		return h, socket.Refused(http.StatusTooManyRequests, "registryd preserved shows them; the oldest ends within a week; a mandate for what is needed longer",
			"%s are preserved for this officer, %s in all", amount.Of(n, "span"), amount.Of(len(all), "span"))
	}
	h.ID, h.Made, h.Ends = strings.ToLower(rand.Text()[:8]), now.UTC(), now.Add(holdFor).UTC()
	if err := e.add(ctx, line{At: now, Hold: &h}, line{At: now, Counted: &counted{preserved, place.District, place.Town}}); err != nil {
		return h, err
	}
	e.o.Log.Info().Str("hold", h.ID).Msg("a span of the log is preserved on an officer's order")
	return h, nil
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

func checkHold(h *api.Hold) error {
	if _, err := placeOf(h.Gateway); err != nil {
		return err
	}
	if !wire.ValidName(h.Door, false) {
		return socket.Refused(http.StatusBadRequest, "one door, by its name in the site file; another order for another door", "door %q", h.Door)
	}
	if !h.From.Before(h.To) || h.To.Sub(h.From) > holdMost {
		return socket.Refused(http.StatusBadRequest, "from before to, 24 hours at most; a mandate for more", "%s of the log", amount.Span(h.To.Sub(h.From)))
	}
	for what, text := range map[string]*string{"officer": &h.Officer, "unit": &h.Unit, "case number": &h.Case} {
		if *text = strings.TrimSpace(*text); *text == "" || len(*text) > holdText {
			return socket.Refused(http.StatusBadRequest, "officer, unit and case number as the order has them, at most 64 characters each", "no %s", what)
		}
	}
	return nil
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
