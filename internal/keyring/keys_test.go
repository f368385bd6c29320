package keyring

import (
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// TestHalfABuildingKey: power went while a sibling's key was written, by a version
// that wrote in place. The half is set aside, and the key comes again; a whole
// file that this gateway can't use stays.
func TestHalfABuildingKey(t *testing.T) {
	for content, taken := range map[string]bool{
		"-----BEGIN GATEHOUSE BUILD": true,
		"":                           true,
		"-----BEGIN GATEHOUSE BUILDING KEY-----\nNumber: 300\n\nAAAA\n-----END GATEHOUSE BUILDING KEY-----\n": false,
	} {
		dir := t.TempDir()
		enrol(t, dir, "gate-a", false)
		path := filepath.Join(dir, "keys", keys.BuildingKeyFile)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		k := openEnrolled(t, dir)
		_, kem := sealPair(t)
		sealed, err := goldenKey().Seal(kem, building+"/gate-a")
		must(t, err)
		if err := k.Authority.TakeBuildingKey(sealed); (err == nil) != taken || k.Status().HasKey != taken {
			t.Errorf("%q: %v", content, err)
		}
		if k = restarted(t, k); k.Status().HasKey != taken {
			t.Errorf("%q: not after a restart", content)
		}
		aside, err := os.ReadFile(path + ".bad-1")
		if taken && string(aside) != content || (err == nil) != taken {
			t.Errorf("%q: set aside %q, %v", content, aside, err)
		}
	}
}

// TestOnlyDamagedCopies: where all that is left of a list is damaged, nobody knows
// whom it named. No card is then called unknown, with the marks lost as well.
func TestOnlyDamagedCopies(t *testing.T) {
	k, dir := enrolled(t)
	want(t, k, credential(1), wire.ReasonUnknown) // there was never a list
	apply(t, k, listOf(t, 1, issuedAt, nil, 1, row(1, 1)))
	must(t, k.Close())
	grants := filepath.Join(dir, "grants")
	must(t, os.Remove(filepath.Join(grants, marksFile)))
	must(t, os.Remove(filepath.Join(grants, "grants-a.db")))
	must(t, os.WriteFile(filepath.Join(grants, "grants-b.db"), []byte("x"), 0o600))
	want(t, openEnrolled(t, dir), credential(1), wire.ReasonNotReady)
}
