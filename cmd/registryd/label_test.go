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

// TestLabelNowhere: a label that can't be written is told before there is a token, so that the one
// before stays good; one that fails later takes the token from nobody.
func TestLabelNowhere(t *testing.T) {
	r := newCentre(t)
	add := func(label string) []string {
		return []string{"gateway", "add", "--district", "north", "--town", "xin", "--building", "lane-7", "--gateway", "gw1", "--label", label}
	}
	r.refused("no token was made", add(filepath.Join(r.dir, "none", "label.html"))...)
	if said := r.ok("gateway", "list"); strings.Contains(said, "gw1") {
		t.Error("a token was made:", said)
	}
	status, out, said := r.call(add(r.dir)...)
	if status != 1 || !strings.HasPrefix(out, "GH") || !strings.Contains(said, "good all the same") {
		t.Errorf("status %d: %q, %s", status, out, said)
	}
	if _, err := os.Stat(r.dir + ".new"); err == nil {
		t.Error("the label, which has the token, was left beside the directory")
	}
}
