package keeper

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/access"
	"gatehouse/internal/backup"
	"gatehouse/internal/backup/recovery"
	"gatehouse/internal/backup/restore"
	"gatehouse/internal/disk"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

const siteText = `
building = "%[2]s"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
profiles = "%[1]s/profiles"
backup = "%[1]s/stick"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "sim0", line = 2, pull = "down"}
[[door.reader]]
id = "in"
type = "osdp"
port = "/dev/ttyS9"
address = 1
formats = ["H10301"]
`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// house is a standalone house with one card.
type house struct {
	t      testing.TB
	dir    string
	site   *site.Site
	ring   *keyring.Keyring
	issuer ed25519.PrivateKey
	card   wire.CredentialID
	now    time.Time
}

func (h *house) path(elem ...string) string {
	return filepath.Join(append([]string{h.dir}, elem...)...)
}

func (h *house) config() string { return h.path("etc", "site.toml") }

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), card: wire.CredentialID{1, 2, 3}}
	public, issuer, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	h.issuer = issuer
	building, err := keys.GenerateBuildingKey(1)
	must(t, err)
	_, err = keys.Install(h.path("state", "keys"), public, building)
	must(t, err)
	must(t, os.MkdirAll(h.path("stick"), 0o700))
	must(t, os.MkdirAll(h.path("etc"), 0o700))
	must(t, os.MkdirAll(h.path("profiles", "readers"), 0o700))
	must(t, os.WriteFile(h.path("profiles", "readers", "ours.toml"), []byte("# of this house alone\n"), 0o600))
	must(t, os.MkdirAll(h.path("state", "readers"), 0o700))
	must(t, os.WriteFile(h.path("state", "readers", "front-in.key"), []byte(strings.Repeat("5a", 16)+"\n"), 0o600))
	must(t, os.WriteFile(h.config(), fmt.Appendf(nil, siteText, h.dir, "lane-7"), 0o644))
	h.site, err = site.Load(h.config())
	must(t, err)
	h.open()
	h.give(h.card, "3B Zhang")
	return h
}

func (h *house) open() {
	h.t.Helper()
	loaded, err := keys.LoadKeys(h.path("state", "keys"))
	must(h.t, err)
	h.ring, err = keyring.Open(keyring.Options{Dir: h.path("state", "grants"), Building: "lane-7", Keys: loaded, Log: zerolog.Nop()})
	must(h.t, err)
}

