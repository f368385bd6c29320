package main

import (
	"strings"
	"testing"
)

// TestWhole: an id by its first digits, as gatehouse shows it.
func TestWhole(t *testing.T) {
	const one, two = "9350bfb2000000000000000000000001", "9350bfb3000000000000000000000002"
	ids := func() ([]string, error) { return []string{one, two}, nil }
	for text, want := range map[string]string{"9350bfb2": one, " 9350BFB3 ": two, one: one, strings.ToUpper(two): two, "": "", "935": "935", "no id": "no id"} {
		if got, err := whole(text, "tenancy", "registryd tenancies", ids); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"9350bfb": "names 2 tenancies", "ffff": `no tenancy "ffff"`} {
		if _, err := whole(text, "tenancy", "registryd tenancies", ids); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
