package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestDecodeLines: whatever is decoded, empty lines and the mark that editors put
// before a text are nothing, and each other line is one object.
func TestDecodeLines(t *testing.T) {
	for what, good := range map[string]string{
		"wiegand --format H10301": "10111101100010001110101110",
		"osdp":                    "53 00 09 00 04 61 00 C0 66",
		"idnumber":                tenantNumber(),
		"serial --layout line":    "0006171021",
	} {
		for _, in := range []string{good, "\ufeff" + good + "\n", "\n \r\n" + good + "\r\n\t\n\n", "\ufeff\n" + good} {
			var out, errOut bytes.Buffer
			args := append([]string{"decode"}, strings.Fields(what)...)
			if s := run(t.Context(), args, strings.NewReader(in), &out, &errOut); s != 0 {
				t.Fatalf("%s: status %d: %s", what, s, &errOut)
			}
			if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"error":null`) {
				t.Errorf("%s of %q: %s", what, in, got)
			}
		}
	}
}