// give makes a list in which a card opens besides.
func (h *house) give(card wire.CredentialID, label string) {
	h.t.Helper()
	l, err := h.ring.List()
	must(h.t, err)
	e, err := grantlist.NewEditor(l, "lane-7", h.issuer, 0)
	must(h.t, err)
	_, err = e.Add(grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front"}, Credentials: []wire.CredentialID{card}, Label: label})
	must(h.t, err)
	u, err := e.Sign(h.now)
	must(h.t, err)
	must(h.t, h.ring.Apply(u))
}

func (h *house) keeper() *Keeper {
	return New(Options{Site: h.site, Keyring: h.ring, Now: func() time.Time { return h.now }, Software: "test", Log: zerolog.Nop()})
}

// burn takes the machine away: all but what was kept elsewhere.
func (h *house) burn() {
	h.t.Helper()
	must(h.t, h.ring.Close())
	for _, part := range []string{"state", "etc", "profiles"} {
		must(h.t, os.RemoveAll(h.path(part)))
	}
}

// opens says whether a card opens on what is in the state directory.
func (h *house) opens(card wire.CredentialID) bool {
	h.t.Helper()
	h.open()
	defer h.ring.Close()
	return access.Decide(h.ring.Grants(), &access.Query{Credential: card, Door: "front"}).Reason == wire.ReasonGranted
}

// read opens a backup.
func read(t testing.TB, data []byte, code recovery.Code) restore.Backup {
	t.Helper()
	b, err := restore.Open(data, code)
	must(t, err)
	return b
}

// taken is a house that has burned, with its backup.
func taken(t testing.TB) (*house, restore.Backup) {
	h := newHouse(t)
	k := h.keeper()
	code, err := k.NewCode(false)
	must(t, err)
	_, data, err := k.Take()
	must(t, err)
	h.burn()
	return h, read(t, data, code)
}

// TestRestore: the machine in the place of a burned one opens for its card, has the
// labels, the readers' keys and the profiles, and a signing key of its own; the code goes
// on. What was restored is not restored twice.
func TestRestore(t *testing.T) {
	h, b := taken(t)
	old := b.Content.Keys[keys.GatewayKeyFile]
	r, err := restore.Restore(b, restore.Target{Config: h.config()})
	must(t, err)
	if r.Tenancies != 1 || r.List != 1 || r.Registry != site.NoRegistry || r.Readers != 1 || r.KeptSite {
		t.Errorf("%+v", r)
	}
	if day := r.Made.Format("2006-01-02 15:04 -07:00"); day != "2026-11-30 20:00 +08:00" { // as recovery show tells it
		t.Errorf("made on %s", day)
	}
	if !h.opens(h.card) || h.opens(wire.CredentialID{1, 9}) {
		t.Error("the card does not open, or any does")
	}
	if own, err := keys.LoadPrivateKey(h.path("state", "keys", keys.GatewayKeyFile)); err != nil || old != nil {
		t.Errorf("its signing key: %v, %v", own, err)
	}
	for path, want := range map[string]string{"state/readers/front-in.key": "5a5a", "state/grants/labels.json": "Zhang", "profiles/readers/ours.toml": "of this house", "etc/site.toml": "lane-7"} {
		if got, err := os.ReadFile(h.path(path)); err != nil || !bytes.Contains(got, []byte(want)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	again := h.keeper()
	if s := again.Status(); s.Code.IsZero() || s.Proved.IsZero() {
		t.Errorf("the code does not go on: %+v", s)
	}
	refused(t, b, h, "gateway already")
}

// refused wants a restore to be refused in these words, with what to do, and nothing of the machine to change.
func refused(t *testing.T, b restore.Backup, h *house, want string) {
	t.Helper()
	before := tree(t, h.dir)
	_, err := restore.Restore(b, restore.Target{Config: h.config()})
	var said *socket.Error
	if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &said) || said.Hint == "" {
		t.Errorf("%v, want %q and a hint", err, want)
	}
	if after := tree(t, h.dir); after != before {
		t.Errorf("a refused restore (%s) changes the machine:\n%s\nbefore:\n%s", want, after, before)
	}
}

// tree lists what is in a directory, with its size.
func tree(t testing.TB, dir string) string {
	t.Helper()
	var all strings.Builder
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			fmt.Fprintln(&all, path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	}))
	return all.String()
}

// errCut is a power cut.
var errCut = errors.New("power cut")

// TestRestoreCut: wherever the power goes during a restore, the same call goes on, and
// what is there at the end is the same. Before that the machine is no gateway that opens
// for nobody: it has no site file.
func TestRestoreCut(t *testing.T) {
	h, b := taken(t)
	steps := 0
	for n := 1; ; n++ {
		for _, part := range []string{"state", "etc", "profiles"} {
			must(t, os.RemoveAll(h.path(part)))
		}
		count := 0
		cut := func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = p.(error)
				}
			}()
			_, err = restore.Restore(b, restore.Target{Config: h.config(), Step: func() {
				if count++; count == n {
					panic(errCut)
				}
			}})
			return err
		}()
		if cut == nil {
			break
		}
		if !errors.Is(cut, errCut) {
			t.Fatalf("step %d: %v", n, cut)
		}
		steps++
		r, err := restore.Restore(b, restore.Target{Config: h.config()})
		if err != nil || r.Tenancies != 1 || r.KeptSite {
			if err != nil && strings.Contains(err.Error(), "gateway already") && !exists(h.path("state", "restoring")) {
				continue // it was all done
			}
			t.Fatalf("cut at step %d, and again: %+v, %v", n, r, err)
		}
		if !h.opens(h.card) || exists(h.path("state", "restoring")) {
			t.Fatalf("cut at step %d: the card does not open, or something is left", n)
		}
	}
	if steps < 15 {
		t.Errorf("%d steps", steps)
	}
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }

