package erasures

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// seq returns n bytes that count up from first.
func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// order is that of golden.txt.
func order() Order {
	return Order{Number: wire.ID(seq(0x50, 16)), Tenancy: wire.ID(seq(0x30, 16)), Made: 1_795_392_000}
}

func issuers(key ed25519.PrivateKey) []wire.Key {
	return []wire.Key{{Role: wire.RoleIssuer, Epoch: 2, Public: key.Public().(ed25519.PublicKey)}}
}

// TestOrder: an issuer's order is read back as the golden bytes; another's, for another building, and any changed or
// missing byte, is not.
func TestOrder(t *testing.T) {
	key, other := ed25519.NewKeyFromSeed(seq(0, 32)), ed25519.NewKeyFromSeed(seq(1, 32))
	envelope, err := order().Sign("house-1", 2, key)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := wire.PayloadOf(envelope)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("../testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(string(golden)), ""), "erasure:"+hex.EncodeToString(payload)) {
		t.Errorf("not golden: %x", payload)
	}
	if o, err := Open(envelope, "house-1", issuers(key)); err != nil || o != order() {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := Open(envelope, "house-1", issuers(other)); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("another issuer: %v", err)
	}
	if _, err := Open(envelope, "house-2", issuers(key)); !errors.Is(err, wire.ErrWrongAddress) {
		t.Errorf("another building: %v", err)
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		if _, err := Open(changed, "house-1", issuers(key)); err == nil {
			t.Errorf("byte %d is changed, and it is taken", i)
		}
		if _, err := Open(envelope[:i], "house-1", issuers(key)); err == nil {
			t.Errorf("taken when cut to %d bytes", i)
		}
	}
}

// TestOrderRefuses: what no order may say is neither signed nor taken.
func TestOrderRefuses(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seq(0, 32))
	for name, change := range map[string]func(o *Order){
		"no number":  func(o *Order) { o.Number = wire.ID{} },
		"no tenancy": func(o *Order) { o.Tenancy = wire.ID{} },
		"no time":    func(o *Order) { o.Made = 0 },
	} {
		o := order()
		change(&o)
		if _, err := o.Sign("house-1", 2, key); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, payload := range []string{"a0", "a1015050515253545556575859" + "5a5b5c5d5e5f"} {
		b, err := hex.DecodeString(payload)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := wire.Sign(wire.Protected{Type: Type, Role: wire.RoleIssuer, Epoch: 2, Address: "house-1"}, b, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(envelope, "house-1", issuers(key)); err == nil {
			t.Errorf("%s is taken", payload)
		}
	}
}
