package server

import (
	"testing"

	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/refusalstest"
	"gatehouse/internal/site"
)

// TestRoutes: every path that the daemon answers stands in docs/refusals.md.
func TestRoutes(t *testing.T) {
	refusalstest.Compare(t, "../../..", "routes", New(&gateway.Gateway{Parts: gateway.Parts{Site: &site.Site{State: t.TempDir()}, Clock: &clock.Clock{}}}, Options{Profiles: true}).socket.Patterns())
}
