package gateway_test

import (
	"maps"
	"slices"
	"testing"

	"gatehouse/internal/refusalstest"
)

// TestSurfaces: every path that the daemon answers stands in docs/refusals.md.
func TestSurfaces(t *testing.T) {
	h := newHouse(t)
	h.start()
	refusalstest.Compare(t, "../..", "routes", slices.Collect(maps.Keys(h.gateway.Routes())))
}
