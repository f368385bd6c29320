package briefs

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"slices"
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

func issuers(key ed25519.PrivateKey) []wire.Key {
	return []wire.Key{{Role: wire.RoleIssuer, Epoch: 2, Public: key.Public().(ed25519.PublicKey)}}
}

// TestList: an issuer's list is read back as the golden bytes; another's, for another building, and any changed or missing
// byte, is not.
func TestList(t *testing.T) {
	key, other := ed25519.NewKeyFromSeed(seq(0, 32)), ed25519.NewKeyFromSeed(seq(1, 32))
	want := Of([]wire.ID{wire.ID(seq(0x40, 16)), wire.ID(seq(0x30, 16)), wire.ID(seq(0x40, 16))})
	envelope, err := want.Sign("house-1", 2, key)
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
	if !strings.Contains(strings.Join(strings.Fields(string(golden)), ""), "briefs:"+hex.EncodeToString(payload)) {
		t.Errorf("not golden: %x", payload)
	}
	if l, err := Open(envelope, "house-1", issuers(key)); err != nil || !slices.Equal(l.Tenancies, want.Tenancies) || len(l.Tenancies) != 2 {
		t.Errorf("%+v, %v", l, err)
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

// TestListRefuses: no list has a tenancy twice, out of order or without an id, or more than fit one message; one with
// nobody in it is good.
func TestListRefuses(t *testing.T) {
	key := ed25519.NewKeyFromSeed(seq(0, 32))
	for name, l := range map[string]List{
		"twice": {[]wire.ID{{1}, {1}}}, "out of order": {[]wire.ID{{2}, {1}}}, "none": {[]wire.ID{{}}}, "too many": {many(Most + 1)},
	} {
		if _, err := l.Sign("house-1", 2, key); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, hexed := range map[string]string{"null": "a101f6", "a field more": "a201800200", "twice": "a1018250" + strings.Repeat("01", 16) + "50" + strings.Repeat("01", 16)} {
		b, err := hex.DecodeString(hexed)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := wire.Sign(wire.Protected{Type: Type, Role: wire.RoleIssuer, Epoch: 2, Address: "house-1"}, b, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(envelope, "house-1", issuers(key)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, n := range []int{0, 1, Most, Most + 9} {
		envelope, err := Of(many(n)).Sign("house-1", 2, key)
		if err != nil || len(envelope) > wire.MaxMessage {
			t.Fatalf("%d tenancies: %d bytes, %v", n, len(envelope), err)
		}
		if l, err := Open(envelope, "house-1", issuers(key)); err != nil || len(l.Tenancies) != min(n, Most) {
			t.Errorf("%d tenancies: %d, %v", n, len(l.Tenancies), err)
		}
	}
}

// many returns n tenancies, ascending.
func many(n int) (all []wire.ID) {
	for i := range n {
		all = append(all, wire.ID{1, byte(i >> 8), byte(i)})
	}
	return all
}
