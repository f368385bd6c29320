package checkpoint

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"gatehouse/sync/wire"
)

const (
	sampleTime = 1_790_000_002
	// goldenNote is the whole note of sampleCheckpoint: the log's signature by
	// testKey, the witness's by otherKey.
	goldenNote = `gatehouse/house-1/gate-1/1122334455667788
302
oKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8=

— gatehouse/house-1/gate-1/1122334455667788 k3ZKzp401+OPN088TEgJi0GvOq4TjbTPU3DPGMZTW3hudImn8b3jOoR4AF+Rzxwfnlj0573BNtDNpWW1HXGpYSvtbQU=
— gatehouse/city pLks8AAAAABqsTuCGHbFqRXitfToJYQT/IhaztkQ2dzhK+lt66C0NZGp1F72qpsWp1pprsX/bYN+fDiVoMwAAUZo3NcYi08NsA7VCg==
`
)

func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func testKey() ed25519.PrivateKey  { return ed25519.NewKeyFromSeed(seq(0, ed25519.SeedSize)) }
func otherKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seq(1, ed25519.SeedSize)) }

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func with[T any](v T, change func(*T)) T { change(&v); return v }

func sampleCheckpoint() Checkpoint {
	return Checkpoint{Address: "house-1/gate-1", Epoch: 0x1122334455667788, Size: 302, Root: wire.Hash(seq(0xa0, 32))}
}

func sampleNote() string {
	c := sampleCheckpoint()
	return c.Note(public(testKey()), c.Sign(testKey()),
		Cosignature{Name: WitnessName("city"), Public: public(otherKey()), Time: sampleTime, Signature: c.Cosign(otherKey(), sampleTime)})
}

// TestNote: the verifiers that everybody uses accept a checkpoint with both
// signatures, and the witness's with its time (C2SP signed-note, tlog-checkpoint,
// tlog-cosignature v1).
func TestNote(t *testing.T) {
	c := sampleCheckpoint()
	log, err := note.NewVerifier(LogVKey(c.Origin(), public(testKey())))
	if err != nil {
		t.Fatal(err)
	}
	witness, err := formats.NewVerifierForCosignatureV1(WitnessVKey("gatehouse/city", public(otherKey())))
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(sampleNote()), note.VerifierList(log, witness))
	if err != nil || len(n.Sigs) != 2 || n.Text != c.Text() {
		t.Fatalf("opened with %v: %+v", err, n)
	}
	if n.Sigs[0].Name != "gatehouse/house-1/gate-1/1122334455667788" || n.Sigs[1].Name != "gatehouse/city" {
		t.Errorf("signed by %q and %q", n.Sigs[0].Name, n.Sigs[1].Name)
	}
	if at, err := formats.CoSigV1Timestamp(n.Sigs[1]); err != nil || at.Unix() != sampleTime {
		t.Errorf("cosigned at %v, %v", at, err)
	}
	if b, err := base64.StdEncoding.DecodeString(n.Sigs[1].Base64); err != nil || len(b) != 4+8+64 {
		t.Errorf("a cosignature of %d bytes, %v", len(b), err)
	}
	if sampleNote() != goldenNote {
		t.Errorf("the note is\n%s", sampleNote())
	}
}

