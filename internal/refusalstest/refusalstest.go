// Package refusalstest holds programs against docs/refusals.md: what a program
// answers, takes and reads has to stand there, so that whoever adds something
// passes the list of what Gatehouse refuses to do. For tests alone.
package refusalstest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Compare wants the block of that name in the page to list exactly what there is,
// one a line. root is the repository's directory as seen from the test.
func Compare(t testing.TB, root, block string, got []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "refusals.md"))
	if err != nil {
		t.Fatal(err)
	}
	want, ok := Block(string(page), block)
	if !ok {
		t.Fatalf("docs/refusals.md has no block %q", block)
	}
	got = slices.Compact(slices.Sorted(slices.Values(got)))
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s: %q does not stand in docs/refusals.md: read N1 to N12 there, then add it", block, g)
		}
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: docs/refusals.md has %q, which there is not", block, w)
		}
	}
}

// Block returns the lines of a fenced block of the page.
func Block(page, name string) (lines []string, ok bool) {
	_, rest, ok := strings.Cut(page, "\n```"+name+"\n")
	if !ok {
		return nil, false
	}
	text, _, ok := strings.Cut("\n"+rest, "\n```")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, ok
}
