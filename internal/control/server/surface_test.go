package server

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/caller"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/refusalstest"
	"gatehouse/internal/site"
)

// patterns are all that the daemon answers.
func patterns(t *testing.T) []string {
	t.Helper()
	return New(&gateway.Gateway{Parts: gateway.Parts{Site: &site.Site{State: t.TempDir()}, Clock: &clock.Clock{}}}, Options{Profiles: true}).socket.Patterns()
}

// TestRoutes: every path that the daemon answers stands in docs/refusals.md, with who may
// ask for it, and there are no roles of paths that are gone.
func TestRoutes(t *testing.T) {
	all := patterns(t)
	var got []string
	for _, p := range all {
		line := p + ": " + string(caller.Operator)
		for _, role := range routeRoles[p] {
			line += " " + string(role)
		}
		got = append(got, line)
	}
	refusalstest.Compare(t, "../../..", "routes", got)
	for p := range routeRoles {
		if !slices.Contains(all, p) {
			t.Errorf("roles of %s, which the daemon does not answer", p)
		}
	}
}

// allowed is who may ask for what, as docs/refusals.md has it.
func allowed(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.FromSlash("../../../docs/refusals.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := refusalstest.Block(string(page), "routes")
	list := map[string][]string{}
	for _, line := range lines {
		pattern, roles, _ := strings.Cut(line, ": ")
		list[pattern] = strings.Fields(roles)
	}
	return list
}
