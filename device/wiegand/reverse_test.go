package wiegand

import (
	"math/bits"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
)

// A reader that sends the number of a MIFARE card backward is made one that
// does not: both give the same card.
func TestReverseBytes(t *testing.T) {
	for _, name := range []string{"W34", "H10306", "W66", "W32", "RAW32", "RAW64"} {
		x := known(name)
		cfg := Config{Source: "front", Formats: []Format{x}, ReverseBytes: true}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(t *rapid.T) {
			bytes := x.Bits / 8
			uid := rapid.Uint64Range(0, 1<<(8*bytes-1)).Draw(t, "UID")
			var p tape
			p.frame(0, between(x, bits.ReverseBytes64(uid)>>(64-8*bytes), 8*bytes), 2*ms)
			got := playOn(cfg, p.edges)
			if len(got) != 1 || got[0].Card != between(x, uid, 8*bytes) {
				t.Fatalf("got %v, want the card with its bytes turned", faults(got))
			}
		})
	}
}

// between is v in n bits, with the ends that make it a card of the format.
func between(x Format, v uint64, n int) (c device.Card) {
	for ends := range uint64(4) {
		c = device.CardOf(v, n)
		if x.Bits > n {
			c = device.Card{}
			c, _ = c.Append(byte(ends >> 1))
			for i := range n {
				c, _ = c.Append(byte(v >> (n - 1 - i) & 1))
			}
			c, _ = c.Append(byte(ends & 1))
		}
		if x.Check(c) == nil {
			return c
		}
	}
	return c
}

func TestReversible(t *testing.T) {
	for name, want := range map[string]bool{"H10301": true, "W34": true, "W42": true, "W66": true, "RAW32": true,
		"H10302": false, "W44": false, "C1k35s": false, "P10001": false, "Avig56": false, "RAW34": false} {
		cfg := Config{Source: "front", Formats: []Format{known(name)}, ReverseBytes: true}
		err := cfg.Validate()
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
