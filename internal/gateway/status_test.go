package gateway_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/sync/mqtt"
)

// problems are what status asks somebody to do.
func (h *house) problems() string {
	h.t.Helper()
	s, err := h.client.Status(h.t.Context())
	must(h.t, err)
	return strings.Join(s.Problems, "\n")
}

// TestAdviceOnKeys: what status says about missing keys fits how the house gets
// them, and never asks for keys to be moved away that nobody else has.
func TestAdviceOnKeys(t *testing.T) {
	t.Parallel()
	keyset := func(h *house, file string) string { return filepath.Join(h.dir, "state", "keys", file) }
	for name, c := range map[string]struct {
		before, after func(*testing.T, *house)
		want          string
	}{
		"no keys": {func(t *testing.T, h *house) { must(t, os.RemoveAll(keyset(h, ""))) }, nil, "in a terminal run gatehouse enrol, or in a house without a registry gatehouse init"},
		"keys came later": {func(t *testing.T, h *house) { must(t, os.Rename(keyset(h, ""), keyset(h, "")+".away")) },
			func(t *testing.T, h *house) { must(t, os.Rename(keyset(h, "")+".away", keyset(h, ""))) }, "start it again"},
		"enrolled later": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Rename(keyset(h, ""), keyset(h, "")+".away"))
		}, func(t *testing.T, h *house) { must(t, os.Rename(keyset(h, "")+".away", keyset(h, ""))) }, "start it again"},
		"enrolled later, the key is a sibling's": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Remove(keyset(h, keys.BuildingKeyFile)))
			must(t, os.Rename(keyset(h, ""), keyset(h, "")+".away"))
		}, func(t *testing.T, h *house) { must(t, os.Rename(keyset(h, "")+".away", keyset(h, ""))) }, "start it again"},
		"enrolled, and there is no sibling that has the key": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Remove(keyset(h, keys.BuildingKeyFile)))
		}, nil, "registryd building-key"},
		"damaged in a standalone house": {func(t *testing.T, h *house) {
			must(t, os.WriteFile(keyset(h, keys.BuildingKeyFile), []byte("x"), 0o600))
		}, nil, "run gatehouse init with the same stick"},
		"damaged in an enrolled house": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.WriteFile(keyset(h, keys.BuildingKeyFile), []byte("x"), 0o600))
		}, nil, "registryd gateway add --replace"},
		"of an enrolled house one is damaged: which registry": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Remove(keyset(h, keys.IssuerFile)))
			must(t, os.WriteFile(keyset(h, keys.RegistryFile), []byte("x"), 0o600))
		}, nil, "registryd gateway add --replace"},
		"of a house that was standalone one is damaged: which registry": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.WriteFile(keyset(h, keys.RegistryFile), []byte("x"), 0o600))
		}, nil, "registry.json away and enrol the gateway with a new token (at the registry registryd gateway add --replace"},
		"of an enrolled house one is damaged: the root": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Remove(keyset(h, keys.RootFile)))
		}, nil, "registryd gateway add --replace --district panyu"},
		"of an enrolled house one is damaged: the building's key is not": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Remove(keyset(h, keys.RootFile)))
		}, nil, "/keys but building.key away, enrol the gateway"},
		"of an enrolled house one is damaged: no word of which registry": {func(t *testing.T, h *house) {
			h.enrol()
			must(t, os.Remove(keyset(h, keys.IssuerFile)))
			must(t, os.Remove(keyset(h, keys.RegistryFile)))
		}, nil, "registryd gateway add --replace"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			c.before(t, h)
			h.start()
			if c.after != nil {
				c.after(t, h)
			}
			got := h.problems()
			if !strings.Contains(got, c.want) {
				t.Errorf("problems: %s\nwant %q", got, c.want)
			}
			if !strings.Contains(name, "damaged") && strings.Contains(got, "move") {
				t.Errorf("good keys are to be moved away: %s", got)
			}
		})
	}
}

// TestFilesOfAnEnrolment: each file of it that is damaged or gone is one line with its
// name and the commands that bring it back, and nothing else is said of it.
func TestFilesOfAnEnrolment(t *testing.T) {
	const commands = "registryd gateway add --replace --district panyu --town shiqiao --building lane-7 --gateway gw1, here gatehouse enrol)"
	for _, file := range []string{keys.GatewayKeyFile, keys.SealKeyFile, keys.ClientKeyFile, keys.ClientCertFile} {
		for what, harm := range map[string]func(path string) error{
			"can't be used": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }, "is gone": os.Remove,
		} {
			t.Run(file+" "+what, func(t *testing.T) {
				h := newHouse(t)
				h.enrol()
				path := filepath.Join(h.dir, "state", "keys", file)
				must(t, harm(path))
				h.startWith(deadLink{mqtt.Status{Err: errors.New("no"), Advice: "unexpected"}}.dial)
				var about []string
				for _, line := range strings.Split(h.problems(), "\n") {
					if strings.Contains(line, "enrol") || strings.Contains(line, "keys") {
						about = append(about, line)
					}
				}
				if len(about) != 1 || !strings.HasPrefix(about[0], path+" "+what) || !strings.Contains(about[0], commands) {
					t.Fatalf("status says %q", about)
				}
				if away := strings.Contains(about[0], "move "+path+" away"); away != (what != "is gone") {
					t.Errorf("what to move away: %s", about[0])
				}
			})
		}
	}
}

// TestFirstKey: an enrolled house gets its first key at the desk.
func TestFirstKey(t *testing.T) {
	for want, enrol := range map[string]bool{"gatehouse checkin": true, "gatehouse grant add": false} {
		h := newHouse(t)
		if enrol {
			h.enrol()
		}
		must(t, os.RemoveAll(filepath.Join(h.dir, "state", "grants")))
		h.start()
		if got := h.problems(); !strings.Contains(got, want) {
			t.Errorf("enrolled %v: problems: %s", enrol, got)
		}
	}
}
