package qrpass

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/internal/canonical"
)

// goldenPass is the text of samplePass, signed by testKey.
const goldenPass = "GHP1-2KCFQPFHAETQISCWI5NKOVDDI5GDUAABAAAGI4DBONZTUAABAAAWM2LTON2WK4R2AAAQAAQAHIAACAADM5UG65LTMUWTCOQ" +
	"AAEAAIANALAU2IAKI6DY7F47U6X3POASQIBAUEQ2EIVDEOSCJJJFUYTKOJ4BRU2VRHOAAIGTKWE6KYWCAXRTUYTNPYOCCU7XYFQH" +
	"AIJMC4JS54SAKG5H6VXTPNKQWZEDMJEEHQKEFKQMRDRJ6P3SNBMZM2XELJQZYTT6SG7LFWZQMIFU3KP44WBI"

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

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func listEnvelope(t testing.TB, payload []byte) []byte {
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: "house-1"}, payload, testKey())
	return must(t, envelope, err)
}

func samplePass() Pass {
	return Pass{ID: ID(seq(0xf0, 8)), Tenancy: wire.ID(seq(0x40, 16)), From: 1_790_000_000, Until: 1_790_000_300}
}

func issuerKeys() []wire.Key { return []wire.Key{{Role: wire.RoleIssuer, Public: public(testKey())}} }

