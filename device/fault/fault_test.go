package fault

import (
	"strings"
	"testing"
)

// TestLengthHint: the fault comes from Wiegand and OSDP readers, which have
// formats, and from serial ones, which have none.
func TestLengthHint(t *testing.T) {
	for _, word := range []string{"formats", "layout", "settings", "serial"} {
		if hint := Length.Hint(); !strings.Contains(hint, word) {
			t.Errorf("%q does not say %s", hint, word)
		}
	}
}
