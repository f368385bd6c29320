package wiegand_test

import (
	"testing"

	"gatehouse/device/wiegand"
)

// TestNumberBits: the formats that carry a number unchanged, and that they do.
func TestNumberBits(t *testing.T) {
	want := map[string]int{"W24": 24, "H10301": 24, "ind26": 24, "W26": 24, "T2": 24, "W32": 32, "H10306": 32, "N10002": 32, "BQT34": 32, "W34": 32,
		"W42": 40, "W44": 40, "W58": 56, "IR56": 56, "W66": 64,
		"HCP32": 0, "Kastle": 0, "SMP34": 0, "Optus34": 0, "P10001": 0, "HIK44": 0, "H10320": 0, "Defcon32": 0, "FASCN200": 0, "indasc27": 0}
	for name, n := range want {
		f, ok := wiegand.Lookup(name)
		if !ok || f.NumberBits() != n {
			t.Errorf("%s: %v, %d bits, want %d", name, ok, f.NumberBits(), n)
			continue
		}
		v := uint64(0xA1B2C3D4E5F60718) >> (64 - max(n, 1))
		c, err := f.Frame(v)
		if n == 0 {
			if err == nil {
				t.Errorf("%s frames a number", name)
			}
			continue
		}
		first := 0
		if c.Len()-n == 2 {
			first = 1
		}
		if err != nil || c.Uint64(first, n) != v || f.Check(c) != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Frame(v | 1<<(n%64)); n < 64 && err == nil {
			t.Errorf("%s takes a bit too many", name)
		}
	}
}
