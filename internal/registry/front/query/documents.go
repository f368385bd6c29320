package query

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// Heads returns the newest documents of each building; only of one, unless it is "".
func Heads(r *roster.Roster, only string) []api.Head {
	all := []api.Head{}
	for id, b := range r.Buildings() {
		if only != "" && id != only {
			continue
		}
		h := api.Head{Building: id, House: b.House.Version}
		if b.List.Version > 0 {
			h.Hash = bytes.Clone(b.List.Hash[:])
		}
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b api.Head) int { return strings.Compare(a.Building, b.Building) })
	return all
}

// Stored returns all documents of a building that the front has.
func Stored(ctx context.Context, s *store.Store, r *roster.Roster, building string) (api.Stored, error) {
	out := api.Stored{Building: building, House: r.Building(building).Document.Envelope}
	l, err := s.List(ctx, building)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	head, err := document.HeadOf(l)
	if err != nil {
		return out, err
	}
	out.List = api.List{Building: l.Building, Manifest: l.Manifest, Second: l.Second, Old: l.Old, OldSecond: l.OldSecond}
	if out.List.Buckets, err = s.Buckets(ctx, building); err != nil {
		return out, err
	}
	out.List.Log, err = s.Log(ctx, building, head.Earlier)
	return out, err
}

// VKeys returns the keys with which third parties verify cosigned checkpoints: those of the
// witnesses, and those of the building's present gateways, under the origin of each stored epoch.
// Building "": only the witnesses'.
func VKeys(ctx context.Context, s *store.Store, r *roster.Roster, trust wire.Trust, building string) (keys api.VKeys, err error) {
	for _, k := range trust.Keyset(wire.RoleWitness) {
		keys.Witnesses = append(keys.Witnesses, checkpoint.WitnessVKey(checkpoint.WitnessName(trust.Registry), k.Public))
	}
	if building == "" {
		return keys, nil
	}
	epochs, err := s.Epochs(ctx, building)
	for _, e := range epochs {
		log := checkpoint.Checkpoint{Address: e.Place.Address(), Epoch: e.Epoch}
		if g := r.Find(log.Address); g != nil && r.Look(g).Member {
			keys.Logs = append(keys.Logs, checkpoint.LogVKey(log.Origin(), r.Look(g).Key.Public))
		}
	}
	return keys, err
}
