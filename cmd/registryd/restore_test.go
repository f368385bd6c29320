package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/calendar"
	"gatehouse/internal/enrol"
	"gatehouse/internal/forward"
	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// town is a whole registry whose processes end and start again, with one real
// gateway: keyring, journal and uplink over the broker.
type town struct {
	*centre
	stops map[string]func()
	gate  *gate
	made  int // tenants
}

func newTown(t *testing.T) *town {
	w := &town{stops: make(map[string]func())}
	w.centre = emptyCentre(t)
	w.up("front", "issuer")
	w.gate = w.newGate(w.gateway("gw-1", "--old-token"), 0)
	for range 3 {
		w.tenant()
	}
	return w
}

// up starts processes.
func (w *town) up(names ...string) {
	w.t.Helper()
	for _, name := range names {
		args := []string{"serve", "--config", filepath.Join(w.dir, "front", "front.toml")}
		if name == "issuer" {
			args = []string{"issue", "--dir", filepath.Join(w.dir, "issuer")}
		}
		ctx, cancel := context.WithCancel(context.Background())
		log := &safeBuffer{}
		var work sync.WaitGroup
		work.Go(func() {
			if status := run(ctx, w.args(args), strings.NewReader(""), log, log); status != 0 {
				w.t.Errorf("registryd %s ended with %d:\n%s", args[0], status, log)
			}
		})
		stop := sync.OnceFunc(func() { cancel(); work.Wait() })
		w.stops[name] = stop
		w.t.Cleanup(func() {
			stop()
			if w.t.Failed() {
				w.t.Logf("%s said:\n%s", name, log)
			}
		})
	}
	w.until("the issuer meets the front", func() bool {
		var s operator.Status
		return w.json(&s, "issuer") && s.Linked
	})
}

func (w *town) down(names ...string) {
	for _, name := range names {
		w.stops[name]()
	}
}

func (w *town) database(name string) string { return filepath.Join(w.dir, name, name+".db") }

// lose deletes a database with the files beside it.
func (w *town) lose(names ...string) {
	w.t.Helper()
	for _, name := range names {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(w.database(name) + suffix); err != nil && !os.IsNotExist(err) {
				w.t.Fatal(err)
			}
		}
	}
}

// putBack copies a database from a backup, as docs/restore.md says.
func (w *town) putBack(directory string, names ...string) {
	w.t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(directory, name+".db"))
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(w.database(name), b, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *town) backup() string {
	w.t.Helper()
	dir := w.t.TempDir()
	w.ok("backup", "--elsewhere", dir)
	return newestBackup(w.t, dir)
}

// gate is one gateway.
type gate struct {
	w    *town
	reg  *keys.Registry
	keys keys.Keys
	ring *keyring.Keyring
	link *mqtt.Link
	stop func()

	state string // directory
}

// newGate starts a gateway that speaks formats up to one; 0: all.
func (w *town) newGate(dir string, formats uint64) *gate {
	return w.gateIn(dir, w.t.TempDir(), formats)
}

// gateIn starts one in a state directory.
func (w *town) gateIn(dir, state string, formats uint64) *gate {
	w.t.Helper()
	g := &gate{w: w, state: state}
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	if g.keys, err = keys.LoadKeys(dir); g.keys.Gateway == nil { // a second gateway waits for its sibling's building key
		w.t.Fatal(err)
	}
	g.reg = g.keys.Registry
	g.ring, err = keyring.Open(keyring.Options{Dir: filepath.Join(state, "grants"), Building: "house-1", Keys: g.keys, Formats: formats, Log: zerolog.Nop()})
	must(err)
	clock := func() journal.Stamp { return journal.Stamp{Wall: time.Now().UnixMilli(), Quality: wire.ClockNTP} }
	j, err := journal.Open(journal.Options{Dir: filepath.Join(state, "journal"), Clock: clock, Ballast: -1, Log: zerolog.Nop()})
	must(err)
	g.link, err = mqtt.New(mqtt.Config{Broker: "mqtts://" + g.reg.Broker, TLS: enrol.Broker{Dir: dir, Now: time.Now, Trusted: func() bool { return true }}.TLS,
		Subscribe: []string{g.reg.Place.Down("+"), g.reg.Place.House("+")}, Jitter: mqtt.Jitter{First: time.Millisecond, Loss: 100 * time.Millisecond, Max: time.Second}, Log: zerolog.Nop()})
	must(err)
	up, err := uplink.New(uplink.Options{Link: g.link, Place: g.reg.Place, Registry: g.reg.Name, Journal: j, Keyring: forward.Keyring{Keyring: g.ring}, Key: g.keys.Gateway, Clock: clock,
		Software: "test", Formats: formats, Log: zerolog.Nop()})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for _, run := range []func(context.Context) error{g.ring.Run, j.Run, g.link.Run, up.Run} {
		work.Go(func() { _ = run(ctx) })
	}
	g.stop = sync.OnceFunc(func() { cancel(); work.Wait(); _ = g.ring.Close() })
	w.t.Cleanup(g.stop)
	return g
}

