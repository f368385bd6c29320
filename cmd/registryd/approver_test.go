package main

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// TestApprover: approvers are certified one by one and by list, for towns and districts, and revoked;
// and mandates are judged by the document that the front is given.
func TestApprover(t *testing.T) {
	r := emptyCentre(t)
	at := func(name string) string { return filepath.Join(r.dir, name) }
	public := map[string]ed25519.PublicKey{}
	for _, name := range []string{"one", "two", "three"} {
		pub, _, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.SaveIssuer(at(name+".pub"), wire.Key{Public: pub}); err != nil {
			t.Fatal(err)
		}
		public[name] = pub
	}
	rooted := []string{"--root", at("offline/root.key"), "--dir", at("issuer"), "--front-dir", at("front")}
	trust := func() wire.Trust {
		t.Helper()
		root, err := keys.LoadRoot(at("front/" + api.FileRoot))
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := os.ReadFile(at("front/" + api.FileTrust))
		if err != nil {
			t.Fatal(err)
		}
		_, p, _ := wire.Read(envelope)
		got, err := keys.OpenTrust(envelope, root, p.Address)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if out := r.ok("approver", "list", "--dir", at("issuer")); !strings.Contains(out, "every mandate is refused") {
		t.Errorf("none: %s", out)
	}
	out := r.ok(append([]string{"approver", "add", "--seat", "xin-1", "--district", "north", "--town", "xin", "--key", at("one.pub")}, rooted...)...)
	if !strings.Contains(out, "approver xin-1, north/xin, ") || !strings.Contains(out, "start the issuer again") {
		t.Errorf("add: %s", out)
	}
	list := "# seat district town key\n\nnorth-1 north - two.pub\nlao-1 north lao " + at("three.pub") + "\n"
	if err := os.WriteFile(at("list"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	r.ok(append([]string{"approver", "add", "--list", at("list")}, rooted...)...)
	out = r.ok("approver", "list", "--dir", at("issuer"))
	for _, want := range []string{"xin-1    north/xin", "north-1  north/every town", "lao-1    north/lao"} {
		if !strings.Contains(out, want) {
			t.Errorf("list lacks %q:\n%s", want, out)
		}
	}
	for name, seat := range map[string]string{"one": "xin-1", "two": "north-1", "three": "lao-1"} {
		if by, refusal := mandate.Certified(trust(), public[name]); refusal != nil || by.Seat != seat {
			t.Errorf("%s: %+v, %v", name, by, refusal)
		}
	}
	r.ok(append([]string{"approver", "revoke", "xin-1", "lao-1"}, rooted...)...)
	if _, refusal := mandate.Certified(trust(), public["one"]); refusal == nil || refusal.Code != mandate.UnknownApprover {
		t.Errorf("revoked: %v", refusal)
	}
	if _, refusal := mandate.Certified(trust(), public["two"]); refusal != nil {
		t.Errorf("the other: %v", refusal)
	}
	approverRefused(r, at, rooted)
}

// approverRefused: what is called wrongly says what to do.
func approverRefused(r *centre, at func(string) string, rooted []string) {
	r.t.Helper()
	for name, lines := range map[string]string{"short": "xin-1 north two.pub\n", "many": "xin-1 north two.pub\nXin north - missing.pub\n"} {
		if err := os.WriteFile(at(name), []byte(lines), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.refused("open "+at("nowhere/root.pub"), "approver", "list", "--dir", at("nowhere"))
	r.refused("open "+at("nowhere/root.pub"), "trust", "show", "--dir", at("nowhere"))
	for want, args := range map[string][]string{
		"--key 读不出公钥 no public key: ":   {"approver", "add", "--seat", "xin-1", "--district", "north", "--key", at("offline/root.key")},
		"缺少 missing: --district, --key": {"approver", "add", "--seat", "xin-1"},
		"goes with no other approver":   {"approver", "add", "--seat", "xin-1", "--list", at("list")},
		"line 1: 3 个词 words, not 4":     {"approver", "add", "--list", at("short")},
		"the .pub beside the key":       {"approver", "add", "--seat", "xin-1", "--district", "north", "--key", at("missing.pub")},
		"3 things are wrong, and nothing was done:\n  1. " + at("many") + " 第 1 行 line 1: ": {"approver", "add", "--list", at("many")},
		at("many") + ":2: seat \"Xin\": ": {"approver", "add", "--list", at("many")},
		"no approver has the seat":        {"approver", "revoke", "xin-9"},
	} {
		r.refused(want, append(args, rooted...)...)
	}
}
