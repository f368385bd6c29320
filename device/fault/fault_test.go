package fault

import (
	"slices"
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

// TestAlarms: what somebody may have done to a reader, its line or the lock is heard of at once:
// it was taken off, opened or short-circuited, or somebody plays it or changes what it says. What
// comes by itself, as noise does, is no alarm.
func TestAlarms(t *testing.T) {
	done := []Code{Unplugged, Cable, OutputRefused, Tamper, WrongKey, DefaultKey, ClearText, BadMAC, Downgrade, OtherReader}
	for c := None; c < 512; c++ {
		if c.Alarm() != slices.Contains(done, c) {
			t.Errorf("%s is an alarm: %v", c, c.Alarm())
		}
	}
}
