package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// TestOfficer: an officer's key is enrolled with a unit and a badge number, its certificate is what an
// issuer's trust document vouches for, it is renewed, and a revoked key gets no other.
func TestOfficer(t *testing.T) {
	r := emptyCentre(t)
	at := func(name string) string { return filepath.Join(r.dir, name) }
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, receive, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.SaveIssuer(at("one.pub"), wire.Key{Public: public}); err != nil {
		t.Fatal(err)
	}
	if err := keys.SaveSealPublic(at("inbox.pub"), receive); err != nil {
		t.Fatal(err)
	}
	approver, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.SaveIssuer(at("approver.pub"), wire.Key{Public: approver}); err != nil {
		t.Fatal(err)
	}
	r.ok("approver", "add", "--root", at("offline/root.key"), "--dir", at("issuer"), "--front-dir", at("front"), "--seat", "xin-1", "--district", "north", "--key", at("approver.pub"))
	r.start("serve", "--config", at("front/front.toml"))
	r.start("issue", "--dir", at("issuer"))
	r.until("the issuer answers", func() bool { status, _, _ := r.call("officer", "list"); return status == 0 })
	add := func(key, out string, more ...string) []string {
		return append([]string{"officer", "add", "--unit", "刑侦一队", "--badge", "000001", "--district", "north", "--town", "xin", "--key", at(key), "--out", at(out)}, more...)
	}
	r.ok(add("one.pub", "first", "--receive", at("inbox.pub"))...)
	r.ok(add("one.pub", "second", "--days", "30")...)
	k, err := authority.Load(at("issuer"))
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := os.ReadFile(at("first"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := mandates.OpenCertificate(envelope, k.Trust)
	if err != nil || c.Badge != "000001" || len(c.Receive) != len(receive) || c.Until-c.From != mandates.LongestCertificate || time.Since(time.Unix(int64(c.From), 0)).Abs() > time.Hour {
		t.Errorf("%+v, %v", c, err)
	}
	var all []operator.Officer
	if !r.json(&all, "officer", "list") || len(all) != 1 || all[0].Revoked || all[0].Until.Sub(all[0].From) != 30*24*time.Hour || len(all[0].Certificate) > 0 {
		t.Errorf("%+v", all)
	}
	if _, _, errOut := r.call(add("one.pub", "there")...); !strings.Contains(errOut, "no gateway of this registry is in north/xin") || !strings.Contains(errOut, "hint: ") {
		t.Errorf("where no gateway is: %s", errOut)
	}
	before := r.ok("audit")
	r.refused("can't be written", add("one.pub", "nowhere/third")...)
	if after := r.ok("audit"); after != before {
		t.Errorf("what can't be kept was done:\n%s", after)
	}
	r.refused("load public key", add("offline/root.key", "third")...)
	r.refused("who approves may not ask", add("approver.pub", "third")...)
	r.refused("--days 91: 1 至 90 天 1 to 90", add("one.pub", "third", "--days", "91")...)
	r.refused("is there already", add("one.pub", "first")...)
	status, _, errOut := r.call("officer", "add", "--unit", strings.Repeat("队", 65), "--badge", "000001", "--district", "Tian He", "--days", "0", "--key", at("offline/root.key"), "--receive", at("missing.pub"), "--out", at("nowhere/x"))
	for _, want := range []string{"有 6 处不对，什么都没有做 6 things are wrong, and nothing was done:\n  1. --unit: ", "\n  2. --district \"Tian He\": ", "\n  3. --days 0: ", "\n  4. --key ", "\n  5. --receive ", "\n  6. "} {
		if status != 1 || !strings.Contains(errOut, want) || strings.Count(errOut, "\n     hint: ") != 6 {
			t.Errorf("all faults at once: %d, no %q\n%s", status, want, errOut)
		}
	}
	status, _, errOut = r.call("officer", "add", "--badge", "1", "--days", "0")
	if status != 2 || !strings.Contains(errOut, "2 things are wrong, and nothing was done:\n  1. 缺少 missing: --unit, --district, --key, --out\n     hint: 都要写，--help 有说明 write all of them; --help says what each is\n  2. --days 0: ") || !strings.Contains(errOut, "\nhint: registryd officer add --help") {
		t.Errorf("what is missing is told with all else: %d\n%s", status, errOut)
	}
	r.refused("no officer with the key", "officer", "revoke", "0011223344556677", "--reason", "left")
	r.ok("officer", "revoke", all[0].ID, "--reason", "left")
	r.refused("the key was revoked", add("one.pub", "third")...)
	if out := r.ok("officer", "list"); !strings.Contains(out, "revoked: left") {
		t.Errorf("list: %s", out)
	}
	if out := r.ok("audit"); !strings.Contains(out, "officer add") || !strings.Contains(out, "officer revoke") {
		t.Errorf("audit: %s", out)
	}
}
