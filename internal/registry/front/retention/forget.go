package retention

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/whos"
)

// Bounds of a request.
const (
	maxForget    = 1000    // lists
	maxSequences = 1 << 20 // of one list
)

// Seals answers with the sealed who parts of a building, one batch a line: who has the records key finds in them which
// entries are to be forgotten. The front can't.
func (e *Eraser) Seals(w http.ResponseWriter, r *http.Request) error {
	building := r.URL.Query().Get("building")
	if !wire.ValidName(building, false) {
		return socket.Refused(http.StatusBadRequest, "", "want building=NAME")
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	for row, err := range e.o.Store.Seals().Of(r.Context(), building) {
		var b wire.Batch
		if err == nil {
			err = wire.Decode(row.Body, &b)
		}
		if err != nil {
			_ = out.Encode(api.Error{Message: err.Error()})
			return nil
		}
		if out.Encode(api.Seals{Gateway: row.Place.Address(), Epoch: row.Epoch, First: b.First, Stored: row.Stored, Sealed: row.Sealed, Context: row.Encapsulated}) != nil {
			return nil // the client is gone
		}
	}
	return nil
}

// Forget erases the who parts of entries, whatever their age, and returns when no byte of them is left. They stay
// erased: the ledger has them before, until all entries of today are over.
func (e *Eraser) Forget(ctx context.Context, all []api.Forget) (f api.Forgotten, err error) {
	if err := check(all); err != nil {
		return f, err
	}
	e.one.Lock()
	defer e.one.Unlock()
	now, _ := e.o.Clock.Now()
	if err := e.write(ctx, now, all); err != nil {
		return f, err
	}
	if f, err = e.forget(ctx, all, e.ledger.holds(now)); err != nil {
		return f, err
	}
	if err := e.count(ctx, now, f.Erased); err != nil {
		return f, err
	}
	return f, e.scrub(ctx, now)
}

// write has the ledger say what is forgotten, and that somebody asked for it: once, since then all lists are of one building.
func (e *Eraser) write(ctx context.Context, now time.Time, all []api.Forget) error {
	var lines []line
	for i, one := range all {
		place, err := e.find(ctx, one.Gateway)
		if err != nil {
			return err
		}
		if i == 0 && !one.Aged {
			lines = append(lines, line{At: now, Counted: &counted{forgotten, place.District, place.Town}})
		}
		lines = append(lines, line{At: now, Forgot: &api.Forget{Gateway: one.Gateway, Epoch: one.Epoch, Sequences: one.Sequences}})
	}
	return e.add(ctx, lines...)
}

func check(all []api.Forget) error {
	if len(all) > maxForget {
		return socket.Refused(http.StatusBadRequest, "", "%s: at most %d", amount.Of(len(all), "list"), maxForget)
	}
	for _, one := range all {
		if _, err := placeOf(one.Gateway); err != nil {
			return err
		}
		if len(one.Sequences) > maxSequences {
			return socket.Refused(http.StatusBadRequest, "", "%s of one epoch: at most %d", amount.Of(len(one.Sequences), "entry"), maxSequences)
		}
	}
	return nil
}

// placeOf reads the address of a gateway.
func placeOf(address string) (p wire.Place, err error) {
	building, gateway, _ := strings.Cut(address, "/")
	if !wire.ValidName(building, false) || !wire.ValidName(gateway, false) {
		return p, socket.Refused(http.StatusBadRequest, "", "gateway %q: want building/gateway", address)
	}
	return wire.Place{Building: building, Gateway: gateway}, nil
}

// forget erases the who parts of entries that are there, but for those that an order preserves: they go when it has ended.
func (e *Eraser) forget(ctx context.Context, all []api.Forget, holds []api.Hold) (f api.Forgotten, err error) {
	for _, one := range all {
		place, err := placeOf(one.Gateway)
		if err != nil {
			return f, err
		}
		for _, sequence := range one.Sequences {
			rows, err := e.o.Store.Seals().Near(ctx, place, one.Epoch, sequence)
			if err != nil {
				return f, err
			}
			for _, row := range rows {
				if err := e.forgetIn(ctx, row, sequence, holds, &f); err != nil {
					return f, err
				}
			}
		}
	}
	return f, nil
}

// forgetIn erases the who part of an entry in a batch that may have it, and counts it.
func (e *Eraser) forgetIn(ctx context.Context, row store.Batch, sequence uint64, holds []api.Hold, f *api.Forgotten) error {
	rest, gone, held, err := without(row, sequence, holds)
	switch {
	case err != nil:
		return err
	case held:
		f.Later++
	case gone > 0:
		row.Sealed = rest
		f.Erased += gone
		return e.update(ctx, func(tx *store.Tx) error { return tx.Reseal(row) })
	}
	return nil
}

// without returns the seals of a batch without that of an entry. Those of the first formats open only together, so that
// all of them go, or none where an order preserves one.
func without(row store.Batch, sequence uint64, holds []api.Hold) (rest []byte, gone int, held bool, err error) {
	var b wire.Batch
	if err := wire.Decode(row.Body, &b); err != nil {
		return nil, 0, false, fmt.Errorf("stored batch of %s: %w", row.Place.Address(), err)
	}
	i := sequence - b.First
	if sequence < b.First || i >= uint64(len(b.Whos)) || len(b.Whos[i]) == 0 {
		return nil, 0, false, nil
	}
	isHeld := func(header []byte) bool {
		h, err := wire.DecodeHeader(header)
		return err == nil && holdsEntry(holds, row, h)
	}
	if row.Context == 0 {
		named := len(slices.DeleteFunc(b.Whos, func(who []byte) bool { return len(who) == 0 }))
		return nil, named, slices.ContainsFunc(b.Headers, isHeld), nil
	}
	all, err := whos.Split(row.Sealed)
	if err != nil {
		return nil, 0, false, fmt.Errorf("stored batch of %s: %w", row.Place.Address(), err)
	}
	stay := slices.DeleteFunc(slices.Clone(all), func(s whos.Sealed) bool { return uint64(s.Index) == i })
	if len(stay) > 0 {
		rest = whos.Join(stay)
	}
	return rest, len(all) - len(stay), len(stay) < len(all) && isHeld(b.Headers[i]), nil
}
