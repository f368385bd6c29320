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

// TestCountedOn: of a notice whose date has come, and whose days have not passed, nothing says
// that it ends on a day that is over.
func TestCountedOn(t *testing.T) {
	end := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	v := control.Tenancy{ID: "0123456789", State: "notice", Notice: &end}
	for counts, want := range map[bool]string{false: "notice", true: "notice (days still count)"} {
		v.Counting = counts
		if got := stateShown(v); got != want {
			t.Errorf("counting %v: %q", counts, got)
		}
		var out strings.Builder
		outcome(&out, v)
		if got := out.String(); strings.Contains(got, "ends on") == counts || strings.Contains(got, "until the registry says that it is over") != counts {
			t.Errorf("counting %v: %s", counts, got)
		}
	}
}