// TestRestoreRefuses: in words, with what to do, and nothing on the machine changes.
func TestRestoreRefuses(t *testing.T) {
	h := newHouse(t)
	k := h.keeper()
	code, err := k.NewCode(false)
	must(t, err)
	_, data, err := k.Take()
	must(t, err)
	b := read(t, data, code)
	refused(t, b, h, "gateway already")
	h.give(wire.CredentialID{1, 7}, "")
	must(t, h.ring.Close()) // a restore is for a machine whose daemon has stopped
	refused(t, b, h, "older than what is here")

	other := newHouse(t)
	must(t, other.ring.Close())
	foreign := b
	foreign.Content.Site = fmt.Appendf(nil, siteText, other.dir, "lane-7")
	refused(t, foreign, other, "building key of another house")
	must(t, os.WriteFile(other.config(), fmt.Appendf(nil, siteText, other.dir, "lane-8"), 0o644))
	refused(t, foreign, other, "this machine is lane-8/gw1")
	must(t, os.WriteFile(other.config(), []byte("building ="), 0o644))
	refused(t, foreign, other, "site.toml")
	must(t, os.RemoveAll(other.path("etc")))
	must(t, os.RemoveAll(other.path("state", "keys")))
	must(t, os.Remove(other.path("state", "grants", backup.MarksFile)))
	refused(t, foreign, other, "is there already, and is not empty")

	h.burn()
	_ = cutWhenReady(b, h)
	later := b
	later.Sum = "another"
	if exists(h.path("state", "restoring", "ready")) {
		refused(t, later, h, "another backup was being restored")
	} else {
		t.Error("the test cuts too early")
	}
}

// cutWhenReady ends a restore when all is put down, and nothing is in its place.
func cutWhenReady(b restore.Backup, h *house) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = p.(error)
		}
	}()
	_, err = restore.Restore(b, restore.Target{Config: h.config(), Step: func() {
		if exists(h.path("state", "restoring", "ready")) {
			panic(errCut)
		}
	}})
	return err
}

// TestKeptSite: a machine that was wired anew keeps its own site file.
func TestKeptSite(t *testing.T) {
	h, b := taken(t)
	must(t, os.MkdirAll(h.path("etc"), 0o755))
	own := append(fmt.Appendf(nil, siteText, h.dir, "lane-7"), "# wired anew\n"...)
	must(t, os.WriteFile(h.config(), own, 0o644))
	r, err := restore.Restore(b, restore.Target{Config: h.config()})
	must(t, err)
	if got, _ := os.ReadFile(h.config()); !r.KeptSite || !bytes.Equal(got, own) || !h.opens(h.card) {
		t.Errorf("%+v", r)
	}
}

