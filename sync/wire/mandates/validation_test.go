package mandates

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
)

// validation is that of golden.txt.
func validation() Validation {
	return Validation{Reference: wire.ID(seq(0x50, 16)), Mandate: wire.Hash(seq(0x80, 32)), By: Authority{Name: "北区分局", File: "440000-2"}}
}

// approvers trusts one approver.
func approvers(key ed25519.PrivateKey) wire.Trust {
	return wire.Trust{Registry: "city", Approvers: []approver.Approver{{Seat: "north", Public: [32]byte(key.Public().(ed25519.PublicKey)), District: "north"}}}
}

// TestValidation: an approver's word is read back as the golden bytes; another's, and any changed or
// missing byte, is not.
func TestValidation(t *testing.T) {
	key, other := ed25519.NewKeyFromSeed(seq(0, 32)), ed25519.NewKeyFromSeed(seq(1, 32))
	envelope, err := validation().Sign("city", key)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		t.Fatal(err)
	}
	isGolden(t, "validation", payload)
	v, by, err := OpenValidation(envelope, approvers(key))
	if err != nil || v != validation() || by != wire.IDOf(key.Public().(ed25519.PublicKey)) {
		t.Errorf("%+v of %x, %v", v, by, err)
	}
	if _, _, err := OpenValidation(envelope, approvers(other)); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("another approver: %v", err)
	}
	elsewhere := approvers(key)
	elsewhere.Registry = "town"
	if _, _, err := OpenValidation(envelope, elsewhere); !errors.Is(err, wire.ErrWrongAddress) {
		t.Errorf("another registry: %v", err)
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		if _, _, err := OpenValidation(changed, approvers(key)); err == nil {
			t.Errorf("byte %d is changed, and it is taken", i)
		}
		if _, _, err := OpenValidation(envelope[:i], approvers(key)); err == nil {
			t.Errorf("taken when cut to %d bytes", i)
		}
	}
	mandate, err := Sign(sample(), "city", key)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenValidation(mandate, approvers(key)); err == nil {
		t.Error("a mandate is taken for a validation")
	}
}

// TestValidationRefuses: what no validation may say is not signed.
func TestValidationRefuses(t *testing.T) {
	for name, change := range map[string]func(v *Validation){
		"no reference":  func(v *Validation) { v.Reference = wire.ID{} },
		"no mandate":    func(v *Validation) { v.Mandate = wire.Hash{} },
		"no authority":  func(v *Validation) { v.By.Name = "" },
		"no file":       func(v *Validation) { v.By.File = "" },
		"a long name":   func(v *Validation) { v.By.Name = strings.Repeat("局", 65) },
		"a file of two": func(v *Validation) { v.By.File = "1\n2" },
	} {
		v := validation()
		change(&v)
		if _, err := v.Sign("city", ed25519.NewKeyFromSeed(seq(0, 32))); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzValidation: no envelope ends it, and what is taken is signed again as the same bytes.
func FuzzValidation(f *testing.F) {
	key := ed25519.NewKeyFromSeed(seq(0, 32))
	envelope, err := validation().Sign("city", key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(envelope)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, _, err := OpenValidation(b, approvers(key))
		if err != nil {
			return
		}
		if again, err := v.Sign("city", key); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is signed again as %x: %v", b, again, err)
		}
	})
}
