package setup

import (
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/keys"
)

// TestStickOfThePage: init takes the key file that was made at the page, which has both keys; one with
// the issuer's key alone it refuses.
func TestStickOfThePage(t *testing.T) {
	stick, err := keys.NewStick("lane-7")
	if err != nil {
		t.Fatal(err)
	}
	text, err := stick.Text()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "issuer-lane-7.key")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	issuer, building, restored, err := StickKeys(path, path+".building")
	if err != nil || !restored || !issuer.Equal(stick.Issuer) || building == nil || *building != *stick.Building {
		t.Errorf("restored %v: %v", restored, err)
	}
	alone := filepath.Join(t.TempDir(), "issuer.key")
	if err := keys.SavePrivateKey(alone, stick.Issuer); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := StickKeys(alone, alone+".building"); err == nil {
		t.Error("a stick without the building's key")
	}
}
