package keys

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/sync/wire"
)

// TestMend: a bit of a key file that flips, wherever, and a file of which nothing is left, is put
// right from the copy; another key in its place, one that was taken away, and a copy that is
// not good change nothing.
func TestMend(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, SaveBuildingKey(at(BuildingKeyFile), goldenKey()))
	must(t, SavePrivateKey(at(GatewayKeyFile), signingKey(3)))
	must(t, SaveIssuer(at(IssuerFile), wire.Key{Public: signingKey(1).Public().(ed25519.PublicKey)}))
	must(t, Keep(dir))
	none := func(what string) {
		t.Helper()
		if got, err := Mend(dir); err != nil || len(got) > 0 {
			t.Errorf("%s: mended %v, %v", what, got, err)
		}
	}
	none("nothing is wrong")
	for _, name := range []string{BuildingKeyFile, GatewayKeyFile, IssuerFile} {
		good := content(t, at(name))
		mends := func(bad []byte, what string) {
			t.Helper()
			must(t, os.WriteFile(at(name), bad, 0o600))
			got, err := Mend(dir)
			if err != nil || !slices.Equal(got, []string{name}) || !slices.Equal(content(t, at(name)), good) {
				t.Fatalf("%s: %s: mended %v, %v", name, what, got, err)
			}
			must(t, os.Remove(at(name)+".bad-1"))
		}
		for i := 0; i < len(good); i += 37 {
			bad := slices.Clone(good)
			bad[i] ^= 1 << (i % 8)
			mends(bad, "a bit")
		}
		mends(nil, "emptied")
		mends([]byte("-----BEGIN"), "cut short")
	}
	must(t, os.Remove(at(GatewayKeyFile)))
	none("a key was taken away")
	_, another, err := ed25519.GenerateKey(nil)
	must(t, err)
	must(t, SavePrivateKey(at(GatewayKeyFile), another))
	none("another key was put there")
	must(t, Keep(dir))
	spare := content(t, at(SpareFile))
	spare[len(spare)/2] ^= 1
	must(t, os.WriteFile(at(SpareFile), spare, 0o600))
	must(t, os.WriteFile(at(BuildingKeyFile), []byte("x"), 0o600))
	none("the copy is not good")
	if info, err := os.Stat(at(SpareFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info.Mode(), err)
	}
}

// TestMendRegistry: which registry it is is put right where the documents say that it was
// another; what a person edited stays.
func TestMendRegistry(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := &Registry{Name: "town", Enrol: "town.example:8443", Broker: "town.example:8883", Place: wire.Place{District: "panyu", Town: "shiqiao", Building: "lane-7", Gateway: "gw1"}}
	must(t, SavePlace(dir, r))
	root, issuer, own := signingKey(10), signingKey(11), signingKey(12)
	must(t, SaveSealKey(at(SealKeyFile), []byte{1}))
	must(t, SaveIssuer(at(RootFile), wire.Key{Public: root.Public().(ed25519.PublicKey)}))
	seal := []byte{1}
	trust := wire.Trust{Version: 1, Issued: 1, Registry: "town", CAs: [][]byte{{0}}, Records: seal, Desk: seal, Escrow: seal,
		Keys: []wire.RoleKey{{Role: wire.RoleIssuer, Public: [32]byte(issuer.Public().(ed25519.PublicKey))}}}
	house := wire.House{Version: 1, Issued: 1, District: "panyu", Town: "shiqiao", Gateways: []wire.HouseGateway{{ID: "gw1", Public: [32]byte(own.Public().(ed25519.PublicKey)), KEM: seal, Doors: []string{"front"}}}}
	for name, x := range map[string]struct {
		kind    string
		role    wire.Role
		address string
		body    wire.Payload
		key     ed25519.PrivateKey
	}{TrustFile: {wire.TypeTrust, wire.RoleRoot, "town", trust, root}, HouseFile: {wire.TypeHouse, wire.RoleIssuer, "lane-7", house, issuer}} {
		envelope, err := wire.SignBody(wire.Protected{Type: x.kind, Role: x.role, Address: x.address}, x.body, x.key)
		must(t, err)
		must(t, os.WriteFile(at(name), envelope, 0o600))
	}
	if _, err := LoadRegistry(dir); err != nil {
		t.Fatal(err)
	}
	must(t, Keep(dir))
	good := content(t, at(RegistryFile))
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1
		must(t, os.WriteFile(at(RegistryFile), bad, 0o600))
		_, err := Mend(dir)
		must(t, err)
		if got, err := LoadRegistry(dir); err != nil || got.Name != r.Name || got.Place != r.Place {
			t.Fatalf("byte %d, %q: %v", i, bad, err)
		}
	}
	r.Broker = "other.example:8883"
	must(t, SavePlace(dir, r))
	if got, err := Mend(dir); err != nil || len(got) > 0 {
		t.Errorf("what a person edited: mended %v, %v", got, err)
	}
}
