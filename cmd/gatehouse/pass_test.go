package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

func passKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// readPass is one object that `gatehouse decode pass` prints.
type readPass struct {
	Type, Building, Tenancy, ID, Issuer, Signature, Error *string

	From, Until *time.Time
	Epoch       *uint64
}

// decodePasses runs `gatehouse decode pass` over the lines.
func decodePasses(t *testing.T, in string, args ...string) (all []readPass) {
	t.Helper()
	var out, errOut bytes.Buffer
	if status := run(t.Context(), append([]string{"decode", "pass"}, args...), strings.NewReader(in), &out, &errOut); status != 0 {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	for line := range strings.Lines(out.String()) {
		var d readPass
		must(t, json.Unmarshal([]byte(line), &d))
		all = append(all, d)
	}
	return all
}

// TestDecodePass: passes are read with no daemon, and judged by the keys given.
func TestDecodePass(t *testing.T) {
	p := qrpass.Pass{ID: qrpass.ID{1}, Tenancy: wire.ID{2}, From: 1_790_000_000, Until: 1_790_000_300}
	text, err := p.Sign("lane-7", 3, passKey(1))
	must(t, err)
	other, err := p.Sign("lane-7", 3, passKey(2))
	must(t, err)
	in := text + "\r\n\nhttps://example.org\n" + other + "\n" + text[:len(text)-1] + "\n" + text
	all := decodePasses(t, in)
	if len(all) != 6 {
		t.Fatalf("%d objects for 6 lines", len(all))
	}
	for i, good := range []bool{true, false, false, true, false, true} {
		d := all[i]
		if (d.Error == nil) != good || (d.Tenancy != nil) != good || good && (*d.Type != "pass" || *d.Building != "lane-7" || *d.Tenancy != p.Tenancy.String() ||
			!d.Until.Equal(time.Unix(1_790_000_300, 0)) || *d.Epoch != 3 || *d.Signature != "not checked") {
			t.Errorf("line %d: %+v", i+1, d)
		}
		if d.Error != nil && strings.Contains(*d.Error, text[10:30]) {
			t.Errorf("the error repeats the pass: %s", *d.Error)
		}
	}
	dir := t.TempDir()
	issuer, root := filepath.Join(dir, "issuer.pub"), filepath.Join(dir, keys.RootFile)
	must(t, keys.SaveIssuer(issuer, wire.Key{Role: wire.RoleIssuer, Epoch: 3, Public: passKey(1).Public().(ed25519.PublicKey)}))
	must(t, keys.SaveIssuer(root, wire.Key{Public: passKey(9).Public().(ed25519.PublicKey)}))
	trust := filepath.Join(dir, "trust.cose")
	must(t, os.WriteFile(trust, trustOf(t, passKey(1), passKey(9)), 0o600))
	for _, args := range [][]string{{"--key", issuer}, {"--trust", trust}, {"--trust", trust, "--root", root}} {
		all := decodePasses(t, text+"\n"+other, args...)
		if *all[0].Signature != "good" || all[0].Error != nil || *all[1].Signature != "bad" || all[1].Error == nil {
			t.Errorf("%v: %+v", args, all)
		}
	}
	must(t, os.WriteFile(trust, trustOf(t, passKey(1), passKey(8)), 0o600))
	for _, args := range [][]string{{"--trust", trust}, {"--trust", issuer}, {"--trust", filepath.Join(dir, "none")}, {"--key", trust}, {"--key", issuer, "--trust", trust}} {
		var out, errOut bytes.Buffer
		if status := run(t.Context(), append([]string{"decode", "pass"}, args...), strings.NewReader(text), &out, &errOut); status == 0 || out.Len() > 0 {
			t.Errorf("%v: status %d: %s", args, status, out.String())
		}
	}
}

// trustOf is a trust document that names one issuer.
func trustOf(t *testing.T, issuer, root ed25519.PrivateKey) []byte {
	t.Helper()
	payload, err := wire.Encode(wire.Trust{Version: 1, Issued: 1_790_000_000, Registry: "city", Records: []byte{1}, Desk: []byte{1}, Escrow: []byte{1}, CAs: [][]byte{{1}},
		Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Epoch: 3, Public: [32]byte(issuer.Public().(ed25519.PublicKey))}}})
	must(t, err)
	b, err := wire.Sign(wire.Protected{Type: wire.TypeTrust, Role: wire.RoleRoot, Address: "city"}, payload, root)
	must(t, err)
	return b
}

// TestGrantPass: a standalone house makes passes that its own keys prove.
func TestGrantPass(t *testing.T) {
	b := newBench(t)
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	b.ok("123,04567\n", "grant", "add", "--key", key, "--label", "3B", "--door", "front", "--printed", "3+5D")
	b.ok("200,00001\n", "grant", "add", "--key", key, "--label", "9Z", "--door", "front", "--printed", "3+5D", "--from", "2100-01-02")
	b.fails("", []string{"does not know the time"}, "grant", "pass", "--key", key, "3B")
	b.ok("", "clock", "confirm")
	text := b.ok("", "grant", "pass", "--key", key, "--minutes", "2", "3B")
	d := decodePasses(t, text, "--key", b.path("state/keys/issuer.pub"))
	if len(d) != 1 || *d[0].Signature != "good" || *d[0].Building != "lane-7" || d[0].Until.Sub(*d[0].From) != 2*time.Minute {
		t.Fatalf("%+v", d)
	}
	var made struct{ Pass, Tenancy string }
	must(t, json.Unmarshal([]byte(b.ok("", "--json", "grant", "pass", "--key", key, "3B")), &made))
	if again := decodePasses(t, made.Pass); *again[0].Tenancy != *d[0].Tenancy || *again[0].ID == *d[0].ID || made.Tenancy != *d[0].Tenancy {
		t.Errorf("%+v", made)
	}
	b.fails("", []string{"1 to 15 minutes"}, "grant", "pass", "--key", key, "--minutes", "16", "3B")
	b.fails("", []string{"did not sign"}, "grant", "pass", "--key", otherKey(t, b), "3B")
	b.fails("", []string{"opens nothing today"}, "grant", "pass", "--key", key, "9Z")
	b.fails("", []string{"no key \"4A\""}, "grant", "pass", "--key", key, "4A")
	b.ok("", "grant", "suspend", "--key", key, "3B")
	b.fails("", []string{"is suspended"}, "grant", "pass", "--key", key, "3B")
	b.ok("", "grant", "end", "--key", key, "3B")
	b.fails("", []string{"is revoked"}, "grant", "pass", "--key", key, "3B")
}
