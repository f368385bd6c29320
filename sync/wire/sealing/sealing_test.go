package sealing

import (
	"bytes"
	"testing"
)

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSeal: only the key, the purpose and the address that it was made for open
// a seal.
func TestSeal(t *testing.T) {
	private, key, err := GenerateKey()
	noError(t, err)
	other, _, err := GenerateKey()
	noError(t, err)
	plain := []byte("plain")
	sealed, err := Seal(key, Change, "house-1/gate-1", plain)
	noError(t, err)
	if len(sealed) != 1120+16+len(plain) || len(key) != 1216 {
		t.Errorf("%d bytes sealed, %d of a key", len(sealed), len(key))
	}
	if got, err := Unseal(private, Change, "house-1/gate-1", sealed); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("%q, %v", got, err)
	}
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return Unseal(other, Change, "house-1/gate-1", sealed) },
		"another purpose": func() ([]byte, error) { return Unseal(private, Person, "house-1/gate-1", sealed) },
		"another address": func() ([]byte, error) { return Unseal(private, Change, "house-1/gate-2", sealed) },
		"other bytes":     func() ([]byte, error) { return Unseal(private, Change, "house-1/gate-1", flipped) },
		"half":            func() ([]byte, error) { return Unseal(private, Change, "house-1/gate-1", sealed[:600]) },
		"nothing":         func() ([]byte, error) { return Unseal(private, Change, "house-1/gate-1", nil) },
		"no key":          func() ([]byte, error) { return Unseal(nil, Change, "house-1/gate-1", sealed) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s opens it", name)
		}
	}
	if _, err := Seal(key[:30], Change, "house-1", plain); err == nil {
		t.Error("sealed to half a key")
	}
}
