package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInitChecksFirst: whatever stands in the way, nothing is made, neither on the
// stick nor on the gateway; once that is mended, init makes all.
func TestInitChecksFirst(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil, mend func(t *testing.T, b *bench)
		key         string // beside the site file
		says        string
	}{
		"no stick": {
			spoil: func(*testing.T, *bench) {},
			mend:  func(t *testing.T, b *bench) { must(t, os.Mkdir(b.path("stick"), 0o700)) },
			key:   "stick/issuer.key", says: "plug the stick in",
		},
		"a directory as key": {
			spoil: func(t *testing.T, b *bench) { must(t, os.Mkdir(b.path("stick"), 0o700)) },
			mend:  func(t *testing.T, b *bench) { must(t, os.Remove(b.path("stick"))) },
			key:   "stick", says: "stick/issuer.key",
		},
		"no room for the state": {
			spoil: func(t *testing.T, b *bench) { must(t, os.WriteFile(b.path("state"), nil, 0o600)) },
			mend:  func(t *testing.T, b *bench) { must(t, os.Remove(b.path("state"))) },
			key:   "issuer.key", says: "name a directory of yours as state",
		},
		"another issuer": {
			spoil: func(t *testing.T, b *bench) {
				must(t, os.MkdirAll(b.path("other"), 0o700))
				b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path("other/issuer.key"))
				must(t, os.Remove(b.path("state/keys/building.key")))
			},
			mend: func(t *testing.T, b *bench) { must(t, os.RemoveAll(b.path("state/keys"))) },
			key:  "issuer.key", says: "another issuer",
		},
		"enrolled": {
			spoil: func(t *testing.T, b *bench) {
				must(t, os.MkdirAll(b.path("state/keys"), 0o700))
				must(t, os.WriteFile(b.path("state/keys/registry.json"), nil, 0o600))
			},
			mend: func(t *testing.T, b *bench) { must(t, os.Remove(b.path("state/keys/registry.json"))) },
			key:  "issuer.key", says: "enrolled with a registry",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{t: t, dir: t.TempDir()}
			must(t, os.WriteFile(b.path("site.toml"), fmt.Appendf(nil, siteText, b.dir), 0o600))
			c.spoil(t, b)
			before := files(t, b.dir)
			b.fails("", []string{c.says, "hint: "}, "init", "--config", b.path("site.toml"), "--key", b.path(c.key))
			if after := files(t, b.dir); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
			c.mend(t, b)
			b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path(c.key))
		})
	}
}

// files lists all files and directories.
func files(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		all = append(all, path)
		return err
	}))
	return strings.Join(all, "\n")
}

// TestLabelBeforeSwipe: a label that is refused is refused before the card is asked
// for: nobody swipes in vain.
func TestLabelBeforeSwipe(t *testing.T) {
	b := newBench(t)
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	status, _, said := b.tool("", "grant", "add", "--key", key, "--label", "Li 13800001111", "--door", "front")
	if status == 0 || !strings.Contains(said, "refusal N12") || strings.Contains(said, "hold the card up") {
		t.Errorf("status %d: %s", status, said)
	}
	b.logFilters()
}

// logFilters: the log by time, door and kind, and what is asked wrongly is told with
// what can be asked.
func (b *bench) logFilters() {
	b.t.Helper()
	b.ok("", "release", "front")
	b.ok("", "release", "yard")
	// A door waits for its entry a quarter of a second at most: on a busy machine it comes later.
	for end := time.Now().Add(time.Minute); !strings.Contains(b.ok("", "log", "--kind", "command", "--door", "yard"), "yard") && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, c := range []struct {
		args    []string
		has, no string
	}{
		{[]string{"--kind", "command"}, "front", "boot"},
		{[]string{"--kind", "command", "--door", "yard"}, "yard", "front"},
		{[]string{"--kind", "command", "--kind", "boot", "--since", "1h"}, "boot", "site"},
		{[]string{"--since", "2020-01-01", "--last", "1", "--kind", "boot"}, "boot", "command"},
		{[]string{"--since", "2099-12-01 09:30"}, "", "boot"},
	} {
		out := b.ok("", append([]string{"log"}, c.args...)...)
		if !strings.Contains(out, c.has) || strings.Contains(out, c.no) {
			b.t.Errorf("log %v: %s", c.args, out)
		}
	}
	b.fails("", []string{"no kind \"access\"", "kinds of the log: ", "forced"}, "log", "--kind", "access")
	b.fails("", []string{"no door \"attic\"", "front, yard"}, "log", "--door", "attic")
	b.fails("", []string{"no time", "--since 2h"}, "log", "--since", "yesterday")
}
