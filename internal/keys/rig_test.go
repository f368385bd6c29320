package keys

import (
	"crypto/ed25519"
	"os"
	"testing"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func signingKey(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

// goldenKey is the building key 00 01 .. 1f with number 1.
func goldenKey() *BuildingKey {
	k := &BuildingKey{number: 1}
	for i := range k.secret {
		k.secret[i] = byte(i)
	}
	return k
}

func h10301(t testing.TB, facility, number uint64) device.Card {
	t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: facility, Card: number, HasFacility: true})
	must(t, err)
	return c
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}
