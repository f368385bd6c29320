package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestStick: the file of both keys is read as it was written, by LoadPrivateKey too, and no part of it
// or anything beside it passes for one.
func TestStick(t *testing.T) {
	s, err := NewStick("lane-7")
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseStick(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
	if err != nil || got.House != "lane-7" || !got.Issuer.Equal(s.Issuer) || *got.Building != *s.Building {
		t.Fatalf("%v", err)
	}
	path := filepath.Join(t.TempDir(), "issuer.key")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := LoadPrivateKey(path); err != nil || !key.Equal(s.Issuer) {
		t.Errorf("by itself: %v", err)
	}
	for n := range len(text) - 1 {
		if _, err := ParseStick(text[:n]); !errors.Is(err, ErrNoStick) {
			t.Fatalf("%d bytes of %d pass", n, len(text))
		}
	}
	if _, err := ParseStick(append(text, text...)); err == nil {
		t.Error("two files in one")
	}
}
