package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// planted is an invented person's number. It stands in no output in one piece.
var planted = "44000019900307" + "1238"

// TestPlanted: a number is found wherever it may stand, and told by its step, never by itself.
func TestPlanted(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a line":          "== tests\n" + planted + "\n",
		"JSON":            "== tests\n{\"number\":\"" + planted + "\"}\n",
		"an escape":       "== tests\n" + `want "x\n` + planted + `"`,
		"Chinese":         "== tests\n证件" + planted + "号\n",
		"no text":         "== tests\n\x00\xff" + planted + "\x00\x01",
		"an X in small":   "== tests\n" + "44000019900307" + "018x",
		"of a resident":   "== tests\n" + "81000019900307" + "0015 ",
		"of a foreigner":  "== tests\n" + "94400019900307" + "0018 ",
		"behind a hash":   "== tests\n" + strings.Repeat("a", 64) + " " + planted,
		"a very long one": "== tests\n" + strings.Repeat("words ", 1<<20) + planted,
	} {
		var out bytes.Buffer
		s := search{out: &out, today: time.Now()}
		path := filepath.Join(dir, "said.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := filepath.WalkDir(dir, s.file); err != nil {
			t.Fatal(err)
		}
		if s.found != 1 || !strings.Contains(out.String(), `step "tests", line 2`) || strings.Contains(out.String(), "44000") {
			t.Errorf("%s: %d found: %q", name, s.found, &out)
		}
	}
}

// TestOthers: what only looks like one is none.
func TestOthers(t *testing.T) {
	for name, text := range map[string]string{
		"check digit":      "440000199003071237",
		"no day":           "440000199013071238",
		"unborn":           "44000029990307" + "1231",
		"nanoseconds":      "1796075123456789012",
		"part of a hash":   "ab" + planted + "cd",
		"a longer number":  planted + "0",
		"a shorter number": planted[:17],
	} {
		var out bytes.Buffer
		s := search{out: &out, today: time.Now()}
		if err := s.read(name, strings.NewReader(text)); err != nil || s.found > 0 {
			t.Errorf("%s: %v %s", name, err, &out)
		}
	}
}
