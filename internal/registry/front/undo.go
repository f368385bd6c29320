package front

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// A clock that ran ahead has signed a time that gateways go by wherever nothing
// fresher tells one. Two issuers take it back at each of them; the front carries it
// there, at once and with each hello that still names that time.

// undo is one that is not taken yet.
type undo struct {
	floor    wire.Floor
	envelope []byte
}

// putUndo keeps what two issuers have signed for a gateway, and sends it.
func (f *Front) putUndo(ctx context.Context, u api.Undo) (any, error) {
	f.mu.RLock()
	g := f.gateways[u.Building+"/"+u.Gateway]
	member := g != nil && g.member
	f.mu.RUnlock()
	if !member {
		return nil, fmt.Errorf("undo: no gateway %s/%s", u.Building, u.Gateway)
	}
	place := f.placeOf(g)
	floor, err := keys.OpenUndo(u.Envelope, place, f.authority.Load().trust)
	if err != nil {
		return nil, fmt.Errorf("undo for %s: %w", g.address, err)
	}
	f.mu.RLock()
	named := g.view.hello.Floor
	f.mu.RUnlock()
	if floor != named {
		return nil, fmt.Errorf("undo for %s: %w", g.address, keys.ErrOtherFloor)
	}
	if err := f.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return tx.PutUndo(u.Building, u.Gateway, u.Envelope)
	}); err != nil {
		return nil, err
	}
	f.mu.Lock()
	g.undo = undo{floor, u.Envelope}
	f.mu.Unlock()
	out := api.Pushed{}
	if f.send(place.Down(wire.TypeUndo), u.Envelope) && f.online(g) {
		out.Pushed++
	}
	return out, nil
}

// loadUndos reads those that were not taken before this start. f.mu is held.
func (f *Front) loadUndos(ctx context.Context) error {
	return f.store.Undos(ctx, func(building, gateway string, envelope []byte) {
		g := f.gateways[building+"/"+gateway]
		if g == nil {
			return
		}
		if floor, err := keys.OpenUndo(envelope, g.place, f.authority.Load().trust); err == nil {
			g.undo = undo{floor, envelope}
		}
	})
}

// again sends what waits for a gateway that still names that time, and forgets it
// where it names another.
func (u undo) again(t *txn, g *gateway, hello wire.Hello2) error {
	switch {
	case u.envelope == nil:
		return nil
	case hello.Floor == u.floor:
		t.front.send(t.front.placeOf(g).Down(wire.TypeUndo), u.envelope)
		return nil
	}
	place := t.front.placeOf(g)
	t.front.mu.Lock()
	g.undo = undo{}
	t.front.mu.Unlock()
	return t.PutUndo(place.Building, place.Gateway, nil)
}

// wrongAfter is how far ahead a signed time must be to be called wrong: less is
// no more than clocks differ by.
const wrongAfter = time.Hour

// floors says which gateways were signed a time that has not come.
func (f *Front) floors() (lines []string) {
	now, doubt := f.clock.Now()
	if doubt != agreed.None {
		return nil // the line of the clock comes first
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	more := 0
	for _, g := range f.gateways {
		floor := g.view.hello.Floor
		at := time.Unix(int64(floor.Unix), 0)
		if !g.member || floor.Unix == 0 || at.Sub(now) < wrongAfter {
			continue
		}
		if len(lines) >= maxRefusalLines {
			more++
			continue
		}
		line := fmt.Sprintf("gateway %s was signed the time %s, which has not come: where nothing else tells the time it goes by that: registryd clock undo %s %s --key second.key",
			g.address, calendar.Minute(at, time.UTC), g.place.Building, g.place.Gateway)
		if g.undo.floor == floor {
			line = fmt.Sprintf("gateway %s still goes by the time %s, which two issuers have taken back: it hears of that when it connects",
				g.address, calendar.Minute(at, time.UTC))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	if more > 0 {
		lines = append(lines, fmt.Sprintf("such a time was signed to %s more", amount.Of(more, "gateway")))
	}
	return lines
}
