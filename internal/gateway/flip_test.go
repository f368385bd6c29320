package gateway_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/keys"
)

// TestFlippedBits: a worn card turns one bit of one file of a running house, whichever: the
// daemon starts, the resident's card opens, and what can't have been right is told. One file
// is another matter: a fire latch that can't be read leaves the doors released. It starts a house for
// each of its files, and takes as long.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	change := h.enrol().dial(nil)
	must(t, os.Remove(filepath.Join(h.dir, "state", "keys", keys.IssuerFile))) // as an enrolment leaves it
	for range 2 {                                                              // the second has an older journal
		h.startWith(change)
		h.wiegandOpens("the front door releases")
		h.end()
	}
	state, kept := filepath.Join(h.dir, "state"), filepath.Join(h.dir, "kept")
	must(t, os.CopyFS(kept, os.DirFS(state)))
	var files []string
	must(t, filepath.WalkDir(kept, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > 0 && e.Name() != "ballast" { // of zeros, which are room
			name, _ := filepath.Rel(kept, path)
			files = append(files, name)
		}
		return err
	}))
	for _, must := range []string{"keys/registry.json", "keys/root.pub", "keys/building.key", "grants/marks.json", "clock", "fire.latch"} {
		if !slices.Contains(files, must) {
			t.Fatalf("no %s among %v", must, files)
		}
	}
	for i, name := range files {
		flips := []int{3*i + 1}
		if strings.HasPrefix(name, "keys/") && !testing.Short() || name == "grants/marks.json" {
			flips = []int{1, 3, 5} // of six parts of the file: the head, a value, another
		}
		for _, part := range flips {
			must(t, os.RemoveAll(state))
			must(t, os.CopyFS(state, os.DirFS(kept)))
			path := filepath.Join(state, name)
			raw, err := os.ReadFile(path)
			must(t, err)
			raw[len(raw)*(part%6)/6] ^= 1
			must(t, os.WriteFile(path, raw, 0o600))
			h.startWith(change)
			if name == "fire.latch" {
				h.eventually("the doors are released", func() bool { return h.isReleased("front") && h.isReleased("yard") })
			} else {
				h.eventually("locked", func() bool { return !h.isReleased("front") })
				h.wiegandOpens("the front door releases after a bit of " + name + " has flipped")
			}
			h.end()
			if t.Failed() {
				return
			}
			if again, err := os.ReadFile(path); err == nil && slices.Contains([]string{"keys/root.pub", "keys/building.key"}, name) && slices.Equal(again, raw) {
				t.Errorf("%s was left as it was", name)
			}
		}
	}
}

// TestMendedKeys: a key file that was put right is told, where it lies as it was, and stands in
// the log; the house goes on with its registry.
func TestMendedKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	must(t, os.Remove(filepath.Join(h.dir, "state", "keys", keys.IssuerFile)))
	h.startWith(w.dial(nil))
	h.end()
	path := filepath.Join(h.dir, "state", "keys", keys.RegistryFile)
	raw, err := os.ReadFile(path)
	must(t, err)
	raw[1] ^= 1
	must(t, os.WriteFile(path, raw, 0o600))
	h.startWith(w.dial(nil))
	h.wiegandOpens("the front door releases")
	h.eventually("the log tells", h.has("damaged damaged_file", 1))
	if got := h.problems(); !strings.Contains(got, path+".bad-1") {
		t.Errorf("to do: %s", got)
	}
	h.eventually("in step", func() bool {
		s, err := h.client.Status(t.Context())
		return err == nil && s.Uplink != nil && s.Uplink.State == "in step"
	})
	aside, err := os.ReadFile(path + ".bad-1")
	must(t, err)
	if !slices.Equal(aside, raw) {
		t.Error("it does not lie there as it was")
	}
	must(t, os.Remove(path+".bad-1"))
	if got := h.problems(); strings.Contains(got, "set aside") {
		t.Errorf("afterwards: %s", got)
	}
}