func (w *town) grant(n int) wire.ID { return wire.ID{1, byte(n + 1)} }

// tenant checks the next one in, as the desk does.
func (w *town) tenant() {
	w.t.Helper()
	n := w.made
	w.made++
	g, address := w.gate, w.gate.reg.Place.Address()
	seal := func(public []byte, purpose string, p wire.Payload) []byte {
		plain, err := wire.Encode(p)
		if err != nil {
			w.t.Fatal(err)
		}
		sealed, err := sealing.Seal(public, purpose, address, plain)
		if err != nil {
			w.t.Fatal(err)
		}
		return sealed
	}
	tenancy := wire.ID{4, byte(n + 1)}
	person := seal(g.reg.Trust.Records, sealing.Person, wire.Person{Tenancy: tenancy, Document: wire.DocumentPassport, Number: "X0000000", Name: tenantName})
	change := seal(g.reg.Trust.Desk, sealing.Change, wire.Change{Op: wire.OpCheckIn, At: uint32(time.Now().Unix()), Proof: wire.ProofLandlord,
		Tenancy: tenancy, Grant: w.grant(n), Credentials: []wire.CredentialID{{1, 7, byte(n)}}, Kind: wire.GrantResident, Doors: []string{"front"},
		Flat: "3b", Basis: wire.BasisContract, Informed: true, Document: wire.DocumentPassport})
	record := sign(w.t, g.reg, &g.keys, wire.TypeRecord, wire.Record{Line: 1, Number: uint64(n + 1), ID: wire.ID{9, byte(n)}, House: []byte{1}, Desk: change, Person: sha256.Sum256(person)})
	message := sign(w.t, g.reg, &g.keys, wire.TypeDelivery, wire.Delivery{Record: record, Person: person})
	w.until("the tenant's card opens", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		_ = g.link.Publish(ctx, g.reg.Place.Up(wire.TypeDelivery), message)
		return g.opens(n)
	})
}

// opens reports whether a tenant's card opens at the gateway.
func (g *gate) opens(n int) bool {
	records, _ := g.ring.Rows()
	for _, r := range records {
		if r.Credential == (wire.CredentialID{1, 7, byte(n)}) && r.State == wire.GrantActive {
			return true
		}
	}
	return false
}

// revoke ends a tenant's grant; it must count at the door.
func (w *town) revoke(n int) {
	w.t.Helper()
	w.ok("revoke", w.grant(n).String())
	w.until("the revocation is active", func() bool { return !w.gate.opens(n) })
}

// sound checks what must hold after every procedure: 0 was revoked before the loss and
// stays so, 1 is revoked now, the others live there, and the registry knows all.
func (w *town) sound(tenancies int) {
	w.t.Helper()
	w.revoke(1)
	for n := range w.made {
		if got, want := w.gate.opens(n), n > 1; got != want {
			w.t.Errorf("card %d opens: %v, want %v", n, got, want)
		}
	}
	w.until("the registry knows who lives there, and that the gateway has its list", func() bool {
		var all []operator.Tenancy
		active := 0
		if !w.json(&all, "tenancies") {
			return false
		}
		for _, t := range all {
			if t.State == "active" {
				active++
			}
		}
		return active == tenancies && strings.Contains(w.ok("gateways"), "proved") && !strings.Contains(w.ok("gateways"), "not proved")
	})
	for n := range w.made {
		if got, want := w.gate.opens(n), n > 1; got != want {
			w.t.Errorf("later card %d opens: %v, want %v", n, got, want)
		}
	}
}

