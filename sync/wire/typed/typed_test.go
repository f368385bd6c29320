package typed

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSlips: each wrong letter and each pair of neighbours that changed places is refused and found,
// and so is every text that is cut.
func TestSlips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
		text := Encode("GH2-", b)
		if got, err := Decode("GH2-", text); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%x, %v", got, err)
		}
		at := rapid.IntRange(4, len(text)-1).Draw(t, "at")
		letter := rapid.SampledFrom([]byte(alphabet+"0189-=a\xff")).Draw(t, "letter")
		refused(t, text, text[:at]+string([]byte{letter})+text[at+1:], at)
		if at > 4 {
			refused(t, text, text[:at-1]+string([]byte{text[at], text[at-1]})+text[at+1:], at-1)
		}
		if _, err := Decode("GH2-", text[:at]); err == nil {
			t.Fatalf("the first %d of %d are taken", at, len(text))
		}
	})
}

// refused wants the slip found at an index, or at the neighbour that it can as well be.
func refused(t *rapid.T, text, slipped string, at int) {
	if slipped == text {
		return
	}
	var m *Mistake
	if _, err := Decode("GH2-", slipped); !errors.As(err, &m) || m.At != at+1 || !strings.Contains(m.Error(), "mistyped at character") {
		t.Fatalf("%s as %s: %v, want character %d", text, slipped, err, at+1)
	}
}

// TestCheck holds the form of the check: programs of other days read it.
func TestCheck(t *testing.T) {
	if text := Encode("GH2-", []byte("123456789")); text != "GH2-GEZDGNBVGY3TQOJGHH2MW" {
		t.Error(text)
	}
	if text := strings.Repeat("A", mostSearched+1); slip([]byte(text)) != 0 {
		t.Error("a long text is searched")
	}
}
