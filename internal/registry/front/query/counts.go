package query

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Counts answers with what is counted by town; others are the counts that do not stand in the store. An answer counts
// in the town that its mandate names, at the time that was stored with it, whatever was known of the clock then.
func Counts(ctx context.Context, s *store.Store, others func(from, to time.Time) map[api.Town]api.TownCounts, q url.Values) (all api.Counts, err error) {
	from, to, err := between(q)
	if err != nil {
		return all, err
	}
	towns := others(from, to)
	gateways, err := s.Gateways(ctx, "", time.Time{})
	if err != nil {
		return all, err
	}
	for _, g := range gateways {
		town := api.Town{District: g.Place.District, Town: g.Place.Town}
		if _, counted := towns[town]; !counted {
			towns[town] = api.TownCounts{} // one with nothing is listed, too
		}
	}
	sums, err := countAnswers(ctx, s, towns, from, to)
	if err != nil {
		return all, err
	}
	for r, err := range store.Refused(ctx, s, from, to) {
		if err != nil {
			return all, err
		}
		town := api.Town{District: r.District, Town: r.Town}
		n := towns[town]
		n.Refused++
		towns[town] = n
	}
	for town, n := range towns {
		n.Town = town
		all.Towns = append(all.Towns, n)
	}
	slices.SortFunc(all.Towns, func(a, b api.TownCounts) int {
		return cmp.Or(cmp.Compare(a.District, b.District), cmp.Compare(a.Town.Town, b.Town.Town))
	})
	all.Mandates = slices.SortedFunc(maps.Keys(sums), func(a, b wire.Hash) int { return bytes.Compare(a[:], b[:]) })
	return all, nil
}

// countAnswers counts what was answered, and returns the mandates.
func countAnswers(ctx context.Context, s *store.Store, towns map[api.Town]api.TownCounts, from, to time.Time) (map[wire.Hash]bool, error) {
	sums := map[wire.Hash]bool{}
	for a, err := range store.Answered(ctx, s, from, to) {
		if err != nil {
			return nil, err
		}
		if err := countAnswer(towns, a); err != nil {
			return nil, err
		}
		sums[sha256.Sum256(a.Mandate)] = true
	}
	return sums, nil
}

func countAnswer(towns map[api.Town]api.TownCounts, a store.UnderMandate) error {
	payload, _, err := wire.Read(a.Mandate)
	if err != nil {
		return fmt.Errorf("stored mandate: %w", err)
	}
	m, err := mandates.Decode(payload)
	if err != nil {
		return fmt.Errorf("stored mandate: %w", err)
	}
	town := api.Town{District: m.Request.District, Town: m.Request.Town}
	n := towns[town]
	if n.Answers++; m.Emergency {
		n.Emergencies++
	}
	if a.Validated {
		n.Validated++
	}
	towns[town] = n
	return nil
}

func between(q url.Values) (from, to time.Time, err error) {
	from, err1 := time.Parse(time.RFC3339, q.Get("from"))
	to, err2 := time.Parse(time.RFC3339, q.Get("to"))
	if err1 != nil || err2 != nil {
		err = socket.Refused(http.StatusBadRequest, "", "want from=TIME and to=TIME, as 2026-10-01T00:00:00+08:00")
	}
	return from, to, err
}

// Refusals answers with the mandates that the registry refused.
func Refusals(ctx context.Context, s *store.Store, q url.Values) ([]api.Refused, error) {
	from, to, err := between(q)
	if err != nil {
		return nil, err
	}
	all := []api.Refused{}
	for r, err := range store.Refused(ctx, s, from, to) {
		if err != nil {
			return nil, err
		}
		all = append(all, api.Refused{At: r.At.UTC(), Reason: r.Reason, Town: api.Town{District: r.District, Town: r.Town}})
	}
	return all, nil
}
