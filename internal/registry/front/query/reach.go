package query

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Reached is the part of an epoch, from First to before End, that has all entries asked for.
type Reached struct {
	Gateway    int64
	Epoch      uint64
	First, End uint64
	Within     []api.Run // the entries, of any door, that may be from the time asked for
}

// Reach returns what has all entries of some doors that may be from [from, until): those with an
// uncertain time by the bounds of it.
func Reach(ctx context.Context, s *store.Store, building, gateway string, doors []string, from, until time.Time) (all []Reached, err error) {
	times := newTimeline(s)
	for row, err := range s.Batches(ctx, store.Filter{Building: building, Gateway: gateway, From: from, To: until}) {
		if err != nil {
			return nil, err
		}
		var b wire.Batch
		if err := wire.Decode(row.Body, &b); err != nil {
			return nil, fmt.Errorf("stored batch of %s: %w", row.Place.Address(), err)
		}
		for i := int(row.First - b.First); i < min(len(b.Headers), int(row.Next-b.First)); i++ {
			h, err := wire.DecodeHeader(b.Headers[i])
			if err != nil {
				continue // it has no door that could be asked for
			}
			span, err := times.of(ctx, row, b, i, h)
			if err != nil {
				return nil, err
			}
			if span.within(from, until) {
				all = reached(all, row.Gateway, b.Epoch, b.First+uint64(i), slices.Contains(doors, h.Door))
			}
		}
	}
	return slices.DeleteFunc(all, func(r Reached) bool { return r.End == 0 }), nil
}

// reached adds an entry of the time to the part of its epoch; asked: it is of a door asked for.
func reached(all []Reached, gateway int64, epoch, seq uint64, asked bool) []Reached {
	i := slices.IndexFunc(all, func(r Reached) bool { return r.Gateway == gateway && r.Epoch == epoch })
	if i < 0 {
		i, all = len(all), append(all, Reached{Gateway: gateway, Epoch: epoch, First: seq})
	}
	r := &all[i]
	switch n := len(r.Within); {
	case n > 0 && r.Within[n-1].End == seq:
		r.Within[n-1].End++
	default:
		r.Within = append(r.Within, api.Run{First: seq, End: seq + 1})
	}
	if asked {
		if r.End == 0 {
			r.First = seq
		}
		r.End = seq + 1
	}
	return all
}
