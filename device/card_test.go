package device_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
)

// TestCardNeverPrints: no verb and no encoder shows the bits.
func TestCardNeverPrints(t *testing.T) {
	c := device.CardOf(0xBD88EB8, 28)
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+" ", c)
		fmt.Fprintf(&out, verb+" ", struct{ C device.Card }{c})
		fmt.Fprintf(&out, verb+" ", device.Event{Card: c})
	}
	b, err := json.Marshal(device.Event{Card: c})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	text := strings.ToLower(out.String())
	for _, raw := range []string{"bd88eb8", "189 136", "198741688"} {
		if strings.Contains(text, raw) {
			t.Errorf("a card is printed: %s", text)
		}
	}
	if !strings.Contains(text, "card of 28 bits") {
		t.Errorf("a card is not named: %s", text)
	}
}

// TestCardForms: the ways to make a card agree, and equal cards are equal.
func TestCardForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SliceOfN(rapid.ByteRange(0, 1), 1, device.MaxCardBits).Draw(t, "bits")
		var c device.Card
		for _, b := range bits {
			next, ok := c.Append(b)
			if !ok {
				t.Fatal("full too early")
			}
			c = next
		}
		again, err := device.NewCard(c.Bytes(), c.Len())
		if err != nil || again != c {
			t.Fatalf("bytes and back: %v", err)
		}
		for i, b := range bits {
			if c.Bit(i) != b {
				t.Fatalf("bit %d is %d", i, c.Bit(i))
			}
		}
		if n := min(len(bits), 64); device.CardOf(c.Uint64(0, n), n).Uint64(0, n) != c.Uint64(0, n) {
			t.Fatal("number and back")
		}
	})
}

func TestCardRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		bits []byte
		n    int
	}{
		"none":           {nil, 0},
		"too long":       {make([]byte, 33), 257},
		"too few bytes":  {[]byte{1}, 9},
		"too many bytes": {[]byte{0, 0}, 8},
		"bits after":     {[]byte{0x81}, 7},
	} {
		if _, err := device.NewCard(c.bits, c.n); err == nil {
			t.Errorf("%s: accepted", name)
		} else if bytes.Contains([]byte(err.Error()), []byte("129")) {
			t.Errorf("%s: the error shows the bits: %v", name, err)
		}
	}
	full, _ := device.NewCard(make([]byte, 32), device.MaxCardBits)
	if _, ok := full.Append(1); ok {
		t.Error("a full card took one more bit")
	}
}
