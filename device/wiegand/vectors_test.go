package wiegand

import (
	"encoding/hex"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"

	"gatehouse/device"
)

// vector is a row of testdata/vectors.txt.
type vector struct {
	line   int
	format Format
	fields Fields
	card   device.Card
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(words) != 6 {
			t.Fatalf("line %d: %d words", i+1, len(words))
		}
		v := vector{line: i + 1, format: format(t, words[0])}
		optional := func(word string) (uint64, bool) {
			n, err := strconv.ParseUint(word, 10, 64)
			if (err != nil) != (word == "-") {
				t.Fatalf("line %d: number %q", i+1, word)
			}
			return n, err == nil
		}
		v.fields.Facility, v.fields.HasFacility = optional(words[1])
		n, ok := new(big.Int).SetString(words[2], 10)
		if !ok || !v.fields.SetNumber(n) {
			t.Fatalf("line %d: card number %q", i+1, words[2])
		}
		v.fields.Issue, v.fields.HasIssue = optional(words[3])
		v.fields.OEM, v.fields.HasOEM = optional(words[4])
		bits, err := hex.DecodeString(words[5])
		if err == nil {
			v.card, err = device.NewCard(bits, v.format.Bits)
		}
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		all = append(all, v)
	}
	return all
}

// TestVectors: every format has golden rows, both ways.
func TestVectors(t *testing.T) {
	rows := map[string]int{}
	for _, v := range vectors(t) {
		rows[v.format.Name]++
		if got, err := v.format.Encode(v.fields); err != nil || got != v.card {
			t.Errorf("line %d: %s encodes to %x, %v", v.line, v.format.Name, got.Bytes(), err)
		}
		if got, err := v.format.Decode(v.card); err != nil || got != v.fields {
			t.Errorf("line %d: %s decodes to %+v, %v", v.line, v.format.Name, got, err)
		}
	}
	for _, name := range Names() {
		if rows[name] == 0 {
			t.Errorf("no vector of %s", name)
		}
	}
}