// TestParseNote: the note is read back with the witness's word, and nothing else
// is read from it.
func TestParseNote(t *testing.T) {
	keys := []wire.Key{{Role: wire.RoleWitness, Public: public(testKey())}, {Role: wire.RoleWitness, Public: public(otherKey())}}
	c, w, err := ParseNote(goldenNote, "house-1/gate-1", "gatehouse/city", keys)
	if err != nil || c != sampleCheckpoint() || w.Time != sampleTime || !w.Public.Equal(public(otherKey())) || w.Signature != c.Cosign(otherKey(), sampleTime) {
		t.Fatalf("%+v, %+v, %v", c, w, err)
	}
	lines := strings.SplitAfter(goldenNote, "\n")
	for name, bad := range map[string]string{"empty": "", "garbage": "x\n\ny\n", "without the witness": strings.Join(lines[:5], ""),
		"other size":  strings.Replace(goldenNote, "\n302\n", "\n303\n", 1),
		"size as 0x":  strings.Replace(goldenNote, "\n302\n", "\n0302\n", 1),
		"other epoch": strings.Replace(goldenNote, "7788\n", "7789\n", 1), "short origin": "x\n1\nAA==\n\n"} {
		if _, _, err := ParseNote(bad, "house-1/gate-1", "gatehouse/city", keys); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, _, err := ParseNote(goldenNote, "house-1/gate-2", "gatehouse/city", keys); err == nil {
		t.Error("another gateway's")
	}
	if _, _, err := ParseNote(goldenNote, "house-1/gate-1", "gatehouse/city", keys[:1]); err == nil {
		t.Error("by a witness that is not trusted")
	}
}

// TestCosignature: it is over time, origin, size and root, and is no signature
// of the log.
func TestCosignature(t *testing.T) {
	c, key := sampleCheckpoint(), testKey()
	s := c.Cosign(key, sampleTime)
	if !c.VerifyCosignature(public(key), sampleTime, s) || c.VerifyCosignature(nil, sampleTime, s) || c.VerifyCosignature(public(key), sampleTime+1, s) {
		t.Error("its own, that of no key, or at another time")
	}
	if c.Verify(public(key), s) || c.VerifyCosignature(public(key), sampleTime, c.Sign(key)) {
		t.Error("the one signature counts as the other")
	}
	if !c.Verify(public(key), c.Sign(key)) || c.Verify(nil, c.Sign(key)) {
		t.Error("the log's own signature, or that of no key")
	}
	for name, other := range map[string]Checkpoint{"size": with(c, func(c *Checkpoint) { c.Size++ }), "epoch": with(c, func(c *Checkpoint) { c.Epoch++ }),
		"root": with(c, func(c *Checkpoint) { c.Root[0]++ }), "address": with(c, func(c *Checkpoint) { c.Address = "house-1/gate-2" })} {
		if other.Verify(public(key), c.Sign(key)) || other.VerifyCosignature(public(key), sampleTime, s) {
			t.Errorf("another %s under the same signature", name)
		}
	}
	if want := fmt.Sprintf("cosignature/v1\ntime %d\n%s", sampleTime, c.Text()); string(cosigned(c.Text(), sampleTime)) != want {
		t.Errorf("signed text %q", cosigned(c.Text(), sampleTime))
	}
}

// TestWitness: our verifier of cosignatures takes and refuses what the stock one does.
func TestWitness(t *testing.T) {
	stock, err := formats.NewVerifierForCosignatureV1(WitnessVKey("gatehouse/city", public(otherKey())))
	if err != nil {
		t.Fatal(err)
	}
	w := NewWitness("gatehouse/city", public(otherKey()))
	if w.Name() != stock.Name() || w.KeyHash() != stock.KeyHash() {
		t.Errorf("%s %08x; the stock one is %s %08x", w.Name(), w.KeyHash(), stock.Name(), stock.KeyHash())
	}
	n, err := note.Open([]byte(goldenNote), note.VerifierList(w))
	if err != nil || len(n.Sigs) != 1 {
		t.Fatalf("opened with %v", err)
	}
	raw, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw[4:] {
		bad := slices.Clone(raw[4:])
		bad[i] ^= 1
		if w.Verify([]byte(n.Text), bad) {
			t.Errorf("byte %d of the signature is changed", i)
		}
	}
	if w.Verify([]byte(n.Text), raw[5:]) || w.Verify([]byte(n.Text+"x"), raw[4:]) || !w.Verify([]byte(n.Text), raw[4:]) {
		t.Error("a byte less, another text, or the right one")
	}
}

// TestProtocolPage: the checkpoint that docs/protocol.md shows is the golden one.
func TestProtocolPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(sampleCheckpoint().Text()), "\n") {
		if !strings.Contains(string(page), line) {
			t.Errorf("the checkpoint's line %q is not in the page", line)
		}
	}
}
