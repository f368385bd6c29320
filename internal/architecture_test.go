package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureNamesWhatIsThere: the walks of ARCHITECTURE.md lead through files that
// exist. A file that moves takes its name there along.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z0-9_/.-]+/[a-z0-9_/.-]+)`").FindAllSubmatch(text, -1)
	if len(named) < 40 {
		t.Fatalf("only %d names of files were found", len(named))
	}
	for _, m := range named {
		if name := string(m[1]); !strings.Contains(name, "*") {
			if _, err := os.Stat(filepath.Join("..", name)); err != nil {
				t.Errorf("ARCHITECTURE.md: %v", err)
			}
		}
	}
}