// TestHostileBackup: a backup whose code is known writes nothing but what backups have.
func TestHostileBackup(t *testing.T) {
	h, good := taken(t)
	for name, spoil := range map[string]func(*backup.Content){
		"key":      func(c *backup.Content) { c.Keys["../../etc/passwd"] = []byte("x") },
		"own key":  func(c *backup.Content) { c.Keys[keys.GatewayKeyFile] = []byte("x") },
		"grants":   func(c *backup.Content) { c.Grants["../x"] = []byte("x") },
		"records":  func(c *backup.Content) { c.Records = map[string][]byte{"../a.record": []byte("x")} },
		"reader":   func(c *backup.Content) { c.Readers["../x"] = []byte("x") },
		"profile":  func(c *backup.Content) { c.Profiles.Files["../../x.toml"] = []byte("x") },
		"no key":   func(c *backup.Content) { delete(c.Keys, keys.BuildingKeyFile) },
		"no list":  func(c *backup.Content) { c.Buckets[0] = []byte("x") },
		"unsigned": func(c *backup.Content) { c.Manifest = c.Manifest[1:] },
		"no site":  func(c *backup.Content) { c.Site = nil },
	} {
		b := good
		b.Content.Keys, b.Content.Grants, b.Content.Readers = maps.Clone(b.Content.Keys), maps.Clone(b.Content.Grants), maps.Clone(b.Content.Readers)
		b.Content.Profiles.Files, b.Content.Buckets = maps.Clone(b.Content.Profiles.Files), slices.Clone(b.Content.Buckets)
		spoil(&b.Content)
		if _, err := restore.Restore(b, restore.Target{Config: h.config()}); err == nil {
			t.Errorf("%s: restored", name)
		}
		if exists(h.path("etc", "site.toml")) || exists(h.path("state", "keys")) || exists(filepath.Join(filepath.Dir(h.dir), "x")) {
			t.Errorf("%s: something was put down", name)
		}
	}
}

// TestRehearse: the code that was shown opens the backup, and leaves nothing behind;
// another does not. A second code is made only where that is wanted.
func TestRehearse(t *testing.T) {
	h := newHouse(t)
	defer h.ring.Close()
	k := h.keeper()
	if _, err := k.Rehearse(recovery.New()); err == nil {
		t.Error("rehearsed without a code")
	}
	if _, _, err := k.Take(); err == nil {
		t.Error("a backup that nobody could open")
	}
	code, err := k.NewCode(false)
	must(t, err)
	if _, err := k.NewCode(false); err == nil {
		t.Error("a second code, unasked")
	}
	if _, err := k.Rehearse(recovery.New()); !errors.Is(err, backup.ErrCode) || !k.Status().Proved.IsZero() {
		t.Errorf("another code: %v", err)
	}
	if exists(k.path()) {
		t.Error("a wrong code had a backup written")
	}
	r, err := k.Rehearse(code)
	if err != nil || r.Tenancies != 1 || k.Status().Proved.IsZero() || exists(h.path("state", directory, proving)) {
		t.Errorf("%+v, %v", r, err)
	}
	if !h.keeper().Status().Proved.Equal(k.Status().Proved) {
		t.Error("that it was tried is forgotten at a restart")
	}
	next, err := k.NewCode(true)
	must(t, err)
	if _, err := k.Rehearse(code); !errors.Is(err, backup.ErrCode) {
		t.Errorf("the old code: %v", err)
	}
	_, err = k.Rehearse(next)
	must(t, err)
}

// TestNightly: backups are made by themselves, each night, and copied to the stick when it
// is there. One that can't be made is told, and tried again.
func TestNightly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		defer h.ring.Close()
		h.site.Backup = elsewhere(t, h.dir)
		began := time.Now()
		first := h.now
		clock := func() time.Time { return first.Add(time.Since(began)) }
		k := New(Options{Site: h.site, Keyring: h.ring, Now: clock, Log: zerolog.Nop()})
		ctx := t.Context()
		go k.Run(ctx)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if exists(k.path()) {
			t.Error("a backup without a code")
		}
		_, err := k.NewCode(false)
		must(t, err)
		synctest.Wait()
		s := k.Status()
		if s.Made.IsZero() || s.Problem != "" || !s.Away.Made.Equal(s.Made) {
			t.Fatalf("%+v", s)
		}
		must(t, os.RemoveAll(h.site.Backup))
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		next := k.Status()
		zone, err := time.LoadLocation(h.site.TimeZone)
		must(t, err)
		if at := next.Made.In(zone); at.Hour() != nightly || !next.Made.After(s.Made) || next.Away.Problem == "" || !next.Away.Made.Equal(s.Made) {
			t.Errorf("%+v", next)
		}
		must(t, os.Mkdir(h.site.Backup, 0o700))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if s := k.Status(); !s.Away.Made.Equal(s.Made) || s.Away.Problem != "" {
			t.Errorf("the stick is there again: %+v", s)
		}
		must(t, os.Rename(h.path("state", "keys", keys.BuildingKeyFile), h.path("aside")))
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if s := k.Status(); s.Problem == "" || !s.Made.Equal(next.Made) {
			t.Errorf("a backup that restores nothing: %+v", s)
		}
		must(t, os.Rename(h.path("aside"), h.path("state", "keys", keys.BuildingKeyFile)))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if s := k.Status(); s.Problem != "" || !s.Made.After(next.Made) {
			t.Errorf("mended: %+v", s)
		}
	})
}

