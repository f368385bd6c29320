package gateway

import (
	"context"
	"net/http"

	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// Headers are those of all entries that are durable: what no view shows.
func (g *Gateway) Headers(ctx context.Context) (all []wire.Header, err error) {
	for at := (journal.Position{}); ; {
		entries, next, err := g.journal.Entries(ctx, at, logBatch)
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

// Routes are the patterns that the socket answers.
func (g *Gateway) Routes() map[string]http.Handler { return g.routes() }

// KindView says where an entry of a kind is shown: "log", "test" of a door, or
// nowhere.
func KindView(k wire.Kind) string {
	switch {
	case shownKinds[k] && passageKinds[k]:
		return "both"
	case shownKinds[k]:
		return "log"
	case passageKinds[k]:
		return "test"
	}
	return ""
}
