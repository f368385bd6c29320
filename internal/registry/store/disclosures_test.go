package store

import (
	"strings"
	"testing"
)

// TestUsesAreFoundByKeys: what is asked of the batches for each answer reads no whole table.
func TestUsesAreFoundByKeys(t *testing.T) {
	s := openSQLite(t)
	for text, args := range map[string][]any{since: {"b", now, 2048}, beyond: {int64(1), now, now, int64(1)}} {
		steps, err := list(s.reading(t.Context()), "explain", func(step *plan) []any { return []any{&step.id, &step.parent, &step.unused, &step.text} }, `EXPLAIN QUERY PLAN `+text, args...)
		if err != nil || len(steps) == 0 {
			t.Fatal(err)
		}
		for _, step := range steps {
			if scanned.MatchString(step.text) || strings.HasPrefix(step.text, "SEARCH b ") && !strings.Contains(step.text, "(gateway=? AND stored_at>?)") {
				t.Errorf("%s\n%s", step.text, text)
			}
		}
	}
}
