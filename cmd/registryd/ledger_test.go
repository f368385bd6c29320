package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// enrolledTown is a registry of one gateway, with its link.
func enrolledTown(t *testing.T) (*town, *mqtt.Link, *keys.Registry, *keys.Keys) {
	t.Helper()
	w := &town{stops: make(map[string]func()), centre: emptyCentre(t)}
	w.up("front", "issuer")
	dir := w.gateway("gw-1")
	link := connect(t, dir).link
	reg, err := keys.LoadRegistry(dir)
	must(t, err)
	own, err := keys.LoadKeys(dir)
	must(t, err)
	return w, link, reg, &own
}

// burns plays the loss of the registry's machine: databases and ledger are gone.
func (w *town) burns() {
	w.t.Helper()
	w.down("front", "issuer")
	w.lose("front", "issuer")
	if err := os.Remove(filepath.Join(w.dir, "front", api.FileErasures)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.t.Fatal(err)
	}
}

// putLedgerBack copies the ledger of erasures from a backup, as docs/restore.md says.
func (w *town) putLedgerBack(directory string) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(directory, api.FileErasures))
	must(w.t, err)
	must(w.t, os.WriteFile(filepath.Join(w.dir, "front", api.FileErasures), b, 0o600))
}

// TestRestoreForgotten: nobody who was forgotten before a backup was made comes back with it, nor with the database of
// an older one under its ledger, when the machine is lost; without a ledger the front says so.
func TestRestoreForgotten(t *testing.T) {
	t.Parallel()
	w, link, reg, own := enrolledTown(t)
	_, tenancy := w.checksIn(link, reg, own, false)
	seals := w.brings(link, reg, own, tenancy, wire.ID{7, 7}, tenancy)
	first := w.backup()
	w.ok("forget", tenancy.String(), "--key", filepath.Join(w.dir, "offline", "records.key"), "--reason", "resident", "--case", "1")
	second := w.backup()
	named := func(what string) {
		t.Helper()
		for i, seal := range seals {
			if there := w.has(seal); there != (i == 1) {
				t.Errorf("%s: the seal of entry %d is there: %t", what, i, there)
			}
		}
		if out := w.ok("status"); strings.Contains(out, api.FileErasures) {
			t.Errorf("%s: %s", what, out)
		}
	}
	named("forgotten")

	w.burns()
	w.putBack(second, "front", "issuer")
	w.putLedgerBack(second)
	w.up("front", "issuer")
	named("the newest backup")

	w.burns()
	w.putBack(first, "front")
	w.putBack(second, "issuer")
	if !w.has(seals[0]) {
		t.Fatal("the older backup names nobody, so that it proves nothing")
	}
	w.putLedgerBack(second)
	w.up("front", "issuer")
	named("an older database under the newest ledger")

	w.burns()
	w.putBack(second, "front", "issuer")
	w.up("front", "issuer")
	w.says("erasures.jsonl is not there, the database knows of line")
	if out := w.ok("restored"); !strings.Contains(out, "put back the newest that a backup has") {
		t.Error(out)
	}
	w.ok("restored", "--done")
	w.down("front")
	w.putLedgerBack(second)
	w.up("front")
	named("the ledger was put back later")

	w.burns()
	w.putBack(second, "front", "issuer")
	w.putLedgerBack(first)
	w.up("front", "issuer")
	w.says("erasures.jsonl has line")
}

// TestRestoreAnswered: a front whose database is put back to before an answer, or is gone, still knows of it: the mandate is
// used up, and the answer can be had once more.
func TestRestoreAnswered(t *testing.T) {
	t.Parallel()
	w, link, reg, own := enrolledTown(t)
	_, tenancy := w.checksIn(link, reg, own, false)
	w.brings(link, reg, own, tenancy, wire.ID{7, 7}, tenancy)
	by, _ := w.appoint(reg)
	_, public, err := sealing.GenerateKey()
	must(t, err)
	envelope, err := mandates.Sign(requisition(time.Now(), public), reg.Trust.Registry, by)
	must(t, err)
	paper := filepath.Join(t.TempDir(), "mandate.cose")
	must(t, os.WriteFile(paper, envelope, 0o600))
	args := []string{"query", paper, "--key", filepath.Join(w.dir, "offline", "records.key"), "--out"}
	first := w.backup()
	w.ok(append(args, t.TempDir())...)
	answers := w.ok("answers")
	if strings.Count(answers, "ab000000") != 1 {
		t.Fatal(answers)
	}
	knows := func(what string) {
		t.Helper()
		w.refused("used_up", append(args, t.TempDir())...)
		if said := w.ok("answers"); said != answers {
			t.Errorf("%s: %s\nwant %s", what, said, answers)
		}
		if said := w.ok("status"); strings.Contains(said, api.FileAnswers) {
			t.Errorf("%s: %s", what, said)
		}
	}
	knows("as it was")
	w.down("front")
	w.lose("front")
	w.putBack(first, "front")
	w.up("front")
	knows("the copy of before")
	second := w.backup()
	w.down("front", "issuer")
	w.lose("front", "issuer")
	must(t, os.Remove(filepath.Join(w.dir, "front", api.FileAnswers)))
	w.putBack(first, "front")
	w.putBack(second, "issuer")
	b, err := os.ReadFile(filepath.Join(second, api.FileAnswers))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(w.dir, "front", api.FileAnswers), b, 0o600))
	w.up("front", "issuer")
	knows("another machine, with the ledger of the newest backup")
}
