package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/internal/evidence"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
	"gatehouse/sync/wire/whos"
)

// appoint makes two approvers of a town known to the front, as the root's next trust document does.
func (r *centre) appoint(reg *keys.Registry) (first, second ed25519.PrivateKey) {
	r.t.Helper()
	public, first, err := ed25519.GenerateKey(rand.Reader)
	must(r.t, err)
	other, second, err := ed25519.GenerateKey(rand.Reader)
	must(r.t, err)
	root, err := keys.LoadPrivateKey(filepath.Join(r.dir, "offline", "root.key"))
	must(r.t, err)
	trust := reg.Trust
	trust.Version++
	trust.Approvers = []approver.Approver{{Seat: "t1-1", Public: [32]byte(public), District: "d1", Town: "t1"},
		{Seat: "t1-2", Public: [32]byte(other), District: "d1", Town: "t1"}}
	payload, err := wire.Encode(trust)
	must(r.t, err)
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: trust.Registry, Version: wire.VersionOf(trust)}, payload, root)
	must(r.t, err)
	_, err = api.NewClient(filepath.Join(r.dir, "front", api.FileSocket)).PutTrust(r.t.Context(), envelope)
	must(r.t, err)
	return first, second
}

// validates asks for an emergency, which is listed until a second authority's word is handed in.
func (r *centre) validates(reg *keys.Registry, m mandates.Mandate, by, second ed25519.PrivateKey, query []string) {
	r.t.Helper()
	m.Reference, m.Emergency, m.Expires, m.Approval.Validating, m.Telling = wire.ID{0xac}, true, m.Issued+86400, mandates.Authority{}, &mandates.Telling{From: m.Issued + 86400}
	urgent, err := mandates.Sign(m, reg.Trust.Registry, by)
	must(r.t, err)
	file := func(name string, content []byte) string {
		path := filepath.Join(r.t.TempDir(), name)
		must(r.t, os.WriteFile(path, content, 0o600))
		return path
	}
	if said := r.ok("mandate", "list"); said != "none\n" {
		r.t.Errorf("before it, there are\n%s", said)
	}
	r.ok(append([]string{"query", file("urgent", urgent)}, query[2:]...)...)
	if said := r.ok("mandate", "list"); !strings.HasPrefix(said, m.Reference.String()+"  seat t1-1  answered ") || !strings.HasSuffix(said, "  47 h left\n") || strings.Contains(said, "house-1") {
		r.t.Errorf("the list says\n%s", said)
	}
	validation := func(key ed25519.PrivateKey) string {
		v := mandates.Validation{Reference: m.Reference, Mandate: sha256.Sum256(urgent), By: mandates.Authority{Name: "乙分局", File: "440000-2"}}
		envelope, err := v.Sign(reg.Trust.Registry, key)
		must(r.t, err)
		return file("validation", envelope)
	}
	r.refused("own_validation", "mandate", "validate", validation(by))
	if said := r.ok("mandate", "validate", validation(second)); !strings.Contains(said, "is validated by 乙分局 (440000-2)") {
		r.t.Errorf("it says %s", said)
	}
	if said := r.ok("mandate", "list"); said != "none\n" {
		r.t.Errorf("after the validation there are\n%s", said)
	}
}

// passage is a batch of one entry: a card, of a tenancy or of none, at the front door.
func passage(t *testing.T, reg *keys.Registry, keys *keys.Keys, tenancy *wire.ID, at time.Time) wire.Batch {
	t.Helper()
	who, err := wire.Who{Credential: &wire.CredentialID{1, 7, 7}, Tenancy: tenancy, Method: wire.MethodCard}.Encode()
	must(t, err)
	header, err := wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted, Reason: wire.ReasonGranted, Door: "front", Source: "reader-1",
		Direction: wire.DirectionIn, Boot: 1, Counter: 1, BootTime: 1e9, Wall: at.UnixMilli(), Clock: wire.ClockNTP}.Encode()
	must(t, err)
	part := whos.Part{Salt: [16]byte{1}, Who: who}
	hash := wire.WhoHash(part.Salt, who)
	seals, err := whos.Begin(reg.Trust.Records, reg.Place.Address(), 1)
	must(t, err)
	sealed, err := seals.Seal(0, []whos.Part{part})
	must(t, err)
	root := wire.Hash(tree.Range{}.Add(tree.LeafHash(header, hash[:])).Root())
	c := checkpoint.Checkpoint{Address: reg.Place.Address(), Epoch: 1, Size: 1, Root: root}
	return wire.Batch{Epoch: 1, Headers: [][]byte{header}, Whos: [][]byte{hash[:]}, Root: root, Sealed: sealed, Context: seals.Encapsulated(), Signature: c.Sign(keys.Gateway)}
}

// requisition is a mandate for a flat's passages at the front door of the first gateway, of the two hours before.
func requisition(now time.Time, recipient []byte) mandates.Mandate {
	return mandates.Mandate{Reference: wire.ID{0xab}, Status: mandates.Active, Issued: uint32(now.Unix()) - 60, Expires: uint32(now.Unix()) + 86400, Answers: 1,
		Request: mandates.Request{District: "d1", Town: "t1", Building: "house-1", Flats: []string{"3b"}, From: uint32(now.Unix()) - 7200, Until: uint32(now.Unix()) - 1800,
			Gateways: []mandates.Gateway{{ID: "gw-1", Doors: []string{"front"}}}},
		Delivery: mandates.Delivery{Recipient: recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "甲派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "乙分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{7}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{8}}},
			Purpose:  "盗窃案侦查", Case: "A440000-2026-1", Notice: "调证-2026-1"}}
}