// day is what happens after the backup: a card is revoked, a tenant comes.
func (w *town) day() {
	w.t.Helper()
	w.revoke(0)
	w.tenant()
}

// says waits for a line of status.
func (w *town) says(want string) {
	w.t.Helper()
	w.until("status says "+want, func() bool { return strings.Contains(w.ok("status"), want) })
}

// TestRestore plays docs/restore.md.
func TestRestore(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*town){
		"front.db lost": func(w *town) {
			w.day()
			w.down("front")
			w.lose("front")
			w.up("front")
			w.says("the database that was in use is gone")
		},
		"issuer.db lost": func(w *town) {
			w.day()
			w.down("issuer")
			w.lose("issuer")
			w.up("issuer")
			w.says("the front had list")
		},
		"issuer.db put back": func(w *town) {
			directory := w.backup()
			w.day()
			w.down("issuer")
			w.putBack(directory, "issuer")
			w.up("issuer")
			w.says("a copy was put back")
		},
		"front.db put back": func(w *town) {
			directory := w.backup()
			w.day()
			w.down("front")
			w.putBack(directory, "front")
			w.up("front")
			w.says("a copy was put back")
		},
		"both put back": func(w *town) {
			directory := w.backup()
			w.day()
			w.down("issuer", "front")
			w.putBack(directory, "front", "issuer")
			w.up("front", "issuer")
			w.says("gw-1 had list")
			w.says("none since a copy was put back on")
			if out := w.ok("status"); strings.Contains(out, "--as-false") {
				w.t.Error("it suspects a thief of what the copy could not know:", out)
			}
			w.backup()
			if out := w.ok("status"); strings.Contains(out, "none since") || strings.Contains(out, "NONE") {
				w.t.Error("it does not know of the next backup:", out)
			}
			w.ok("restored")
			w.ok("restored", "--done")
			if out := w.ok("status"); strings.Contains(out, "had list") || strings.Contains(out, "put back") {
				w.t.Error("it was not put away:", out)
			}
		},
		"of different backups": func(w *town) {
			first := w.backup()
			w.day()
			second := w.backup()
			w.down("issuer", "front")
			w.putBack(first, "front")
			w.putBack(second, "issuer")
			w.up("front", "issuer")
			w.says("a copy was put back")
		},
		"everything lost": func(w *town) {
			w.day()
			w.down("issuer", "front")
			w.lose("front", "issuer")
			w.up("front", "issuer")
			w.refused("of another type", "house", "import", filepath.Join(w.dir, "front", "trust.cose"))
			w.ok("house", "import", filepath.Join(w.gate.keys.Dir, keys.HouseFile))
			w.says("gw-1 had list")
			w.says("the copy of the building key of house-1 was lost")
			w.says("gateways that came by it: gw-1; that went: none")
			if out := w.ok("status"); strings.Contains(out, "--as-false") {
				w.t.Error("it suspects a thief:", out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			play(w)
			w.sound(2)
		})
	}
}

// replace makes a new key in the place of one, and does what the command then says: the
// processes that it names are started again, in that order, and nothing else is done.
func (w *town) replace(key string, more ...string) {
	w.t.Helper()
	offline := filepath.Join(w.dir, "offline")
	out := w.ok(append([]string{"trust", "new", "--root", filepath.Join(offline, "root.key"), "--dir", filepath.Join(w.dir, "issuer"),
		"--front-dir", filepath.Join(w.dir, "front"), "--replace", key}, more...)...)
	var again []string
	for line := range strings.Lines(out) {
		switch {
		case !strings.HasPrefix(line, "then "), strings.Contains(line, "copy "):
		case strings.Contains(line, "start the front again (registryd serve)"):
			again = append(again, "front")
		case strings.Contains(line, "start the issuer again (registryd issue)"):
			again = append(again, "issuer")
		default:
			w.t.Errorf("nobody knows how to do this: %s", line)
		}
	}
	w.down(again...)
	w.up(again...)
}

