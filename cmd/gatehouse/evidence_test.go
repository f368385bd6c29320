//go:build !windows

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEvidenceStatus: how a verification ends is what scripts go by.
func TestEvidenceStatus(t *testing.T) {
	const root = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
	sample := filepath.Join("../../internal/evidence/testdata", "whole.zip")
	good, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	good[len(good)/2] ^= 4
	changed := filepath.Join(t.TempDir(), "changed.zip")
	if err := os.WriteFile(changed, good, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		out    string
		err    string
	}{
		{"verify " + sample + " --lang en --root " + root, 0, "Proved", ""},
		{"verify " + sample + " --lang zh", 3, "未证明", ""},
		{"verify " + changed + " --lang en --root " + root, 1, "", "gatehouse: Not to be believed: its content was changed: a sum does not fit (entries.cddl)\nhint: ask for the file as it was handed over"},
		{"verify " + filepath.Join(t.TempDir(), "none") + " --lang en", 1, "", "no such file"},
		{"verify", 2, "", "hint: gatehouse verify --help"},
		{"evidence print " + sample + " --csv --html", 2, "", "can't be used together"},
		{"evidence print " + changed + " --html --lang en --root " + root, 1, "", "Not to be believed"},
		{"evidence proof " + sample + " 16 --root " + root, 0, "c2sp.org/tlog-proof@v1\n", ""},
	} {
		var out, errOut bytes.Buffer
		if status := run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &errOut); status != c.status || !strings.Contains(out.String(), c.out) || c.out == "" && out.Len() > 0 || !strings.Contains(errOut.String(), c.err) || c.err == "" && errOut.Len() > 0 {
			t.Errorf("gatehouse %s: status %d\n%s%s", c.args, status, &out, &errOut)
		}
	}
}
