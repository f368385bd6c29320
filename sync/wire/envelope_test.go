package wire

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/veraison/go-cose"

	"gatehouse/sync/wire/internal/canonical"
)

func otherKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seq(1, ed25519.SeedSize)) }

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// TestOpenRefuses signs what is wrong in one thing each: a right signature
// helps none of them.
func TestOpenRefuses(t *testing.T) {
	keys := []Key{{RoleWitness, 0, public(testKey())}, {RoleIssuer, 3, public(testKey())}}
	expect := Expect{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}
	good := Protected{Type: TypeGrantList, Role: RoleIssuer, Epoch: 3, Address: "house-1"}
	with := func(f func(*Protected)) Protected { p := good; f(&p); return p }
	for _, c := range []struct {
		name string
		p    Protected
		key  ed25519.PrivateKey
		want error
	}{
		{"good", good, testKey(), nil},
		{"type", with(func(p *Protected) { p.Type = "command" }), testKey(), ErrWrongType},
		{"role", with(func(p *Protected) { p.Role = RoleWitness }), testKey(), ErrWrongRole},
		{"address", with(func(p *Protected) { p.Address = "house-2" }), testKey(), ErrWrongAddress},
		{"epoch", with(func(p *Protected) { p.Epoch = 2 }), testKey(), ErrUnknownKey},
		{"key", good, otherKey(), ErrUnknownKey},
	} {
		envelope, err := Sign(c.p, []byte("payload"), c.key)
		if err != nil {
			t.Fatal(err)
		}
		payload, _, err := Open(envelope, expect, keys)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (payload == nil) != (c.want != nil) {
			t.Errorf("%s: got %q, %v; want %v", c.name, payload, err, c.want)
		}
	}
}

