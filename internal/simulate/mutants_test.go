package simulate

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutantsApply: each fault that .ci/mutants puts in can still be put in. One that
// can't any more is to be made anew, or it shows nothing.
func TestMutantsApply(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is missing: the patches of the mutants were not tried")
	}
	all, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(all) == 0 {
		t.Fatalf("there are no mutants (%v)", err)
	}
	for _, patch := range all {
		path, err := filepath.Abs(patch)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("git", "apply", "--check", "--verbose", path)
		cmd.Dir = "../.."
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "Skipped") {
			t.Errorf("%s does not apply: %v\n%s", patch, err, out)
		}
	}
}