// elsewhere is a directory on another disk than dir.
func elsewhere(t *testing.T, dir string) string {
	t.Helper()
	other, err := os.MkdirTemp("/dev/shm", "gatehouse-")
	if err != nil {
		t.Skip("SKIP (needs a second file system): ", err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	if shared, err := disk.Shared(other, dir); err != nil || shared != "" {
		t.Skip("SKIP (needs a second file system): ", err)
	}
	return other
}

// TestOwnDisk: a copy on the gateway's own disk, as where the stick is not in, is none that is elsewhere:
// none is put there, one from before does not count, also after a restart, and it is told.
func TestOwnDisk(t *testing.T) {
	h := newHouse(t)
	defer h.ring.Close()
	k := h.keeper()
	_, err := k.NewCode(false)
	must(t, err)
	name, data, err := k.Take()
	must(t, err)
	if s := k.Status(); !s.Away.Made.IsZero() || !strings.Contains(s.Away.Problem, "the gateway's own disk") || s.Problem != "" || s.Made.IsZero() {
		t.Errorf("%+v", s)
	}
	if exists(h.path("stick", name)) {
		t.Error("a copy is put on the gateway's own disk")
	}
	must(t, os.WriteFile(h.path("stick", name), data, 0o600))
	if s := h.keeper().Status(); !s.Away.Made.IsZero() || s.Made.IsZero() {
		t.Errorf("a copy of before: %+v", s)
	}
}

// TestBackupOfAnotherCode: after a new code the backup of the one before is none of the gateway's, also
// over a restart; where the code is damaged, it still is, since its own code may be on paper.
func TestBackupOfAnotherCode(t *testing.T) {
	h := newHouse(t)
	defer h.ring.Close()
	k := h.keeper()
	_, err := k.NewCode(false)
	must(t, err)
	_, _, err = k.Take()
	must(t, err)
	if s := h.keeper().Status(); s.Made.IsZero() {
		t.Errorf("its own backup: %+v", s)
	}
	_, err = k.NewCode(true)
	must(t, err)
	for when, s := range map[string]Status{"at once": k.Status(), "after a restart": h.keeper().Status()} {
		if !s.Made.IsZero() || s.Code.IsZero() {
			t.Errorf("%s: %+v", when, s)
		}
	}
	must(t, os.WriteFile(k.keyPath(), []byte("x"), 0o600))
	if s := h.keeper().Status(); s.Made.IsZero() || !strings.Contains(s.Problem, "gatehouse recovery new --replace") {
		t.Errorf("a damaged code: %+v", s)
	}
}

// TestDamagedBackup: one that is not as it was written is told at the start.
func TestDamagedBackup(t *testing.T) {
	h := newHouse(t)
	defer h.ring.Close()
	k := h.keeper()
	_, err := k.NewCode(false)
	must(t, err)
	_, data, err := k.Take()
	must(t, err)
	must(t, os.WriteFile(k.path(), data[:len(data)-1], 0o600))
	if s := h.keeper().Status(); !strings.Contains(s.Problem, "in part") {
		t.Errorf("%+v", s)
	}
}
