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
)

// Heads returns what is newest of each building; only "": of all.
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

// Trusts returns all trust documents, the oldest first.
func Trusts(ctx context.Context, s *store.Store) ([][]byte, error) {
	all := [][]byte{}
	err := s.Trusts(ctx, func(envelope []byte) error {
		all = append(all, envelope)
		return nil
	})
	return all, err
}

// Stored returns all that the front has of a building's documents.
func Stored(ctx context.Context, s *store.Store, r *roster.Roster, building string) (api.Stored, error) {
	out := api.Stored{Building: building, House: r.Building(building).Envelope}
	l, err := s.List(ctx, building)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.List = api.List{Building: l.Building, Manifest: l.Manifest, Second: l.Second, Old: l.Old, OldSecond: l.OldSecond, Buckets: [][]byte{}}
	head, err := document.HeadOf(l)
	if err != nil {
		return out, err
	}
	have, err := s.BucketHashes(ctx, building)
	if err != nil {
		return out, err
	}
	for hash := range have {
		body, err := s.Bucket(ctx, building, hash)
		if err != nil {
			return out, err
		}
		out.List.Buckets = append(out.List.Buckets, body)
	}
	log, err := s.Log(ctx, building, head.Earlier)
	for _, l := range log {
		out.List.Log = append(out.List.Log, api.Logged{Hash: l.Hash[:], Epoch: l.Epoch, Version: l.Version, Own: l.Own})
	}
	return out, err
}
