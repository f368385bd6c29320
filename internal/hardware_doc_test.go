package internal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/profile"
)

// TestHardwarePage: docs/hardware.md has each profile with the honest column, as firmware-profiles
// has it, and a report for each that says it was tried.
func TestHardwarePage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "docs", "hardware.md"))
	if err != nil {
		t.Fatal(err)
	}
	known, reports, _ := strings.Cut(string(raw), "\n## Reports\n")
	all, err := profile.Set{}.List()
	if err != nil {
		t.Fatal(err)
	}
	want := hardwareTable(all, reports)
	start := strings.Index(known, "| profile |")
	if start < 0 || !strings.HasPrefix(known[start:], want) || strings.HasPrefix(known[start+len(want):], "|") {
		t.Errorf("docs/hardware.md is not what firmware-profiles has; want this table:\n%s", want)
	}
	for _, e := range all {
		if named := reporters(e.Name, reports); e.Tried != (named != "") {
			t.Errorf("%s: tried = %v, and the reports' names are %q", e.Name, e.Tried, named)
		}
	}
	if got := reporters("osdp-generic", "| `osdp-generic` | Pi | Linux | 1 | osdp | all | Li Si |\n"); got != "Li Si" {
		t.Errorf("whoever reports is read as %q", got)
	}
}

// hardwareTable is the table of what there are profiles for.
func hardwareTable(all []profile.Entry, reports string) string {
	var b strings.Builder
	b.WriteString("| profile | kind | what | tried on real hardware by |\n| --- | --- | --- | --- |\n")
	for _, e := range all {
		kind, by := e.Type, reporters(e.Name, reports)
		if kind == "" {
			kind = "board"
		}
		if by == "" {
			by = "nobody yet"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Name, kind, strings.ReplaceAll(e.Title, "|", "/"), by)
	}
	return b.String()
}

// reporters are those who reported a profile: the last cell of the rows that begin with it.
func reporters(name, reports string) string {
	var who []string
	for _, m := range regexp.MustCompile("(?m)^\\| `"+regexp.QuoteMeta(name)+"` \\|.*\\| ([^|]+) \\|$").FindAllStringSubmatch(reports, -1) {
		who = append(who, m[1])
	}
	return strings.Join(who, ", ")
}
