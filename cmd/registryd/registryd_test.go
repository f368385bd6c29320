package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/enrol"
	"gatehouse/internal/freeport"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// centre is a whole registry, started by its own commands.
type centre struct {
	t   testing.TB
	dir string
}

// newCentre makes and starts one: front and issuer, on ports of their own.
func newCentre(t testing.TB) *centre {
	t.Helper()
	r := emptyCentre(t)
	r.start("serve", "--config", filepath.Join(r.dir, "front", api.FileConfig))
	r.start("issue", "--dir", filepath.Join(r.dir, "issuer"))
	r.until("the issuer meets the front", func() bool {
		var s operator.Status
		return r.json(&s, "issuer") && s.Linked
	})
	return r
}

// emptyCentre makes one and starts nothing.
func emptyCentre(t testing.TB) *centre {
	t.Helper()
	dir, err := os.MkdirTemp("", "reg") // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	r := &centre{t, dir}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var ports [2]int
	release, err := freeport.Hold(ports[:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	r.ok("init", "--registry", "registry-1", "--host", fmt.Sprintf("127.0.0.1:%d", ports[0]), "--broker", fmt.Sprint(ports[1]), "--dir", dir)
	return r
}

func (r *centre) args(args []string) []string {
	return append([]string{"--front", filepath.Join(r.dir, "front", api.FileSocket), "--issuer", filepath.Join(r.dir, "issuer", "issuer.sock")}, args...)
}

// call runs a command in this process.
func (r *centre) call(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = run(r.t.Context(), r.args(args), strings.NewReader(""), &o, &e)
	return status, o.String(), e.String()
}

func (r *centre) ok(args ...string) string {
	r.t.Helper()
	status, out, errOut := r.call(args...)
	if status != 0 {
		r.t.Fatalf("registryd %s: %d\n%s%s", strings.Join(args, " "), status, out, errOut)
	}
	return out
}

func (r *centre) json(v any, args ...string) bool {
	status, out, _ := r.call(append([]string{"--json"}, args...)...)
	return status == 0 && json.Unmarshal([]byte(out), v) == nil
}

// refused runs a command that must fail with a hint.
func (r *centre) refused(want string, args ...string) {
	r.t.Helper()
	status, out, errOut := r.call(args...)
	if status == 0 || !strings.Contains(errOut, want) || !strings.Contains(errOut, "hint: ") {
		r.t.Errorf("registryd %s: %d %q %q, want %q and a hint", strings.Join(args, " "), status, out, errOut, want)
	}
}

// start runs a process's command until the test ends.
func (r *centre) start(args ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	log := &safeBuffer{}
	work.Go(func() {
		if status := run(ctx, r.args(args), strings.NewReader(""), log, log); status != 0 {
			r.t.Errorf("registryd %s ended with %d:\n%s", args[0], status, log)
		}
	})
	r.t.Cleanup(func() {
		cancel()
		work.Wait()
		if r.t.Failed() {
			r.t.Logf("%s said:\n%s", args[0], log)
		}
	})
}

// safeBuffer is a log that two goroutines may use.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (r *centre) until(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("in vain: %s", what)
		}
	}
}

