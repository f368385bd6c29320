package firstkeys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/keys"
)

// TestInstall: cut after each file an install goes on with its own keys and with no others, until the
// gateway has all; then it is refused.
func TestInstall(t *testing.T) {
	stick, err := keys.NewStick("lane-7")
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.NewStick("lane-7")
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range [][]string{nil, {keys.BuildingKeyFile}, {keys.BuildingKeyFile, keys.IssuerFile}} {
		state := t.TempDir()
		dir := filepath.Join(state, "keys")
		if _, err := Install(state, dir, stick.Public(), stick.Building); err != nil {
			t.Fatal(err)
		}
		if err := Missing(dir); err == nil || !strings.Contains(err.Error(), "has its keys already") {
			t.Errorf("%v", err)
		}
		for _, name := range cut {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Install(state, dir, other.Public(), other.Building)
		if want := len(cut) < 2; (err != nil) != want {
			t.Errorf("other keys after %q: %v", cut, err)
		}
		if len(cut) == 1 {
			if _, err := Install(state, dir, stick.Public(), stick.Building); err != nil {
				t.Errorf("it does not go on: %v", err)
			}
		}
		if k, err := keys.LoadKeys(dir); k.Building == nil || len(k.Issuers) != 1 || k.Gateway == nil {
			t.Errorf("after %q: %v", cut, err)
		}
	}
}
