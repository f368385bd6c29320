package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// age makes all that the front has stored older; it is down.
func (w *town) age(days int) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.database("front"))
	must(w.t, err)
	_, err = db.Exec(`UPDATE batches SET stored_at = stored_at - ?`, (time.Duration(days) * 24 * time.Hour).Milliseconds())
	must(w.t, err)
	must(w.t, db.Close())
}

// TestForgetUnder14: who parts of a child go from the registry's files a week after they came, and nobody else's, by a run with the records
// key; what is younger stays, nobody's request is counted, and nothing says which entries it was.
func TestForgetUnder14(t *testing.T) {
	t.Parallel()
	w, link, reg, own := enrolledTown(t)
	run := func(key string, more ...string) []string {
		return append([]string{"forget", "--under-14", "--key", filepath.Join(w.dir, "offline", key)}, more...)
	}
	erases := func(want string) {
		t.Helper()
		if out := w.ok(run("records.key")...); !strings.Contains(out, want) || strings.Contains(out, "house-1") {
			t.Errorf("it says %q, want %q", out, want)
		}
	}
	erases("nothing to erase")
	_, child := w.checksIn(link, reg, own, true)
	seals := w.brings(link, reg, own, child, wire.ID{7, 7}, child)
	stays := func(when string, want ...bool) {
		t.Helper()
		for i, seal := range seals {
			if there := w.has(seal); there != want[i] {
				t.Errorf("%s: the seal of entry %d is in the files: %t", when, i, there)
			}
		}
	}
	w.down("front")
	w.age(6)
	w.up("front")
	erases("0 who parts of those under 14 erased")
	stays("before a week is over", true, true, true)
	w.down("front")
	w.age(2)
	w.up("front")
	entries := w.ok("entries")
	w.refused("nobody asks for it", run("records.key", child.String())...)
	w.refused("nobody asks for it", run("records.key", "--case", "7")...)
	w.refused("nothing is erased", run("escrow.key")...)
	w.refused("PEM", run("root.key")...)
	w.refused("no tenancy is named", "forget", "--key", filepath.Join(w.dir, "offline", "records.key"))
	stays("a run that was refused", true, true, true)
	erases("2 who parts of those under 14 erased")
	stays("a run", false, true, false)
	erases("0 who parts of those under 14 erased")
	if after := w.ok("entries"); after != entries {
		t.Errorf("the entries show what was erased:\n%s\n%s", after, entries)
	}
	if out := w.ok("audit"); !strings.Contains(out, "under 14: what is over since") || strings.Contains(out, child.String()) {
		t.Error(out)
	}
	b, err := os.ReadFile(filepath.Join(w.dir, "front", api.FileErasures))
	must(t, err)
	if s := string(b); strings.Contains(s, "forgotten") || strings.Contains(s, "aged") || !strings.Contains(s, `"sequences":[0,2]`) {
		t.Errorf("the ledger says %s", s)
	}
	w.down("front")
	w.up("front")
	stays("after a restart", false, true, false)
}