// TestOpenRefusesForgery changes what a thief of the wire can change.
func TestOpenRefusesForgery(t *testing.T) {
	keys := []Key{{RoleIssuer, 0, public(testKey())}}
	expect := Expect{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}
	envelope := testEnvelope(t, []byte("payload"))
	header, err := canonical.Marshal(Protected{Algorithm: -8, KeyID: IDOf(public(testKey())), Type: TypeGrantList,
		Role: RoleIssuer, Address: "house-1", Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	remade := func(header []byte, unprotected any) []byte {
		sig := envelope[len(envelope)-ed25519.SignatureSize:]
		b, err := canonical.Marshal([]any{header, unprotected, []byte("payload"), sig})
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte{sign1Tag}, b...)
	}
	if !bytes.Equal(remade(header, struct{}{}), envelope) {
		t.Fatal("the test does not make the envelope it changes")
	}
	long := bytes.Replace(header, []byte{0x01, 0x27}, []byte{0x01, 0x38, 0x07}, 1)
	flipped := bytes.Clone(envelope)
	flipped[len(flipped)-1] ^= 1
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"payload":           {bytes.Replace(envelope, []byte("payload"), []byte("paylord"), 1), ErrBadSignature},
		"signature":         {flipped, ErrBadSignature},
		"unprotected label": {remade(header, map[int]int{1: -8}), ErrMalformed},
		"unprotected null":  {remade(header, nil), ErrMalformed},
		"long integer":      {remade(long, struct{}{}), ErrMalformed},
		"algorithm":         {remade(bytes.Replace(header, []byte{0x01, 0x27}, []byte{0x01, 0x26}, 1), struct{}{}), ErrMalformed},
		"version":           {remade(append(bytes.Clone(header[:len(header)-1]), 2), struct{}{}), ErrWrongVersion},
		"version unknown":   {remade(append(bytes.Clone(header[:len(header)-1]), Formats+1), struct{}{}), ErrWrongVersion},
		"no version":        {remade(append(bytes.Clone(header[:len(header)-1]), 0), struct{}{}), ErrWrongVersion},
		"no tag":            {envelope[1:], ErrMalformed},
		"empty":             {nil, ErrMalformed},
		"tail":              {append(bytes.Clone(envelope), 0), ErrMalformed},
		"too large":         {make([]byte, MaxMessage+1), ErrTooLarge},
	} {
		if payload, _, err := Open(c.b, expect, keys); !errors.Is(err, c.want) || payload != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for i := range envelope {
		b := bytes.Clone(envelope)
		b[i] ^= 0x10
		if _, _, err := Open(b, expect, keys); err == nil {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
}

// TestVersions: a reader takes the version that it knows and those below, and
// learns which it was.
func TestVersions(t *testing.T) {
	keys := []Key{{RoleGateway, 0, public(testKey())}}
	for version := uint64(0); version <= Formats; version++ {
		p := Protected{Type: TypeHello, Role: RoleGateway, Address: "house-1/gate-1", Version: version}
		envelope, err := Sign(p, []byte("payload"), testKey())
		if err != nil {
			t.Fatal(err)
		}
		for newest := uint64(0); newest <= Formats; newest++ {
			payload, got, err := Open(envelope, Expect{Type: p.Type, Role: p.Role, Address: p.Address, Newest: newest}, keys)
			if max(version, 1) > max(newest, 1) {
				if !errors.Is(err, ErrWrongVersion) || payload != nil {
					t.Errorf("version %d, of which the reader knows %d: %v", version, newest, err)
				}
			} else if err != nil || got.Version != max(version, 1) {
				t.Errorf("version %d, of which the reader knows %d: read as %d, %v", version, newest, got.Version, err)
			}
		}
	}
	if _, err := Sign(Protected{Type: TypeHello, Role: RoleGateway, Address: "house-1/gate-1", Version: Formats + 1}, nil, testKey()); !errors.Is(err, ErrWrongVersion) {
		t.Errorf("a version that does not exist is signed: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	p := Protected{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}
	if _, err := Sign(p, make([]byte, MaxMessage-100), testKey()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("64 KiB with an envelope: %v", err)
	}
	if _, err := Sign(p, make([]byte, MaxMessage-200), testKey()); err != nil {
		t.Errorf("just below: %v", err)
	}
	if _, err := Sign(Protected{Type: "Grant List", Role: RoleIssuer, Address: "house-1"}, nil, testKey()); err == nil {
		t.Error("a type that is no name was signed")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"none": nil, "an empty one": ed25519.PrivateKey(nil), "another kind": other} {
		if _, err := Sign(p, nil, key); err == nil {
			t.Errorf("signed with a key that is %s", name)
		}
	}
}

// TestEnvelopeIsCOSE reads our envelope with the COSE library alone.
func TestEnvelopeIsCOSE(t *testing.T) {
	m := cose.NewSign1Message()
	if err := m.UnmarshalCBOR(testEnvelope(t, []byte("payload"))); err != nil {
		t.Fatal(err)
	}
	v, err := cose.NewVerifier(cose.AlgorithmEdDSA, public(testKey()))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Verify(nil, v); err != nil {
		t.Fatal(err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(testEnvelope(f, []byte("payload")))
	f.Add(testEnvelope(f, nil))
	keys := []Key{{RoleIssuer, 0, public(testKey())}}
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, p, err := Open(b, Expect{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}, keys)
		if err != nil {
			return
		}
		again, err := Sign(p, payload, testKey())
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted what Sign does not make: %v", err)
		}
		for n := range b {
			if _, _, err := Open(b[:n], Expect{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}, keys); err == nil {
				t.Fatalf("accepted the first %d of %d bytes", n, len(b))
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	payload := make([]byte, 9<<10)
	envelope := testEnvelope(b, payload)
	keys := []Key{{RoleIssuer, 0, public(testKey())}}
	signature := ed25519.Sign(testKey(), payload)
	var bare, ours int64
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		ours += timed(func() {
			if _, _, err := Open(envelope, Expect{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}, keys); err != nil {
				b.Fatal(err)
			}
		})
		bare += timed(func() {
			if !ed25519.Verify(public(testKey()), payload, signature) {
				b.Fatal("bare")
			}
		})
	}
	b.ReportMetric(float64(ours)/float64(bare), "x_bare_verify")
}
