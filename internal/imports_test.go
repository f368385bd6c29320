// Package internal_test holds the laws of the whole house.
package internal_test

import (
	"os/exec"
	"strings"
	"testing"
)

// pkg is one package of ours with what it imports of ours, tests excluded.
type pkg struct {
	path  string
	deps  []string // all, also of others
	files []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports ","}}|{{join .GoFiles ","}}`, "gatehouse/...")
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for line := range strings.Lines(string(out)) {
		parts := strings.Split(strings.TrimSpace(line), "|")
		all = append(all, pkg{parts[0], strings.Split(parts[1], ","), strings.Split(parts[2], ",")})
	}
	return all
}

func ours(path string) (string, bool) { return strings.CutPrefix(path, "gatehouse/") }

func under(path string, roots ...string) bool {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return true
		}
	}
	return false
}

// TestImportDirections: who may import whom. Dependencies point inward, so that
// a reader can stop at the leaf that they came for.
func TestImportDirections(t *testing.T) {
	leaves := []string{"device", "device/fault", "sync/wire", "internal/access", "internal/tree", "internal/backoff"}
	for _, p := range packages(t) {
		from, _ := ours(p.path)
		for _, dep := range p.deps {
			to, isOurs := ours(dep)
			if isOurs && !allowed(from, to, leaves) {
				t.Errorf("%s imports %s", from, to)
			}
			if strings.HasPrefix(dep, "github.com/warthog618/go-gpiocdev") && from != "device/gpio" {
				t.Errorf("%s imports go-gpiocdev; only device/gpio may", from)
			}
		}
	}
}

func allowed(from, to string, leaves []string) bool {
	isLeaf := func(p string) bool {
		for _, l := range leaves {
			if p == l {
				return true
			}
		}
		return false
	}
	switch {
	case to == "device/fault": // what can be wrong, for whoever reports, records or explains it
		return from != "firmware-profiles"
	case to == "internal/backoff":
		return !isLeaf(from) || from == "device"
	case under(from, "sync/wire"):
		return under(to, "sync/wire")
	case from == "internal/access":
		return to == "sync/wire"
	case isLeaf(from):
		return false
	case isFake(from):
		return to == "device" || to == "device/devicetest"
	case under(from, "device"), from == "sync/mqtt":
		return to == "device" || to == "sync/wire" || to == "device/osdp/protocol" && from == "device/osdp"
	case from == "firmware-profiles":
		return false
	case under(to, "cmd"): // a program's own packages
		return program(from) == program(to)
	case under(to, "internal/faultnet", "internal/freeport"):
		return under(from, "cmd/gatesim", "internal/faultnet", "internal/simulate")
	case to == "internal/gateway/gatewaytest": // only tests, which are not looked at here
		return false
	case from == "internal/gateway/gatewaytest": // a whole gateway on a board that is played
		return to != "device/gpio" && !under(to, "cmd", "internal/registry")
	case under(from, "internal/simulate"): // both ends in one process
		return true
	case under(to, "internal/control/server") && !under(from, "internal/control/server"): // it acts through the gateway, which does not know it
		return under(from, "cmd")
	case under(from, "internal/gateway", "internal/control/server"):
		return to != "device/gpio" && !isFake(to) && !under(to, "internal/registry")
	case under(from, pureIssuer...): // what is known and what follows from it: no store, no lock, no key
		return under(to, append([]string{"sync/wire", "internal/tree", "internal/grantlist", "internal/calendar", "internal/registry/api"}, pureIssuer...)...)
	case under(from, "internal/registry"):
		return !under(to, "cmd", "device", "internal/gateway", "internal/door", "internal/journal", "internal/desk", "sync/uplink")
	case from == "internal/mandate": // pure, so that a gateway, the registry and the tool judge alike
		return under(to, "sync/wire") || to == "internal/trueclock"
	case under(from, "sync/uplink"):
		return under(to, "sync", "internal/tree")
	case under(from, "internal"):
		return !under(to, "cmd", "internal/gateway", "internal/registry", "device/gpio", "device/uart") && !isFake(to)
	}
	return true
}

// program is the directory of the program that a package below cmd is of.
func program(p string) string {
	parts := strings.SplitN(p, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

// pureIssuer are the packages of the issuer that decide, data in and data out.
var pureIssuer = []string{"internal/registry/issuer/fold", "internal/registry/issuer/lists", "internal/registry/issuer/building", "internal/registry/issuer/capacity"}

// isFake reports whether a package plays hardware: such a one imports nothing of
// what it tests, and no program for a building imports it.
func isFake(p string) bool { return strings.HasPrefix(p, "device/") && strings.HasSuffix(p, "test") }

// TestDirections knows that allowed can say no.
func TestDirections(t *testing.T) {
	leaves := []string{"device", "device/fault", "sync/wire", "internal/access", "internal/tree", "internal/backoff"}
	for _, c := range [][2]string{{"device", "sync/wire"}, {"device/fault", "device"}, {"sync/wire", "device"}, {"sync/wire/checkpoint", "internal/tree"}, {"device/wiegand", "internal/door"}, {"device/wiegand", "device/gpio"}, {"device/serialcard", "device/osdp/protocol"}, {"device/osdp/osdptest", "device/osdp/protocol"},
		{"internal/access", "device"}, {"internal/gateway", "device/gpio"}, {"internal/gateway", "internal/control/server"}, {"internal/journal", "internal/gateway"},
		{"internal/gateway", "internal/registry/api"}, {"sync/uplink", "internal/registry"}, {"sync/uplink", "internal/journal"}, {"sync/uplink", "internal/keyring"}, {"internal/registry", "internal/journal"},
		{"sync/mqtt", "internal/keyring"}, {"internal/gateway", "internal/faultnet"}, {"internal/registry", "internal/freeport"},
		{"internal/registry/issuer/building", "internal/registry/issuer/ledger"}, {"internal/registry/issuer/capacity", "internal/registry/issuer/store"},
		{"device/osdp/osdptest", "device/osdp"}, {"device/osdp", "device/devicetest"}, {"internal/gateway", "device/osdp/osdptest"},
		{"cmd/gatesim", "internal/gateway/gatewaytest"}, {"internal/gateway", "internal/gateway/gatewaytest"}, {"internal/gateway/gatewaytest", "internal/registry/front"},
		{"cmd/gatesim", "cmd/gatehouse/internal/session"}, {"internal/control", "cmd/gatehouse"}, {"internal/mandate", "internal/journal"}, {"internal/access", "internal/backoff"}, {"internal/backoff", "device"}} {
		if allowed(c[0], c[1], leaves) {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// TestEdgeLinksNoServer: the daemon on the gateway carries no broker, no SQL
// store, and nothing of the tool or the simulator.
func TestEdgeLinksNoServer(t *testing.T) {
	linksNone(t, "gatehoused", "digitorus", "nats-io", "sqlite", "creack/pty", "alecthomas/kong", "go-gpiosim", "devicetest", "osdptest", "idcardtest", "pn532test", "pgregory.net", "gonum.org")
}

// TestPageLinksNoDaemon: the landlord's page is for hostile networks, and carries nothing
// of what opens a door, writes the log or knows a key.
func TestPageLinksNoDaemon(t *testing.T) {
	linksNone(t, "gatehouse-page", "mqtt", "internal/keyring", "internal/keys", "internal/journal", "internal/door", "internal/desk", "internal/gateway", "internal/registry",
		"sync/uplink", "bbolt", "device/gpio", "device/uart", "go-gpiocdev", "devicetest", "nats-io", "sqlite", "pgregory.net")
}

// TestToolLinksNoDaemon: the tool of landlord, installer and police talks to the
// daemon, and carries nothing of what it is made of.
func TestToolLinksNoDaemon(t *testing.T) {
	linksNone(t, "gatehouse", "mqtt", "internal/keyring", "internal/journal", "internal/door", "internal/desk", "internal/gateway", "internal/registry",
		"sync/uplink", "bbolt", "device/gpio", "go-gpiocdev", "devicetest", "osdptest", "idcardtest", "pn532test", "nats-io", "sqlite", "termtest", "pgregory.net")
}

// TestRegistryLinksNoGateway: the registry makes, signs and counts lists by the rules
// that gateways go by, and carries nothing of a gateway.
func TestRegistryLinksNoGateway(t *testing.T) {
	linksNone(t, "registryd", "digitorus", "internal/keyring", "internal/journal", "internal/door", "internal/desk", "internal/gateway", "sync/uplink",
		"device/gpio", "go-gpiocdev", "devicetest", "osdptest", "idcardtest", "pn532test", "pgregory.net")
}

// linksNone reports what a program links of packages that it should not.
func linksNone(t *testing.T, program string, never ...string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "gatehouse/cmd/"+program).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		dep := strings.TrimSpace(line)
		for _, part := range never {
			if strings.Contains(dep, part) {
				t.Errorf("%s links %s", program, dep)
			}
		}
	}
}

// TestNoHiddenStarts: no package of ours has an init function.
func TestNoHiddenStarts(t *testing.T) {
	out, err := exec.Command("git", "grep", "-nE", `^func init\(\)`, "--", ":(top)*.go").Output()
	if err == nil {
		t.Errorf("init functions:\n%s", out)
	}
}
