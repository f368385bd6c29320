package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

// Everything here is made of fixed keys and obvious test values, so that other
// implementations can compare byte by byte.

func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seq(0, ed25519.SeedSize)) }

func testCredential(mac byte) (c CredentialID) {
	c[0] = 1
	copy(c[1:], seq(mac, 16))
	return c
}

func testHeader() Header {
	return Header{
		Boot: 7, Counter: 3, BootTime: 12_345_678_901, Wall: 1_790_000_000_000, Clock: ClockNTP,
		Kind: KindAccess, Outcome: OutcomeGranted, Reason: ReasonGranted,
		Door: "front", Source: "front-in", Direction: DirectionIn,
	}
}

func testWho() Who {
	c, g, t := testCredential(0x9d), ID(seq(0x20, 16)), ID(seq(0x40, 16))
	return Who{Credential: &c, Grant: &g, Tenancy: &t}
}

func testGrants() []Grant {
	g := Grant{Credential: testCredential(0x10), ID: ID(seq(0x20, 16)), Tenancy: ID(seq(0x40, 16)),
		Kind: GrantResident, State: GrantActive, DoorSet: 1, From: 1_790_000_000}
	h := Grant{Credential: testCredential(0x30), ID: ID(seq(0x21, 16)), Tenancy: ID(seq(0x41, 16)),
		Kind: GrantVisitor, State: GrantSuspended, From: 1_790_000_000, Until: 1_790_086_400}
	return []Grant{g, h}
}

func testManifest(t testing.TB) Manifest {
	t.Helper()
	full, err := EncodeBucket(testGrants())
	if err != nil {
		t.Fatal(err)
	}
	empty, err := EncodeBucket(nil)
	if err != nil {
		t.Fatal(err)
	}
	return Manifest{Format: ListFormat, Version: 2, Previous: Hash(seq(0x80, 32)), Issued: 1_790_000_001, Bits: 1,
		Buckets: []Hash{sha256.Sum256(full), sha256.Sum256(empty)},
		Doors:   []string{"front", "bikes"}, DoorSets: [][]uint16{{0}, {0, 1}}}
}

func testEnvelope(t testing.TB, payload []byte) []byte {
	t.Helper()
	b, err := Sign(Protected{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}, payload, testKey())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	headerBytes, err := testHeader().Encode()
	header := must(t, headerBytes, err)
	whoBytes, err := testWho().Encode()
	who := must(t, whoBytes, err)
	methodBytes, err := with(testWho(), func(w *Who) { w.Method = MethodCardPIN }).Encode()
	whoWithMethod := must(t, methodBytes, err)
	hash := WhoHash([16]byte(seq(0x60, 16)), who)
	leaf := sha256.Sum256(append([]byte{0}, LeafRecord(header, hash)...))
	bare := sha256.Sum256(append([]byte{0}, LeafRecord(header, WhoHash([16]byte{}, nil))...))
	bucketBytes, err := EncodeBucket(testGrants())
	bucket := must(t, bucketBytes, err)
	manifestBytes, err := testManifest(t).Encode()
	manifest := must(t, manifestBytes, err)
	id := IDOf(testKey().Public().(ed25519.PublicKey))
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"header", header, goldenHeader},
		{"who", who, goldenWho},
		{"who with method", whoWithMethod, goldenWhoMethod},
		{"hash of who", hash[:], goldenWhoHash},
		{"leaf hash", leaf[:], goldenLeaf},
		{"leaf hash without who", bare[:], goldenBareLeaf},
		{"bucket", bucket, goldenBucket},
		{"empty bucket", []byte{0x80}, "80"},
		{"manifest", manifest, goldenManifest},
		{"key id", id[:], goldenKeyID},
		{"envelope", testEnvelope(t, []byte("payload")), goldenEnvelope},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestGoldenDecodes reads the golden bytes back to the values they came from.
func TestGoldenDecodes(t *testing.T) {
	raw := func(s string) []byte {
		b, err := hex.DecodeString(s)
		return must(t, b, err)
	}
	if h, err := DecodeHeader(raw(goldenHeader)); err != nil || h.Door != "front" || h.Kind != KindAccess {
		t.Errorf("header: %v", err)
	}
	if w, err := DecodeWho(raw(goldenWho)); err != nil || *w.Credential != testCredential(0x9d) {
		t.Errorf("who: %v", err)
	}
	if w, err := DecodeWho(raw(goldenWhoMethod)); err != nil || w.Method != MethodCardPIN || w.Method.String() != "card and PIN" {
		t.Errorf("who with method: %+v, %v", w, err)
	}
	for name, text := range map[string]string{"alone": "a10402", "zero": goldenWhoMethod[:len(goldenWhoMethod)-2] + "00", "unknown": goldenWhoMethod[:len(goldenWhoMethod)-2] + "07"} {
		if _, err := DecodeWho(raw(text)); err == nil {
			t.Errorf("who with method %s: accepted", name)
		}
	}
	if b, err := (Who{Method: MethodCard}).Encode(); b != nil || err != nil {
		t.Errorf("a method of nobody: %x, %v", b, err)
	}
	if _, err := with(testWho(), func(w *Who) { w.Method = 7 }).Encode(); err == nil {
		t.Error("method 6 is written")
	}
	m, err := DecodeManifest(raw(goldenManifest))
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.DecodeBucket(0, raw(goldenBucket))
	if err != nil || len(g) != 2 || g[0] != testGrants()[0] || g[1] != testGrants()[1] {
		t.Errorf("bucket: %v", err)
	}
	keys := []Key{{Role: RoleIssuer, Public: testKey().Public().(ed25519.PublicKey)}}
	payload, _, err := Open(raw(goldenEnvelope), Expect{Type: TypeGrantList, Role: RoleIssuer, Address: "house-1"}, keys)
	if err != nil || !bytes.Equal(payload, []byte("payload")) {
		t.Errorf("envelope: %v", err)
	}
}