// gateway enrols one by the token that the operator gets.
func (r *centre) gateway(id string, more ...string) (dir string) {
	r.t.Helper()
	text := r.ok(append([]string{"gateway", "add", "--district", "d1", "--town", "t1", "--building", "house-1", "--gateway", id}, more...)...)
	prefix := "GH2-"
	if slices.Contains(more, "--old-token") {
		prefix = "GH1-"
	}
	token, err := wire.ParseToken(text)
	if err != nil || !strings.HasPrefix(text, prefix) {
		r.t.Fatalf("%.4s: %v", text, err)
	}
	dir = filepath.Join(r.t.TempDir(), "keys")
	result, err := enrol.Enrol(r.t.Context(), enrol.Options{Token: token, Dir: dir, Building: "house-1", Gateway: id, Doors: []string{"front"}, Software: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	if result.Registry.House.Gateway(id) == nil {
		r.t.Fatal("not in the House document")
	}
	return dir
}

// tenant is what the test checks in.
const tenantName = "Test Tenant"

// sign puts a message of the gateway's into its envelope.
func sign(t testing.TB, reg *keys.Registry, keys *keys.Keys, kind string, p wire.Payload) []byte {
	t.Helper()
	payload, err := wire.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	e, err := wire.Sign(wire.Protected{Type: kind, Role: wire.RoleGateway, Address: reg.Place.Address(), Version: wire.VersionOf(p)}, payload, keys.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// checkIn is what a gateway sends for one tenant; brief: whom logs name for a shorter time.
func checkIn(t testing.TB, reg *keys.Registry, keys *keys.Keys, brief bool) (topic string, message []byte, grant, tenancy wire.ID) {
	t.Helper()
	grant, tenancy = wire.ID{1, 2, 3}, wire.ID{4, 5, 6}
	address := reg.Place.Address()
	seal := func(public []byte, purpose string, p wire.Payload) []byte {
		plain, err := wire.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := sealing.Seal(public, purpose, address, plain)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	person := seal(reg.Trust.Records, sealing.Person, wire.Person{Tenancy: tenancy, Document: wire.DocumentPassport, Number: "X0000000", Name: tenantName})
	change := seal(reg.Trust.Desk, sealing.Change, wire.Change{Op: wire.OpCheckIn, At: uint32(time.Now().Unix()), Proof: wire.ProofLandlord,
		Tenancy: tenancy, Grant: grant, Credentials: []wire.CredentialID{{1, 7, 7}}, Kind: wire.GrantResident, Doors: []string{"front"},
		Flat: "3b", Basis: wire.BasisContract, Informed: true, Document: wire.DocumentPassport, Brief: brief})
	record := sign(t, reg, keys, wire.TypeRecord, wire.Record{Line: 1, Number: 1, ID: wire.ID{9}, House: []byte{1}, Desk: change, Person: sha256.Sum256(person)})
	return reg.Place.Up(wire.TypeDelivery), sign(t, reg, keys, wire.TypeDelivery, wire.Delivery{Record: record, Person: person}), grant, tenancy
}

// TestRegistry runs a whole registry through the life of one tenancy.
func TestRegistry(t *testing.T) {
	t.Parallel()
	r := newCentre(t)
	r.refused("is there already", "init", "--registry", "registry-1", "--host", "localhost", "--dir", r.dir)
	dir := r.gateway("gw-1", "--flat", "3b")
	r.refused("enrolled", "gateway", "add", "--district", "d1", "--town", "t1", "--building", "house-1", "--gateway", "gw-1")
	if out := r.ok("gateway", "list"); !strings.Contains(out, "d1/t1/house-1/gw-1") {
		t.Fatal(out)
	}
	parts := connect(t, dir)
	reg, err := keys.LoadRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keys.LoadKeys(dir)
	if keys.Gateway == nil {
		t.Fatal(err)
	}
	grant, tenancy := r.checksIn(parts.link, reg, &keys, false)
	if out := r.ok("grants", "--tenancy", tenancy.String()); !strings.Contains(out, grant.String()) || !strings.Contains(out, "active") {
		t.Fatal(out)
	}
	r.refused("no reason", "end", tenancy.String(), "--reason", "arrears")
	r.refused("no grant", "revoke", wire.ID{8}.String())
	short, shortGrant := tenancy.String()[:8], grant.String()[:8] // as the gateway shows them
	r.ok("suspend", shortGrant, "--reason", "lost")
	r.refused("no pass", "pass", short)
	r.ok("resume", "--tenancy", short, "--reason", "found")
	if out := r.ok("grants", "--tenancy", short); !strings.Contains(out, grant.String()) {
		t.Fatal(out)
	}
	r.refused("no such card", "confirm-card", grant.String(), "--card", wire.CredentialID{1, 7, 8}.String(), "--reason", "heard")
	r.pass(dir, tenancy)
	if out := r.ok("revoke", grant.String(), "--reason", "moved_out"); !strings.Contains(out, "handed to the front") {
		t.Fatal(out)
	}
	r.until("the gateway gets the list with the revocation", func() bool { return parts.version(t, reg) == 4 })
	r.refused("no pass", "pass", tenancy.String())
	r.names(tenancy)
	seals := r.brings(parts.link, reg, &keys, tenancy, wire.ID{7, 7}, tenancy)
	r.preserves()
	r.forgets(reg.Trust, tenancy, seals)
	r.rest(dir)
}

// checksIn has a gateway say hello and check one tenant in.
func (r *centre) checksIn(link *mqtt.Link, reg *keys.Registry, keys *keys.Keys, brief bool) (grant, tenancy wire.ID) {
	r.t.Helper()
	hello := sign(r.t, reg, keys, wire.TypeHello, wire.Hello{Nonce: wire.Nonce{1}, Boot: 1, Epoch: 1, Software: "test"})
	r.until("the gateway is online", func() bool {
		_ = link.Publish(r.t.Context(), reg.Place.Up(wire.TypeHello), hello)
		var all []api.Gateway
		return r.json(&all, "gateways") && len(all) == 1 && all[0].Online
	})
	topic, message, grant, tenancy := checkIn(r.t, reg, keys, brief)
	r.until("the check-in is a tenancy", func() bool {
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Second)
		defer cancel()
		_ = link.Publish(ctx, topic, message)
		return strings.Contains(r.ok("tenancies"), tenancy.String())
	})
	return grant, tenancy
}

// brings has a gateway send the passages with which its log begins, and returns what names whom they are of.
func (r *centre) brings(link *mqtt.Link, reg *keys.Registry, keys *keys.Keys, tenancies ...wire.ID) (seals [][]byte) {
	r.t.Helper()
	batch, seals := passages(r.t, reg, keys, tenancies...)
	message := sign(r.t, reg, keys, wire.TypeBatch, batch)
	r.until("the entries are stored", func() bool {
		_ = link.Publish(r.t.Context(), reg.Place.Up(wire.TypeBatch), message)
		var st api.Status
		return r.json(&st, "status") && st.Entries == uint64(len(tenancies))
	})
	return seals
}

// names: nobody's name is anywhere but behind the records key.
func (r *centre) names(tenancy wire.ID) {
	t := r.t
	t.Helper()
	records := filepath.Join(r.dir, "offline", "records.key")
	r.refused("somebody's name", "person", tenancy.String(), "--key", records, "--reason", "mandate", "--case", "张三")
	r.refused("no reason to look", "person", tenancy.String(), "--key", records, "--reason", "curious", "--case", "7")
	r.refused("PEM", "person", tenancy.String(), "--key", filepath.Join(r.dir, "offline", "root.key"), "--reason", "mandate", "--case", "7")
	if out := r.ok("person", tenancy.String(), "--key", records, "--reason", "mandate", "--case", "case 7"); !strings.Contains(out, tenantName) {
		t.Fatal(out)
	}
	if out := r.ok("audit"); !strings.Contains(out, "mandate: case 7") || !strings.Contains(out, "moved_out") {
		t.Fatal(out)
	}
	for _, args := range [][]string{{"tenancies"}, {"tenancies", "--problems"}, {"grants"}, {"lists"}, {"audit"}, {"issuer"}, {"gateways"}, {"entries"}} {
		for _, out := range []string{r.ok(args...), r.ok(append([]string{"--json"}, args...)...)} {
			if strings.Contains(out, tenantName) || strings.Contains(out, "X0000000") {
				t.Errorf("registryd %v names a person", args)
			}
		}
	}
	_ = filepath.Walk(r.dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return nil
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(tenantName)) {
			t.Errorf("%s names a person", path)
		}
		return nil
	})
}

// rest are the commands that come rarely.
func (r *centre) rest(dir string) {
	t := r.t
	t.Helper()
	out := filepath.Join(t.TempDir(), "building.key")
	r.ok("building-key", "house-1", "--key", filepath.Join(r.dir, "offline", "escrow.key"), "--out", out)
	r.refused("is there already", "building-key", "house-1", "--key", filepath.Join(r.dir, "offline", "escrow.key"), "--out", out)
	have, err := os.ReadFile(filepath.Join(dir, keys.BuildingKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, have) {
		t.Error("escrow gave another key", err)
	}
	r.refused("second signature", "countersign", "house-1", "--key", filepath.Join(r.dir, "offline", "second.key"))
	r.ok("publish")
	r.ok("renew-server", "--dir", filepath.Join(r.dir, "issuer"), "--front-dir", filepath.Join(r.dir, "front"))
	r.ok("gateway", "remove", "house-1", "gw-1")
	r.refused("no gateway", "gateway", "remove", "house-1", "gw-1")
}

// TestNoIssuer says how to start one.
func TestNoIssuer(t *testing.T) {
	r := &centre{t, t.TempDir()}
	r.refused("no issuer answers", "tenancies")
	r.refused("registry.json", "issue", "--dir", r.dir)
}

// connection is a gateway's link, and what came over it.
type connection struct {
	link *mqtt.Link
	mu   sync.Mutex
	last []byte // newest ListPart
}

// connect joins the broker with the files of an enrolment.
func connect(t *testing.T, dir string) *connection {
	t.Helper()
	reg, err := keys.LoadRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	link, err := mqtt.New(mqtt.Config{Broker: "mqtts://" + reg.Broker, TLS: enrol.Broker{Dir: dir, Now: time.Now, Trusted: func() bool { return true }}.TLS,
		Subscribe: []string{reg.Place.Down("+")}, Jitter: mqtt.Jitter{First: time.Millisecond, Loss: 100 * time.Millisecond}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	c := &connection{link: link}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { _ = link.Run(ctx) })
	work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-link.Messages():
				if m.Topic == reg.Place.Down(wire.TypeList) {
					c.mu.Lock()
					c.last = bytes.Clone(m.Payload)
					c.mu.Unlock()
				}
			}
		}
	})
	t.Cleanup(func() { cancel(); work.Wait() })
	return c
}

