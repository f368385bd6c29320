package internal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServicePage: the unit that is shipped has the lines that docs/service.md says a unit needs.
func TestServicePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "service.md"))
	if err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile(filepath.Join("..", "packaging", "systemd", "gatehoused.service"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(page), "```ini\n")
	block, _, _ = strings.Cut(block, "```")
	lines := 0
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); !strings.Contains(line, "=") {
			continue
		}
		lines++
		if !strings.Contains("\n"+string(unit), "\n"+line+"\n") {
			t.Errorf("packaging/systemd/gatehoused.service lacks %s", line)
		}
	}
	if lines == 0 {
		t.Error("docs/service.md has no lines of a unit")
	}
}
