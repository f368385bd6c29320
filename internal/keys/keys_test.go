package keys

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/sync/wire"
)

// TestKeyFileIsWholeOrNone: what a power cut left of an earlier try is no
// obstacle, and a key that is there, or half there, is never overwritten.
func TestKeyFileIsWholeOrNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), GatewayKeyFile)
	must(t, os.WriteFile(path+".new", []byte("-----BEGIN PRI"), 0o644))
	must(t, SavePrivateKey(path, signingKey(50)))
	if key, err := LoadPrivateKey(path); err != nil || !key.Equal(signingKey(50)) {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	must(t, err)
	if _, err := os.Stat(path + ".new"); info.Mode().Perm() != 0o600 || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("mode %v, leftover: %v", info.Mode(), err)
	}
	for _, content := range []string{"-----BEGIN PRI", ""} {
		if err := SavePrivateKey(path, signingKey(51)); !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	if data, err := os.ReadFile(path); err != nil || len(data) != 0 {
		t.Fatalf("%q, %v", data, err)
	}
}

func TestKeysNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	key, err := GenerateBuildingKey(7)
	if err != nil {
		t.Fatal(err)
	}
	public := signingKey(1).Public().(ed25519.PublicKey)
	saves := map[string]func(string) error{
		BuildingKeyFile: func(p string) error { return SaveBuildingKey(p, key) },
		GatewayKeyFile:  func(p string) error { return SavePrivateKey(p, signingKey(3)) },
		IssuerFile:      func(p string) error { return SaveIssuer(p, wire.Key{Epoch: 2, Public: public}) },
	}
	for name, save := range saves {
		path := filepath.Join(dir, name)
		if err := save(path); err != nil {
			t.Fatal(err)
		}
		before := content(t, path)
		if err := save(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 || !bytes.Equal(before, content(t, path)) {
			t.Errorf("%s: changed, or mode %v", name, info.Mode())
		}
	}
	got, err := LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if *got.Building != *key || !got.Gateway.Equal(signingKey(3)) || len(got.Issuers) != 1 || got.Issuers[0].Epoch != 2 ||
		got.Issuers[0].Role != wire.RoleIssuer || !got.Issuers[0].Public.Equal(public) {
		t.Fatal("not the keys that were saved")
	}
}

func TestLoadKeysTakesWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	if err := SaveBuildingKey(filepath.Join(dir, BuildingKeyFile), goldenKey()); err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(filepath.Join(dir, IssuerFile), []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), 0o600))
	got, err := LoadKeys(dir)
	if got.Building == nil || len(got.Issuers) > 0 || got.Gateway != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("keys %+v, %v", got, err)
	}
	for _, bad := range []string{"", "-----BEGIN GATEHOUSE BUILDING KEY-----\nNumber: 255\n\nAAAA\n-----END GATEHOUSE BUILDING KEY-----\n"} {
		must(t, os.WriteFile(filepath.Join(dir, BuildingKeyFile), []byte(bad), 0o600))
		if k, err := LoadBuildingKey(filepath.Join(dir, BuildingKeyFile)); err == nil {
			t.Errorf("loaded %v", k)
		}
	}
	for _, number := range []byte{0, 255} {
		if _, err := GenerateBuildingKey(number); err == nil {
			t.Errorf("made key %d", number)
		}
	}
}
