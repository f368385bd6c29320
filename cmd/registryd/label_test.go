package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLabel: what is printed leads to the page with the token behind the #, is for its owner's
// eyes, and says the token nowhere else.
func TestLabel(t *testing.T) {
	if got := address("https://gatehouse.local/", "GH1-ABC"); got != "https://gatehouse.local/setup/registry#token=GH1-ABC" {
		t.Error(got)
	}
	path := filepath.Join(t.TempDir(), "label.html")
	token := "GH1-" + strings.Repeat("ABCDEFGH", 40)
	if err := (label{Building: "lane-7", Gateway: "gw1", Until: "2026-12-01"}).write(path, "https://192.168.1.20", token); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if text := string(raw); !strings.Contains(text, "<svg") || !strings.Contains(text, "lane-7 · gw1") || strings.Contains(text, "ABCDEFGH") {
		t.Errorf("%.300s", text)
	}
}