// version is that of the newest list that came, verified as a gateway does.
func (c *connection) version(t *testing.T, reg *keys.Registry) uint64 {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return 0
	}
	payload, _, err := wire.Open(c.last, wire.Expect{Type: wire.TypeList, Role: wire.RoleWitness, Address: reg.Place.Address()}, reg.Trust.Keyset(wire.RoleWitness))
	if err != nil {
		t.Fatal(err)
	}
	var part wire.ListPart
	if err := wire.Decode(payload, &part); err != nil {
		t.Fatal(err)
	}
	payload, _, err = wire.Open(part.Manifest, wire.Expect{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: "house-1"}, reg.Trust.Keyset(wire.RoleIssuer))
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.DecodeManifest(payload)
	if err != nil {
		t.Fatal(err)
	}
	return m.Version
}

// TestIssuerSaysWhy: an issuer with keys of before, from an old stick, is told apart from one whose front is away.
func TestIssuerSaysWhy(t *testing.T) {
	r := emptyCentre(t)
	old, err := os.ReadFile(filepath.Join(r.dir, "issuer", api.FileTrust))
	if err != nil {
		t.Fatal(err)
	}
	r.ok("trust", "new", "--root", filepath.Join(r.dir, "offline", "root.key"), "--dir", filepath.Join(r.dir, "issuer"), "--front-dir", filepath.Join(r.dir, "front"), "--replace", "witness")
	if err := os.WriteFile(filepath.Join(r.dir, "issuer", api.FileTrust), old, 0o600); err != nil {
		t.Fatal(err)
	}
	r.start("issue", "--dir", filepath.Join(r.dir, "issuer"))
	says := func(want string) func() bool {
		return func() bool {
			_, said, _ := r.call("issuer")
			return strings.Contains(said, "GIVES NO WORK") && strings.Contains(said, want)
		}
	}
	r.until("the front is away", says("no front answers"))
	r.start("serve", "--config", filepath.Join(r.dir, "front", api.FileConfig))
	r.until("its trust document is of before", says("older than what is active"))
}
