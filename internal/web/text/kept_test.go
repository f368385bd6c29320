package text

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKeptInTheDocs: what a tenant is told stands in the landlord's pages in the same words, in both
// languages, for houses with and without a registry.
func TestKeptInTheDocs(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for l, page := range map[Language]string{Chinese: "zh/landlord.md", English: "landlord/README.md"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", filepath.FromSlash(page)))
		if err != nil {
			t.Fatal(err)
		}
		for _, alone := range []bool{false, true} {
			if all := "> " + strings.Join(words.Kept(l, alone, 30), "\n>\n> ") + "\n"; !strings.Contains(string(raw), all) {
				t.Errorf("%s lacks, alone %v:\n%s", page, alone, all)
			}
		}
	}
}

// TestKept: the gateway's log is told of with its days, and a house without a registry names none.
func TestKept(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for l, want := range map[Language]struct{ log, registry string }{Chinese: {"60 到 67 天", "登记中心"}, English: {"after 60 to 67 days", "registry"}} {
		for _, alone := range []bool{false, true} {
			said := strings.Join(words.Kept(l, alone, 60), " ")
			if !strings.Contains(said, want.log) || strings.Contains(said, want.registry) == alone || strings.Contains(said, "%!") {
				t.Errorf("%s, alone %v: %s", l, alone, said)
			}
		}
	}
}
