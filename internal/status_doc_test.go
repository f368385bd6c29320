package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/door"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// TestStatusPage: every word of status and log stands in docs/status.md, and it
// has no kinds and reasons that there are not.
func TestStatusPage(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "status.md"))
	if err != nil {
		t.Fatal(err)
	}
	page, words := string(b), map[string]bool{}
	row := func(word string) {
		words[word] = true
		if !strings.Contains(page, "\n| `"+word+"` |") {
			t.Errorf("docs/status.md has no row for %q", word)
		}
	}
	for k := wire.Kind(1); !strings.HasPrefix(k.String(), "kind_"); k++ {
		row(k.String())
	}
	for r := wire.Reason(1); r < 1000; r++ {
		if s := r.String(); !strings.HasPrefix(s, "reason_") {
			row(s)
		}
	}
	for o := wire.OutcomeGranted; o <= wire.OutcomeRefused; o++ {
		row(o.String())
	}
	_, ofLog, _ := strings.Cut(page, "## `gatehouse log`")
	ofLog, _, _ = strings.Cut(ofLog, "## `registryd status`")
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(page, -1) {
		if strings.Contains(ofLog, m[0]) && !words[m[1]] {
			t.Errorf("docs/status.md tells of %q, which there is not", m[1])
		}
	}
	said := func(word string) {
		if !strings.Contains(page, "`"+word+"`") {
			t.Errorf("docs/status.md does not say what %q means", word)
		}
	}
	for c := wire.ClockUnset; c <= wire.ClockRegistry; c++ {
		said(c.String())
	}
	for _, s := range []door.State{door.Held, door.Forced, door.Emergency, door.Unknown, "normal"} {
		said(string(s))
	}
	for _, s := range []uplink.State{uplink.StateDown, uplink.StateGreeting, uplink.StateUnproved, uplink.StateInStep} {
		said(string(s))
	}
	for _, s := range append(shouted(t, filepath.Join("..", "cmd", "gatehouse", "status.go")), shouted(t, filepath.Join("..", "cmd", "registryd", "show.go"))...) {
		if !strings.Contains(page, s) {
			t.Errorf("docs/status.md does not say what %q means", s)
		}
	}
}

// shouted are the words in capitals that a file prints.
func shouted(t *testing.T, file string) (all []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).FindAllString(string(b), -1) {
		text, _ := strconv.Unquote(m)
		text = strings.ReplaceAll(text, "FOLDER", "") // what to give a command
		all = append(all, regexp.MustCompile(`\b[A-Z]{4,}(?: [A-Z]{2,})*\b`).FindAllString(text, -1)...)
	}
	return all
}
