package front

import (
	"net/http"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// getVKeys tells the keys with which strangers check cosigned checkpoints: those
// of the witnesses, and those of the building's gateways that are of it now, under
// the origin of each epoch that is stored.
func (f *Front) getVKeys(r *http.Request, _ socket.None) (any, error) {
	building := r.URL.Query().Get("building")
	trust := f.authority.Load().trust
	var keys api.VKeys
	for _, k := range trust.Keyset(wire.RoleWitness) {
		keys.Witnesses = append(keys.Witnesses, wire.WitnessVKey(wire.WitnessName(trust.Registry), k.Public))
	}
	if building == "" {
		return keys, nil
	}
	known, err := f.store.Gateways(r.Context(), building, time.Now())
	if err != nil {
		return nil, err
	}
	members := f.members(building)
	for _, k := range known {
		i := slices.IndexFunc(members, func(g *gateway) bool { return g.address == k.Place.Address() })
		if i < 0 {
			continue
		}
		epochs, err := f.store.Epochs(r.Context(), k.ID)
		if err != nil {
			return nil, err
		}
		f.mu.RLock()
		public := members[i].key.Public
		f.mu.RUnlock()
		for _, epoch := range epochs {
			keys.Logs = append(keys.Logs, wire.LogVKey(wire.Checkpoint{Address: k.Place.Address(), Epoch: epoch}.Origin(), public))
		}
	}
	return keys, nil
}
