package snapshot

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func trusted(k ed25519.PrivateKey) wire.Key {
	return wire.Key{Role: wire.RoleGateway, Public: k.Public().(ed25519.PublicKey)}
}

// sample is that of golden.txt.
func sample() (s Snapshot) {
	for i := range s.Sum {
		s.Sum[i] = 0xa0 + byte(i)
	}
	s.Size, s.Made = 81_920, 1_790_000_000
	return s
}

// TestGolden: the payload is the bytes of golden.txt.
func TestGolden(t *testing.T) {
	b, err := canonical.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "\nsnapshot:\n")
	body, _, _ := strings.Cut(after, "\n\n")
	if want := strings.Join(strings.Fields(body), ""); want != hex.EncodeToString(b) {
		t.Errorf("\n got %x\nwant %s", b, want)
	}
}

// TestSigned: what a gateway says of its backup is read back, and nothing that another key,
// address or type stands behind.
func TestSigned(t *testing.T) {
	data := []byte("sealed")
	s := Of(data, 1_790_000_000)
	envelope, err := s.Sign("house-1/gate-1", key(1))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(envelope, "house-1/gate-1", trusted(key(1)))
	if err != nil || got != s || !got.Is(data) || got.Is([]byte("sealeD")) || got.Is(data[:5]) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Open(envelope, "house-1/gate-2", trusted(key(1))); !errors.Is(err, wire.ErrWrongAddress) {
		t.Errorf("another gateway: %v", err)
	}
	if _, err := Open(envelope, "house-1/gate-1", trusted(key(2))); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("another key: %v", err)
	}
	for i := range envelope {
		changed := bytes.Clone(envelope)
		changed[i] ^= 1
		if _, err := Open(changed, "house-1/gate-1", trusted(key(1))); err == nil {
			t.Errorf("byte %d is changed, and it is taken", i)
		}
	}
	for name, s := range map[string]Snapshot{"none": Of(nil, 1), "too large": Of(make([]byte, Most+1), 1)} {
		if _, err := s.Sign("house-1/gate-1", key(1)); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := Of(data, -5); s.Made != 1 {
		t.Errorf("before 1970: %d", s.Made)
	}
}

// TestProof: it is that of one secret and one gateway, and not that of an introduction.
func TestProof(t *testing.T) {
	a := Proof([16]byte{1}, "house-1/gate-1")
	if a == Proof([16]byte{2}, "house-1/gate-1") || a == Proof([16]byte{1}, "house-1/gate-2") || a == wire.IntroduceProof([16]byte{1}, "house-1/gate-1") {
		t.Error("two proofs are the same")
	}
}

// FuzzOpen: no envelope ends it, and what is taken is signed again as the same bytes.
func FuzzOpen(f *testing.F) {
	envelope, err := sample().Sign("house-1/gate-1", key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(envelope)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Open(b, "house-1/gate-1", trusted(key(1)))
		if err != nil {
			return
		}
		if again, err := s.Sign("house-1/gate-1", key(1)); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is signed again as %x: %v", b, again, err)
		}
	})
}