func passTextOf(t testing.TB, p Pass, building string, epoch uint64, key ed25519.PrivateKey) string {
	t.Helper()
	text, err := p.Sign(building, epoch, key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPassText: the text of a pass is the golden one, and opens to itself.
func TestPassText(t *testing.T) {
	text := passTextOf(t, samplePass(), "house-1", 0, testKey())
	page, err := os.ReadFile("../../../docs/protocol.md")
	must(t, page, err)
	if !strings.Contains(string(page), "\n"+goldenPass+"\n") {
		t.Error("the text of the pass is not in docs/protocol.md")
	}
	if text != goldenPass {
		t.Errorf("\n got %s\nwant %s", text, goldenPass)
	}
	p, err := Open(goldenPass, "house-1", issuerKeys())
	if err != nil || p != samplePass() {
		t.Errorf("%+v, %v", p, err)
	}
	p, h, err := Read(goldenPass)
	if err != nil || p != samplePass() || h.Address != "house-1" || h.KeyID != wire.IDOf(public(testKey())) {
		t.Errorf("read without a key: %+v, %+v, %v", p, h, err)
	}
}

// TestPassFitsQRCode: every letter is in the alphanumeric set of QR codes, and
// the longest text fits into version 12 with error correction M (ISO/IEC 18004,
// table 7: 311 letters in version 10, 366 in 11, 419 in 12).
func TestPassFitsQRCode(t *testing.T) {
	usual := passTextOf(t, samplePass(), "lane-7", 1, testKey())
	if len(usual) > 311 {
		t.Errorf("a usual pass has %d letters", len(usual))
	}
	longest := passTextOf(t, with(samplePass(), func(p *Pass) { p.From, p.Until = math.MaxUint32-900, math.MaxUint32 }),
		strings.Repeat("x", 32), math.MaxUint64, testKey())
	if len(longest) != MaxText || len(longest) > 419 {
		t.Errorf("the longest pass has %d letters, MaxText is %d", len(longest), MaxText)
	}
	for _, c := range usual + longest {
		if !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", c) {
			t.Fatalf("%q is not in the alphanumeric set", c)
		}
	}
}

// TestPassChanged: no pass opens with a letter changed, lost, doubled or added,
// whatever the letter.
func TestPassChanged(t *testing.T) {
	text := goldenPass
	refused := func(what, changed string) {
		t.Helper()
		if _, err := Open(changed, "house-1", issuerKeys()); err == nil {
			t.Fatalf("%s: opened", what)
		} else if body := strings.TrimPrefix(text, Prefix); strings.Contains(err.Error(), body[:20]) {
			t.Fatalf("%s: the error repeats the text", what)
		}
	}
	step := 1
	if testing.Short() {
		step = 37 // one or two of the letters that base32 has
	}
	for i := range len(text) {
		for c := i % step; c < 256; c += step {
			if byte(c) != text[i] {
				refused("changed", text[:i]+string([]byte{byte(c)})+text[i+1:])
			}
		}
		refused("cut", text[:i])
		refused("one lost", text[:i]+text[i+1:])
		refused("one doubled", text[:i+1]+text[i:])
	}
	for _, more := range []string{"A", "=", " ", "\n", "\r\n", "\x00", text} {
		refused("more", text+more)
		refused("more before it", more+text)
	}
	refused("lower case", strings.ToLower(text))
	envelope, err := text32.DecodeString(text[len(Prefix):])
	must(t, envelope, err)
	for i := 0; i < len(envelope)*8; i += step {
		flipped := bytes.Clone(envelope)
		flipped[i/8] ^= 1 << (i % 8)
		refused("a bit flipped", Prefix+text32.EncodeToString(flipped))
	}
}

// TestOpenPassRefuses signs what is wrong in one thing each.
func TestOpenPassRefuses(t *testing.T) {
	payload, err := canonical.Marshal(samplePass())
	must(t, payload, err)
	long, err := canonical.Marshal(with(samplePass(), func(p *Pass) { p.Until = p.From + Max + 1 }))
	must(t, long, err)
	good := wire.Protected{Type: wire.TypePass, Role: wire.RoleIssuer, Address: "house-1"}
	for _, c := range []struct {
		name    string
		header  wire.Protected
		payload []byte
		key     ed25519.PrivateKey
		want    error
	}{
		{"good", good, payload, testKey(), nil},
		{"another house", with(good, func(p *wire.Protected) { p.Address = "house-2" }), payload, testKey(), wire.ErrWrongAddress},
		{"one gateway of it", with(good, func(p *wire.Protected) { p.Address = "house-1/gate-1" }), payload, testKey(), wire.ErrWrongAddress},
		{"a list", with(good, func(p *wire.Protected) { p.Type = wire.TypeGrantList }), payload, testKey(), wire.ErrWrongType},
		{"of a gateway", with(good, func(p *wire.Protected) { p.Role = wire.RoleGateway }), payload, testKey(), wire.ErrWrongRole},
		{"a former key", with(good, func(p *wire.Protected) { p.Epoch = 1 }), payload, testKey(), wire.ErrUnknownKey},
		{"another issuer", good, payload, otherKey(), wire.ErrUnknownKey},
		{"good for too long", good, long, testKey(), wire.ErrMalformed},
		{"nothing", good, nil, testKey(), wire.ErrMalformed},
	} {
		envelope, err := wire.Sign(c.header, c.payload, c.key)
		must(t, envelope, err)
		_, err = Open(Prefix+text32.EncodeToString(envelope), "house-1", issuerKeys())
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := Open(goldenPass, "house-1", nil); !errors.Is(err, wire.ErrUnknownKey) {
		t.Errorf("without a key: %v", err)
	}
	if _, err := samplePass().Sign("house-1/gate-1", 0, testKey()); err == nil {
		t.Error("signed for a gateway")
	}
	if _, err := with(samplePass(), func(p *Pass) { p.Until = p.From + 1000 }).Sign("house-1", 0, testKey()); err == nil {
		t.Error("signed for too long")
	}
	if _, _, err := Read(Prefix + text32.EncodeToString(listEnvelope(t, payload))); !errors.Is(err, wire.ErrWrongType) {
		t.Errorf("a list read as a pass: %v", err)
	}
}

// FuzzPass: whatever a scanner sends, reading it does not panic, and what is
// read is written again to the same text.
func FuzzPass(f *testing.F) {
	f.Add(goldenPass)
	f.Add(goldenPass[:len(goldenPass)/2])
	f.Add(Prefix)
	f.Add("")
	f.Add(strings.Repeat("A", 3000))
	f.Fuzz(func(t *testing.T, text string) {
		p, h, err := Read(text)
		if err != nil {
			if _, err := Open(text, "house-1", issuerKeys()); err == nil {
				t.Fatal("opened what can't be read")
			}
			return
		}
		envelope, err := envelopeOf(text)
		must(t, envelope, err)
		payload, err := canonical.Marshal(p)
		must(t, payload, err)
		header, err := canonical.Marshal(h)
		must(t, header, err)
		again := canonical.AppendBytes([]byte{0xd2, canonical.Array | 4}, header)
		again = canonical.AppendBytes(append(again, canonical.Map), payload)
		again = canonical.AppendBytes(again, envelope[len(envelope)-ed25519.SignatureSize:])
		if Prefix+text32.EncodeToString(again) != text {
			t.Fatalf("%s read and written again is other bytes: %s", text, hex.EncodeToString(again))
		}
	})
}

// BenchmarkOpenPass judges a pass. The limit beside it, in the same run, is the
// Ed25519 signature alone.
func BenchmarkOpenPass(b *testing.B) {
	keys := issuerKeys()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(goldenPass, "house-1", keys); err != nil {
			b.Fatal(err)
		}
	}
	ours := float64(b.Elapsed()) / float64(b.N)
	message := make([]byte, 130)
	signature := ed25519.Sign(testKey(), message)
	begin := time.Now()
	for range b.N {
		if !ed25519.Verify(keys[0].Public, message, signature) {
			b.Fatal("signature")
		}
	}
	bare := float64(time.Since(begin)) / float64(b.N)
	b.ReportMetric(bare, "ns/bare-signature")
	b.ReportMetric(ours/bare, "x_signature")
}

// TestPassRefuses: what no pass may say is neither signed nor opened.
func TestPassRefuses(t *testing.T) {
	for name, bad := range map[string]Pass{
		"id": with(samplePass(), func(p *Pass) { p.ID = ID{} }), "tenancy": with(samplePass(), func(p *Pass) { p.Tenancy = wire.ID{} }),
		"no time": with(samplePass(), func(p *Pass) { p.From, p.Until = 0, 300 }), "too short": with(samplePass(), func(p *Pass) { p.Until = p.From + Min - 1 }),
		"too long": with(samplePass(), func(p *Pass) { p.Until = p.From + Max + 1 }), "for ever": with(samplePass(), func(p *Pass) { p.Until = 1<<32 - 1 }),
		"backwards":            with(samplePass(), func(p *Pass) { p.From, p.Until = p.Until, p.From }),
		"over the end of time": with(samplePass(), func(p *Pass) { p.From, p.Until = 1<<32-30, 30 }),
	} {
		if _, err := bad.Sign("house-1", 0, testKey()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: signed, %v", name, err)
		}
		payload, err := canonical.Marshal(bad)
		envelope, signErr := wire.Sign(wire.Protected{Type: wire.TypePass, Role: wire.RoleIssuer, Address: "house-1"}, must(t, payload, err), testKey())
		if p, err := Open(Prefix+text32.EncodeToString(must(t, envelope, signErr)), "house-1", issuerKeys()); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("%s: opened as %+v, %v", name, p, err)
		}
	}
}

// TestGolden: the payload is that of the protocol's examples.
func TestGolden(t *testing.T) {
	examples, err := os.ReadFile("../testdata/golden.txt")
	must(t, examples, err)
	payload, err := canonical.Marshal(samplePass())
	if line := "pass:\n " + hex.EncodeToString(must(t, payload, err)) + "\n"; !strings.Contains(string(examples), line) {
		t.Errorf("no such example: %s", line)
	}
}
