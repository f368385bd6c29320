package gateway

import (
	"context"
	"gatehouse/internal/brief"

	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// Headers are those of all entries that are durable: what no view shows.
func (g *Gateway) Headers(ctx context.Context) (all []wire.Header, err error) {
	for at := (journal.Position{}); ; {
		entries, next, err := g.Journal.Entries(ctx, at, logBatch)
		if err != nil || len(entries) == 0 {
			return all, err
		}
		for _, e := range entries {
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				return all, err
			}
			all = append(all, h)
		}
		at = next
	}
}

// Brief is whom the log names for a shorter time, by the registry's word.
func Brief(g *Gateway) *brief.List { return g.start.brief }
