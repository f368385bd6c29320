package query

import (
	"context"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// VKeys returns the keys with which strangers check cosigned checkpoints: those
// of the witnesses, and those of the building's gateways that are of it now, under
// the origin of each epoch that is stored. Building "": only the witnesses'.
func VKeys(ctx context.Context, s *store.Store, r *roster.Roster, trust wire.Trust, building string) (keys api.VKeys, err error) {
	for _, k := range trust.Keyset(wire.RoleWitness) {
		keys.Witnesses = append(keys.Witnesses, wire.WitnessVKey(wire.WitnessName(trust.Registry), k.Public))
	}
	if building == "" {
		return keys, nil
	}
	known, err := s.Gateways(ctx, building, time.Now())
	if err != nil {
		return keys, err
	}
	public := make(map[string][]byte)
	for _, g := range r.Members(building) {
		public[g.Address()] = r.Look(g).Key.Public
	}
	for _, k := range known {
		address := k.Place.Address()
		if public[address] == nil {
			continue
		}
		epochs, err := s.Epochs(ctx, k.ID)
		if err != nil {
			return keys, err
		}
		for _, epoch := range epochs {
			keys.Logs = append(keys.Logs, wire.LogVKey(wire.Checkpoint{Address: address, Epoch: epoch}.Origin(), public[address]))
		}
	}
	return keys, nil
}
