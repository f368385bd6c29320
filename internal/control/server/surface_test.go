package server

import (
	"maps"
	"slices"
	"testing"

	"gatehouse/internal/refusalstest"
)

// TestRoutes: every path that the daemon answers stands in docs/refusals.md.
func TestRoutes(t *testing.T) {
	refusalstest.Compare(t, "../../..", "routes", slices.Collect(maps.Keys(new(Server).routes())))
}