// file reads a file of the registry.
func (w *town) file(path ...string) []byte {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{w.dir}, path...)...))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// TestRestoreKeys plays the loss of each key that trust new replaces, by what it
// prints. A lost one is deleted first, a stolen one is there still.
func TestRestoreKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  string
		path []string
	}{{"issuer", []string{"issuer", "issuer.key"}}, {"second", []string{"offline", "second.key"}}, {"witness", []string{"front", "witness.key"}}} {
		for name, more := range map[string][]string{"lost": nil, "stolen": {"--as-false"}} {
			t.Run(c.key+" "+name, func(t *testing.T) {
				w := newTown(t)
				w.day()
				before := w.file(c.path...)
				if name == "lost" {
					if err := os.Remove(filepath.Join(append([]string{w.dir}, c.path...)...)); err != nil {
						t.Fatal(err)
					}
				}
				w.replace(c.key, more...)
				if bytes.Equal(before, w.file(c.path...)) {
					t.Fatal("the key is the same")
				}
				w.until("the gateway has the new document", func() bool { return w.gate.ring.Keys.Registry().Trust.Version > 1 })
				w.sound(2)
				w.takesMany()
			})
		}
	}
}

// takesMany: a list that takes from many waits, and second.key releases it: both
// issuers' keys count.
func (w *town) takesMany() {
	w.t.Helper()
	for range 6 {
		w.tenant()
	}
	for n := w.made - 6; n < w.made; n++ {
		w.ok("revoke", w.grant(n).String())
	}
	w.says("registryd countersign house-1")
	w.ok("countersign", "house-1", "--key", filepath.Join(w.dir, "offline", "second.key"))
	w.until("all are out", func() bool {
		for n := w.made - 6; n < w.made; n++ {
			if w.gate.opens(n) {
				return false
			}
		}
		return true
	})
}

// TestRestoreGateway plays the loss of a gateway's card: another machine takes its
// place, and opens nothing that is over.
func TestRestoreGateway(t *testing.T) {
	w := newTown(t)
	w.day()
	w.gate.stop()
	w.ok("gateway", "remove", "house-1", "gw-1")
	out := filepath.Join(t.TempDir(), "building.key")
	w.ok("building-key", "house-1", "--key", filepath.Join(w.dir, "offline", "escrow.key"), "--out", out)
	keyset := w.gateway("gw-1")
	if b, err := os.ReadFile(out); err != nil || os.WriteFile(filepath.Join(keyset, keys.BuildingKeyFile), b, 0o600) != nil {
		t.Fatal(err)
	}
	w.gate = w.newGate(keyset, 0)
	w.until("the new machine has the list", func() bool { return w.gate.opens(2) })
	w.sound(2)
}

// TestOldGateway: one that reads format 1 only gets the same lists as its sibling.
func TestOldGateway(t *testing.T) {
	w := newTown(t)
	old := w.newGate(w.gateway("gw-2"), 1)
	w.until("it has the list", func() bool { return old.opens(0) && old.opens(2) })
	w.revoke(0)
	w.until("the revocation is active there", func() bool { return !old.opens(0) && old.opens(2) })
	if a, b := w.gate.ring.Status(), old.ring.Status(); a.Version != b.Version || a.Hash == b.Hash {
		t.Fatalf("%d %x, %d %x", a.Version, a.Hash, b.Version, b.Hash)
	}
	w.until("both have proved it", func() bool {
		out := w.ok("gateways")
		return strings.Count(out, " proved") == 2 && !strings.Contains(out, "not proved")
	})
}

// TestOldGatewayHolds: after the loss of everything a gateway that reads format 1 only is
// named, since it can't be asked, until a newer one of the building has handed over the same.
func TestOldGatewayHolds(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	old := w.newGate(w.gateway("gw-2"), 1)
	w.until("it has the list", func() bool { return old.opens(0) })
	directory := w.backup()
	w.day()
	w.until("it has the newest list", func() bool { return !old.opens(0) && old.opens(3) })
	w.gate.stop()
	w.down("issuer", "front")
	w.putBack(directory, "front", "issuer")
	w.up("front", "issuer")
	w.says("is too old to be asked")
	if out := w.ok("offers"); !strings.Contains(out, "gw-2 holds what this registry does not know") {
		t.Error(out)
	}
	w.gate = w.gateIn(w.gate.keys.Dir, w.gate.state, 0)
	w.says("gw-1 had list")
	w.until("gw-2 is named no more", func() bool { return !strings.Contains(w.ok("status"), "is too old") })
	w.sound(2)
}

