package gateway_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatIsGone: a file of the state directory that was deleted, or holds what nobody has
// written, is told at the start after it, with what to do, and is an entry; a whole
// directory, its neighbours and what the registry has confirmed count no less.
func TestWhatIsGone(t *testing.T) {
	t.Parallel()
	remove := os.RemoveAll
	spoil := func(path string) error { return os.WriteFile(path, []byte("no time"), 0o600) }
	for name, c := range map[string]struct {
		do    func(path string) error
		files []string
		says  []string
		entry string
	}{
		"the clock":            {remove, []string{"clock"}, []string{"clock is missing", "gatehouse clock confirm"}, "damaged missing_file"},
		"what the clock holds": {spoil, []string{"clock"}, []string{"clock can't be read", "gatehouse clock confirm"}, "damaged damaged_file"},
		"the tenancies":        {remove, []string{"grants/tenancies.json"}, []string{"tenancies.json is missing"}, "damaged missing_file"},
		"the grants":           {remove, []string{"grants"}, []string{"grants is missing", "gatehouse grant restore"}, "damaged missing_file"},
		"the tenancies, and the keys of an enrolled house": {remove, []string{"keys", "grants/tenancies.json"}, []string{"tenancies.json is missing"}, "damaged missing_file"},
		"the grants and the clock":                         {remove, []string{"grants", "clock", "journal/hints"}, []string{"grants is missing"}, "damaged missing_file"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if strings.Contains(name, "enrolled") {
				h.enrol()
			}
			h.startWith(deadLink{}.dial)
			if said := h.toDo(); strings.Contains(said, "missing") || strings.Contains(said, "can't be read") {
				t.Fatalf("nothing is gone yet: %s", said)
			}
			h.end()
			for _, file := range c.files {
				must(t, c.do(filepath.Join(h.dir, "state", file)))
			}
			h.start()
			for _, text := range c.says {
				if said := h.toDo(); !strings.Contains(said, text) {
					t.Errorf("%q, and not %q", said, text)
				}
			}
			h.eventually("it is an entry", h.has(c.entry, 1))
			h.end()
			h.start()
			if said := h.toDo(); strings.Contains(said, "missing") || strings.Contains(said, "can't be read") {
				t.Errorf("still %q", said)
			}
		})
	}
}

// TestNothingIsGoneAtFirst: a gateway that starts for the first time lacks nothing, nor
// one that got its first list right after.
func TestNothingIsGoneAtFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	state := filepath.Join(h.dir, "state")
	must(t, os.RemoveAll(state))
	for range 2 {
		h.start()
		if said := h.toDo(); strings.Contains(said, "missing:") {
			t.Errorf("a new gateway says %q", said)
		}
		h.end()
		if _, err := os.Stat(filepath.Join(state, "keys")); err != nil {
			giveKey(t, state)
		}
	}
}
