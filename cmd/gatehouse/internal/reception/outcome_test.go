package reception

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
)

// TestOutcomeOfANotice: only a notice that can be disputed is said to be.
func TestOutcomeOfANotice(t *testing.T) {
	end := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	for decided, want := range map[string]bool{"": true, "upheld": false} {
		var out strings.Builder
		outcome(&out, control.Tenancy{ID: "0123456789", State: "notice", Notice: &end, Decided: decided})
		if got := strings.Contains(out.String(), "gatehouse tenancy dispute"); got != want || !strings.Contains(out.String(), "2027-03-01") {
			t.Errorf("decided %q: %s", decided, out.String())
		}
	}
}
