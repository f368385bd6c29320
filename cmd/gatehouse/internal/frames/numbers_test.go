package frames

import (
	"testing"

	"gatehouse/device/wiegand"
)

// TestWideNumbers: above 2^53 a number is a string, because JSON readers round.
func TestWideNumbers(t *testing.T) {
	if v := number(1 << 53); v != uint64(1<<53) {
		t.Errorf("2^53 is %v", v)
	}
	if v := number(1<<53 + 1); v != "9007199254740993" {
		t.Errorf("2^53+1 is %v", v)
	}
}

// TestFixedFacility: one format has the same facility on all cards, and no other.
func TestFixedFacility(t *testing.T) {
	for _, name := range wiegand.Names() {
		f, _ := wiegand.Lookup(name)
		if got := parts(f)[0].fixed; got != (name == "S12906b") {
			t.Errorf("%s: facility always the same: %t", name, got)
		}
	}
}
