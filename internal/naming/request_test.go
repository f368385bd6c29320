package naming

import (
	"strings"
	"testing"
)

// TestRequest: lines become one, and a number of somebody is refused in any script.
func TestRequest(t *testing.T) {
	if got, err := Request("  2026-11-30 02:14,\n\tnot me \r\n"); err != nil || got != "2026-11-30 02:14, not me" {
		t.Errorf("%q, %v", got, err)
	}
	for text, want := range map[string]string{
		" \n ": "is empty", strings.Repeat("字", MaxRequest+1): "and may have 140", "my number is 440000": "so many digits", "４４００００": "so many digits", "a\u200bb": "can't be seen", "\xff": "UTF-8",
	} {
		if got, err := Request(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := Request(strings.Repeat("字", MaxRequest)); err != nil {
		t.Error(err)
	}
}