// TestReinstateDays: a new last day is read as days are read everywhere, in the
// building's zone, and no end is one.
func TestReinstateDays(t *testing.T) {
	w := newTown(t)
	for n, c := range []struct{ until, want string }{{"2099年12月31日", "2099-12-31"}, {"长期", ""}, {"9999/12/31", ""}} {
		w.revoke(n)
		w.refused("is no day", "reinstate", w.grant(n).String(), "--until", "31/12/2027")
		w.refused("leave it empty", "reinstate", w.grant(n).String(), "--until", "2150-01-01")
		w.ok("reinstate", w.grant(n).String(), "--until", c.until)
		var all []operator.Grant
		if !w.json(&all, "grants", "--tenancy", wire.ID{4, byte(n + 1)}.String()) {
			t.Fatal("no grants")
		}
		last := "none"
		for _, g := range all {
			if g.State == "active" {
				last = calendar.LastDay(g.Until, calendar.Here())
			}
		}
		if last != c.want {
			t.Errorf("until %s: the last day is %q, want %q", c.until, last, c.want)
		}
	}
}

// stolen suspends all cards of a tenant, and returns what is said of it.
func (w *town) stolen(n int) string {
	w.t.Helper()
	return w.ok("suspend", "--tenancy", wire.ID{4, byte(n + 1)}.String(), "--reason", "stolen")
}

// takesThree is a day in which lists take from three of six tenancies, as many as one
// issuer may.
func (w *town) takesThree() {
	w.t.Helper()
	w.revoke(0)
	w.revoke(1)
	w.stolen(2)
	w.until("the stolen card is out", func() bool { return !w.gate.opens(2) })
}

func (w *town) second() []string {
	return []string{"countersign", "house-1", "--key", filepath.Join(w.dir, "offline", "second.key")}
}

// TestRestoreKeepsTheDay: what lists took before a restore counts against the next one
// here as it does at the gateway, so that this waits for a second signature, and gets it.
func TestRestoreKeepsTheDay(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for range 3 {
		w.tenant()
	}
	directory := w.backup()
	w.takesThree()
	w.down("issuer", "front")
	w.putBack(directory, "front", "issuer")
	w.up("front", "issuer")
	w.says("gw-1 had list")
	w.stolen(3)
	if out := w.ok("lists"); !strings.Contains(out, "registryd countersign house-1 --key second.key") {
		t.Fatalf("no way out: %s", out)
	}
	w.ok(w.second()...)
	w.until("the stolen card is out", func() bool { return !w.gate.opens(3) })
	for n := range w.made {
		if got, want := w.gate.opens(n), n > 3; got != want {
			t.Errorf("card %d opens: %v, want %v", n, got, want)
		}
	}
}

// TestCountersignNewest: where a gateway counts more than the registry, lists and status
// name the command that releases the newest list all the same, and it works.
func TestCountersignNewest(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	for range 3 {
		w.tenant()
	}
	w.takesThree()
	w.down("issuer")
	db, err := sql.Open("sqlite", w.database("issuer"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`DELETE FROM removals`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	w.up("issuer")
	w.refused("waits for a second signature", w.second()...)
	w.stolen(3)
	w.until("the gateway refuses it", func() bool { return strings.Contains(w.ok("gateways"), "NOT TAKEN WHOLE (second_signature_needed)") })
	w.down("issuer") // what gateways refuse is asked for at its start, and then each minute
	w.up("issuer")
	w.says("registryd countersign house-1 --newest --key second.key")
	if out := w.ok("lists"); !strings.Contains(out, "registryd countersign house-1 --newest --key second.key") {
		t.Errorf("lists does not name it: %s", out)
	}
	w.refused("registryd countersign house-1 --newest --key second.key", w.second()...)
	if !w.gate.opens(3) {
		t.Fatal("it is out without a second signature: this test shows nothing")
	}
	w.ok(append(w.second(), "--newest")...)
	w.until("the stolen card is out", func() bool { return !w.gate.opens(3) })
	if out := w.ok("status"); strings.Contains(out, "--newest") {
		t.Errorf("it is asked for again: %s", out)
	}
}
