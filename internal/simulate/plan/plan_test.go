package plan

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
)

// TestSeedsStay: the seeds and scenarios that docs and mutants name are the same days as ever.
func TestSeedsStay(t *testing.T) {
	h := sha256.New()
	out := json.NewEncoder(h)
	for seed := range uint64(200) {
		if err := out.Encode(New(seed+1, 3)); err != nil {
			t.Fatal(err)
		}
	}
	for number := range 13 {
		if p, err := NewScenario(number, 1); err == nil {
			if err := out.Encode(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	const want = "2b99b31568e25ae5"
	if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
		t.Errorf("seeds are other days than they were: %s, want %s", got, want)
	}
}
