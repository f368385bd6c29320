package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestDecodeLines: whatever is decoded, each line is one object, and the mark that
// editors put before a text is nothing.
func TestDecodeLines(t *testing.T) {
	for what, good := range map[string]string{
		"wiegand --format H10301": "10111101100010001110101110",
		"osdp":                    "53 00 09 00 04 61 00 C0 66",
		"idnumber":                tenantNumber(),
	} {
		for in, objects := range map[string]int{good: 1, "\ufeff" + good + "\n": 1, "\n \r\n" + good + "\r\n": 3} {
			var out, errOut bytes.Buffer
			args := append([]string{"decode"}, strings.Fields(what)...)
			if s := run(t.Context(), args, strings.NewReader(in), &out, &errOut); s != 0 {
				t.Fatalf("%s: status %d: %s", what, s, &errOut)
			}
			if got := out.String(); strings.Count(got, "\n") != objects || strings.Count(got, `"error":null`) != 1 {
				t.Errorf("%s of %q: %s", what, in, got)
			}
		}
	}
}