// TestQuery: a mandate for a flat gets the passages of who lives there and their names, sealed to its
// recipient, once; and nothing of both is said on the way.
func TestQuery(t *testing.T) {
	t.Parallel()
	r := newCentre(t)
	dir := r.gateway("gw-1", "--flat", "3b")
	reg, err := keys.LoadRegistry(dir)
	must(t, err)
	own, err := keys.LoadKeys(dir)
	must(t, err)
	parts := connect(t, dir)
	say := func(topic string, message []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = parts.link.Publish(ctx, topic, message)
	}
	topic, message, _, tenancy := checkIn(t, reg, &own, false)
	now := time.Now()
	batch := passage(t, reg, &own, &tenancy, now.Add(-time.Hour))
	payload, err := wire.Encode(batch)
	must(t, err)
	entry, err := wire.Sign(wire.Protected{Type: wire.TypeBatch, Role: wire.RoleGateway, Address: reg.Place.Address(), Version: wire.VersionOf(batch)}, payload, own.Gateway)
	must(t, err)
	hello := sign(t, reg, &own, wire.TypeHello, wire.Hello{Nonce: wire.Nonce{1}, Boot: 1, Epoch: 1, Software: "test"})
	r.until("the check-in is a tenancy, and the passage is stored", func() bool {
		say(reg.Place.Up(wire.TypeHello), hello)
		say(topic, message)
		say(reg.Place.Up(wire.TypeBatch), entry)
		return strings.Contains(r.ok("tenancies"), tenancy.String()) && strings.Contains(r.ok("entries"), "front")
	})
	by, second := r.appoint(reg)
	private, public, err := sealing.GenerateKey()
	must(t, err)
	m := requisition(now, public)
	m.Telling, m.Request.Tenancies = &mandates.Telling{From: m.Issued}, []wire.ID{tenancy} // it was registered after the time that is asked for
	envelope, err := mandates.Sign(m, reg.Trust.Registry, by)
	must(t, err)
	paper := filepath.Join(t.TempDir(), "mandate.cose")
	must(t, os.WriteFile(paper, envelope, 0o600))
	out := filepath.Join(t.TempDir(), "answer")
	args := []string{"query", paper, "--key", filepath.Join(r.dir, "offline", "records.key"), "--out", out}
	var said string
	r.until("the entry is cosigned, and answered", func() bool {
		said = r.ok(args...)
		return strings.Contains(said, ".evidence")
	})
	if strings.Contains(said, tenantName) || strings.Contains(said, tenancy.String()) {
		t.Errorf("the operator reads\n%s", said)
	}
	unsealed := func(pattern string) []byte {
		t.Helper()
		found, _ := filepath.Glob(filepath.Join(out, pattern))
		if len(found) != 1 {
			t.Fatalf("%s: %v in\n%s", pattern, found, said)
		}
		b, err := os.ReadFile(found[0])
		must(t, err)
		plain, err := sealing.Unseal(private, sealing.Answer, "", b)
		must(t, err)
		return plain
	}
	root, err := keys.LoadRoot(filepath.Join(r.dir, "front", api.FileRoot))
	must(t, err)
	report, err := evidence.Verify(unsealed("ab000000-1-*.evidence"), evidence.Trust{Root: root})
	if err != nil || !report.Whole() || report.Manifest.Counts.Named != 1 || *report.Entries[0].Who.Tenancy != tenancy {
		t.Errorf("%v %+v", err, report.Manifest)
	}
	var names []answer.Person
	plain := unsealed("*.names")
	if want := fmt.Sprintf(".names\n    SHA-256 %x\n", sha256.Sum256(plain)); !strings.Contains(said, want) {
		t.Errorf("nobody can compare the names by %q in\n%s", want, said)
	}
	if err := json.Unmarshal(plain, &names); err != nil || len(names) != 1 || names[0].Name != tenantName {
		t.Errorf("%v %v", err, names)
	}
	if text := r.ok("audit"); !strings.Contains(text, "mandate: A440000-2026-1") {
		t.Errorf("the look at a name is not recorded:\n%s", text)
	}
	r.refused("used_up", args...)
	quarter := fmt.Sprintf("%dQ%d", now.UTC().Year(), (now.UTC().Month()+2)/3)
	if text := r.ok("transparency", "--quarter", quarter, "--zone", "UTC"); !strings.Contains(text, "d1/t1") || !strings.Contains(text, "<5") || !strings.Contains(text, "1-4") {
		t.Errorf("the answer is not counted:\n%s", text)
	}
	if text := r.ok("mandate", "refused"); !strings.Contains(text, "  d1/t1  used_up\n") || strings.Contains(text, "house-1") || r.ok("mandate", "refused", "--to", "2026-01-01") != "none\n" {
		t.Errorf("the refusal is not shown, or with more than its town:\n%s", text)
	}
	r.validates(reg, m, by, second, args)
	r.tells(m, tenancy)
	r.refused("no gateway", append(args, "--gateway", "gw-9")...)
	wrong := slices.Clone(args)
	wrong[3] = filepath.Join(r.dir, "offline", "escrow.key")
	r.refused("is no records key that a trust document", wrong...)
	m.Request.Flats = []string{"9z"}
	envelope, err = mandates.Sign(m, reg.Trust.Registry, by)
	must(t, err)
	must(t, os.WriteFile(paper, envelope, 0o600))
	r.refused("no tenancy of flat", args...)
	must(t, os.WriteFile(paper, bytes.Repeat([]byte{1}, 200), 0o600))
	r.refused("no signed mandate", args...)
}
