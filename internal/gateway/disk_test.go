package gateway_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSickDisk: a journal that can't be written, in several ways, never keeps a
// known card out, says so, and is whole again when the disk is.
func TestSickDisk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	dir := filepath.Join(h.dir, "state", "journal")
	must(t, os.WriteFile(dir, []byte("a file where the directory should be"), 0o600))
	h.start()
	_, err := h.client.ResetFire(t.Context()) // no first start, and no latch: the doors are released
	must(t, err)
	h.wiegandOpens("a known card opens")
	h.eventually("and late", func() bool { return strings.Contains(h.log.String(), "released before its record was durable") })
	h.eventually("status tells", func() bool {
		st, err := h.client.Status(t.Context())
		return err == nil && st.Journal.Degraded != "" && strings.Contains(strings.Join(st.Problems, " "), "can't be made durable")
	})
	must(t, os.Remove(dir))
	h.eventually("the entries are durable after all", func() bool {
		k := h.kinds()
		return k["front access granted granted"] == 1 && k["front released_late slow_disk"] == 1 && k["journal active disk_error"]+k["journal active slow_disk"] >= 1
	})
}

// TestDamagedJournal: a file that was cut short or overwritten is set aside and
// reported, and the doors go on.
func TestDamagedJournal(t *testing.T) {
	for name, damage := range map[string]func(string) error{
		"cut short":   func(p string) error { return os.Truncate(p, 5000) },
		"empty":       func(p string) error { return os.Truncate(p, 0) },
		"overwritten": func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("no journal ", 3000)), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.start()
			h.wiegand(123, 4567)
			h.eventually("an entry", h.has("front access granted granted", 1))
			h.end()
			files, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*-*.db"))
			must(t, err)
			if len(files) == 0 {
				t.Fatal("no journal file")
			}
			must(t, damage(files[len(files)-1]))
			h.start()
			h.eventually("the damage is an entry", h.has("damaged damaged_file", 1))
			h.wiegandOpens("a known card opens")
			h.eventually("a new epoch has its entry", h.has("front access granted granted", 1))
			aside, err := filepath.Glob(filepath.Join(h.dir, "state", "journal", "*.bad-*"))
			must(t, err)
			if len(aside) != 1 {
				t.Errorf("set aside: %v", aside)
			}
		})
	}
}

// TestRemovedState: a journal that somebody removes under the running daemon is
// begun anew at the next entry, which is then on the disk.
func TestRemovedState(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.eventually("the journal is written", h.has("boot", 1))
	// Moved away first: entries of the start may still come, and begin it anew while it is removed.
	dir := filepath.Join(h.dir, "state", "journal")
	must(t, os.Rename(dir, dir+".gone"))
	must(t, os.RemoveAll(dir+".gone"))
	h.wiegandOpens("a known card opens")
	h.eventually("its entry is there", h.has("front access granted granted", 1))
	h.end()
	h.start()
	h.eventually("and still after a restart", h.has("front access granted granted", 1))
	if k := h.kinds(); k["epoch disk_error"] != 1 {
		t.Errorf("entries %v; want one epoch that cites the lost one", k)
	}
}

// TestDamagedGrants: one damaged copy of the list changes nothing but the report.
func TestDamagedGrants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	must(t, os.Truncate(filepath.Join(h.dir, "state", "grants", "grants-a.db"), 3000))
	h.start()
	h.wiegandOpens("a known card opens")
	h.eventually("the damage is an entry", h.has("damaged damaged_file", 1))
	h.eventually("both copies are good after the repair", func() bool {
		st, err := h.client.Status(t.Context())
		return err == nil && st.Grants.Copies == 2
	})
}

// TestTakenJournal: entries that somebody takes away while the daemon is stopped
// are missed at the next start: an entry that is an alarm, and a line under "to do"
// whose advice ends it.
func TestTakenJournal(t *testing.T) {
	for name, c := range map[string]struct {
		take  func(journal string) error
		entry string
	}{
		"entries": {func(dir string) error {
			files, err := filepath.Glob(filepath.Join(dir, "*-*.db"))
			for _, f := range files {
				err = errors.Join(err, os.Remove(f))
			}
			return err
		}, "damaged missing_file"},
		"the directory": {os.RemoveAll, "damaged set_back"},
		"its contents":  {func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) }, "damaged set_back"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			h.start()
			h.wiegand(123, 4567)
			h.eventually("an entry", h.has("front access granted granted", 1))
			h.end()
			dir := filepath.Join(h.dir, "state", "journal")
			must(t, c.take(dir))
			h.start()
			h.eventually("the loss is an entry", h.has(c.entry, 1))
			problem := func() string {
				st, err := h.client.Status(t.Context())
				must(t, err)
				for _, p := range st.Problems {
					if strings.HasPrefix(p, "the journal: ") {
						return p
					}
				}
				return ""
			}
			text := problem()
			_, file, ok := strings.Cut(text, "then remove ")
			if !ok {
				t.Fatalf("under to do: %q", text)
			}
			must(t, os.Remove(file))
			if again := problem(); again != "" {
				t.Errorf("still under to do: %q", again)
			}
			h.wiegandOpens("a known card opens")
		})
	}
}

// TestTakenGrants: the desk's file of tenancies, or the whole directory of the grants, that somebody
// takes away while the daemon is stopped is missed at the next start, and at no other.
func TestTakenGrants(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(state string) error
		take    string
	}{
		"the tenancies": {func(string) error { return nil }, "grants/tenancies.json"},
		"the directory": {func(state string) error { return os.WriteFile(filepath.Join(state, "journal", "hints"), nil, 0o600) }, "grants"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			state := filepath.Join(h.dir, "state")
			missed := func() bool {
				s, err := h.client.Status(t.Context())
				must(t, err)
				return slices.ContainsFunc(s.Problems, func(p string) bool {
					return strings.Contains(p, filepath.Join(state, c.take)+" is missing: ") && strings.Contains(p, "gatehouse tenancy pin")
				})
			}
			restart := func(want bool) {
				t.Helper()
				h.end()
				h.start()
				if got := missed(); got != want {
					t.Errorf("missed: %v, want %v", got, want)
				}
			}
			h.start()
			must(t, c.prepare(state))
			restart(false)
			h.end()
			must(t, os.RemoveAll(filepath.Join(state, c.take)))
			h.start()
			if !missed() {
				t.Error("nothing says that it is gone")
			}
			h.eventually("an entry says so", h.has("damaged missing_file", 1))
			restart(false)
		})
	}
}
