package retention

import (
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
)

// TestForgetLater: what an officer's order keeps is told to the registry, with a word not to repeat it to the resident.
func TestForgetLater(t *testing.T) {
	said := func(later int) string {
		var b strings.Builder
		Erase{}.write(&b, "house-1", api.Forgotten{Erased: 1, Later: later}, 0)
		return b.String()
	}
	for _, want := range []string{"2 who parts more by themselves", "不要告知住户", "do not pass it on"} {
		if all, some := said(0), said(2); strings.Contains(all, want) || !strings.Contains(some, want) {
			t.Errorf("%q is missing, or there where nothing is kept:\n%s\n%s", want, all, some)
		}
	}
}
