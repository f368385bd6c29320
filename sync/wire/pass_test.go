package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func samplePass() Pass {
	return Pass{ID: PassID(seq(0xf0, 8)), Tenancy: ID(seq(0x40, 16)), From: 1_790_000_000, Until: 1_790_000_300}
}

func issuerKeys() []Key { return []Key{{RoleIssuer, 0, public(testKey())}} }

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
	if text != goldenPass {
		t.Errorf("\n got %s\nwant %s", text, goldenPass)
	}
	p, err := OpenPass(goldenPass, "house-1", issuerKeys())
	if err != nil || p != samplePass() {
		t.Errorf("%+v, %v", p, err)
	}
	p, h, err := ReadPass(goldenPass)
	if err != nil || p != samplePass() || h.Address != "house-1" || h.KeyID != IDOf(public(testKey())) {
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
	if len(longest) != MaxPassText || len(longest) > 419 {
		t.Errorf("the longest pass has %d letters, MaxPassText is %d", len(longest), MaxPassText)
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
		if _, err := OpenPass(changed, "house-1", issuerKeys()); err == nil {
			t.Fatalf("%s: opened", what)
		} else if body := strings.TrimPrefix(text, PassPrefix); strings.Contains(err.Error(), body[:20]) {
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
	envelope, err := passText.DecodeString(text[len(PassPrefix):])
	must(t, envelope, err)
	for i := 0; i < len(envelope)*8; i += step {
		flipped := bytes.Clone(envelope)
		flipped[i/8] ^= 1 << (i % 8)
		refused("a bit flipped", PassPrefix+passText.EncodeToString(flipped))
	}
}

// TestOpenPassRefuses signs what is wrong in one thing each.
func TestOpenPassRefuses(t *testing.T) {
	payload, err := Encode(samplePass())
	must(t, payload, err)
	long, err := canonical.enc.Marshal(with(samplePass(), func(p *Pass) { p.Until = p.From + MaxPass + 1 }))
	must(t, long, err)
	good := Protected{Type: TypePass, Role: RoleIssuer, Address: "house-1"}
	for _, c := range []struct {
		name    string
		header  Protected
		payload []byte
		key     ed25519.PrivateKey
		want    error
	}{
		{"good", good, payload, testKey(), nil},
		{"another house", with(good, func(p *Protected) { p.Address = "house-2" }), payload, testKey(), ErrWrongAddress},
		{"one gateway of it", with(good, func(p *Protected) { p.Address = "house-1/gate-1" }), payload, testKey(), ErrWrongAddress},
		{"a list", with(good, func(p *Protected) { p.Type = TypeGrantList }), payload, testKey(), ErrWrongType},
		{"of a gateway", with(good, func(p *Protected) { p.Role = RoleGateway }), payload, testKey(), ErrWrongRole},
		{"a former key", with(good, func(p *Protected) { p.Epoch = 1 }), payload, testKey(), ErrUnknownKey},
		{"another issuer", good, payload, otherKey(), ErrUnknownKey},
		{"good for too long", good, long, testKey(), ErrMalformed},
		{"nothing", good, nil, testKey(), ErrMalformed},
	} {
		envelope, err := Sign(c.header, c.payload, c.key)
		must(t, envelope, err)
		_, err = OpenPass(PassPrefix+passText.EncodeToString(envelope), "house-1", issuerKeys())
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := OpenPass(goldenPass, "house-1", nil); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("without a key: %v", err)
	}
	if _, err := samplePass().Sign("house-1/gate-1", 0, testKey()); err == nil {
		t.Error("signed for a gateway")
	}
	if _, err := with(samplePass(), func(p *Pass) { p.Until = p.From + 1000 }).Sign("house-1", 0, testKey()); err == nil {
		t.Error("signed for too long")
	}
	if _, _, err := ReadPass(PassPrefix + passText.EncodeToString(testEnvelope(t, payload))); !errors.Is(err, ErrWrongType) {
		t.Errorf("a list read as a pass: %v", err)
	}
}

// FuzzPass: whatever a scanner sends, reading it does not panic, and what is
// read is written again to the same text.
func FuzzPass(f *testing.F) {
	f.Add(goldenPass)
	f.Add(goldenPass[:len(goldenPass)/2])
	f.Add(PassPrefix)
	f.Add("")
	f.Add(strings.Repeat("A", 3000))
	f.Fuzz(func(t *testing.T, text string) {
		p, h, err := ReadPass(text)
		if err != nil {
			if _, err := OpenPass(text, "house-1", issuerKeys()); err == nil {
				t.Fatal("opened what can't be read")
			}
			return
		}
		envelope, err := passEnvelope(text)
		must(t, envelope, err)
		payload, err := Encode(p)
		must(t, payload, err)
		header, err := canonical.enc.Marshal(h)
		must(t, header, err)
		again := appendBytes([]byte{sign1Tag, majorArray | 4}, header)
		again = appendBytes(append(again, majorMap), payload)
		again = appendBytes(again, envelope[len(envelope)-ed25519.SignatureSize:])
		if PassPrefix+passText.EncodeToString(again) != text {
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
		if _, err := OpenPass(goldenPass, "house-1", keys); err != nil {
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
