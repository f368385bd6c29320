package sm3

import (
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestStandard: the two examples of GB/T 32905-2016, annex A, the empty message, and a million of
// letters.
func TestStandard(t *testing.T) {
	for message, want := range map[string]string{
		"":                             "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
		"abc":                          "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
		strings.Repeat("abcd", 16):     "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
		strings.Repeat("a", 1_000_000): "c8aaf89429554029e231941a2acc0ad61ff2a5acd8fadd25847a3a732b3b02c3",
	} {
		if sum := Sum([]byte(message)); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%.8q of %d bytes: %x", message, len(message), sum)
		}
	}
}

// TestPieces: the sum is that of the bytes, in however many writes they come, and Sum changes
// nothing.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
		h := New()
		for rest := b; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			_, _ = h.Write(rest[:n])
			rest = rest[n:]
			h.Sum(nil)
		}
		if want := Sum(b); string(h.Sum(nil)) != string(want[:]) || h.Size() != len(want) || h.BlockSize() != BlockSize {
			t.Fatalf("%d bytes", len(b))
		}
	})
}

func BenchmarkSum(b *testing.B) {
	buffer := make([]byte, 1<<16)
	b.SetBytes(int64(len(buffer)))
	for b.Loop() {
		Sum(buffer)
	}
}
