package serialcard_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/device/serialcard"
)

// codatex is a layout that the table has not: a longer start, fewer digits,
// another end, no check. It works without a line of code.
var codatex = serialcard.Layout{Name: "made-up", Baud: 9600, Start: "\x02R", Digits: 8, Check: serialcard.CheckNone, End: "\x04"}

func TestLayoutIsData(t *testing.T) {
	card := device.CardOf(0x1234ABCD, 32)
	out, err := codatex.Encode(card)
	if err != nil || string(out) != "\x02R1234ABCD\x04" {
		t.Fatalf("encoded %q, %v", out, err)
	}
	cards, faults := decode(t, codatex, string(out))
	if len(cards) != 1 || cards[0] != card || len(faults) != 0 {
		t.Fatalf("decoded %v, %v", cards, faults)
	}
	cards, faults = decode(t, codatex, "\x02R00000000\x04")
	if len(cards) != 0 || !slices.Equal(faults, []device.Fault{device.FaultGhost}) {
		t.Errorf("nobody's number: %v, %v", cards, faults)
	}
}

func TestEncode(t *testing.T) {
	for name, want := range map[string]string{"rdm6300": frame, "id12": "\x02012345678989\r\n\x03"} {
		out, err := layout(t, name).Encode(device.CardOf(number, 40))
		if err != nil || string(out) != want {
			t.Errorf("%s: encoded %q, %v; want %q", name, out, err, want)
		}
		if _, err := layout(t, name).Encode(device.CardOf(number, 26)); err == nil || strings.Contains(err.Error(), "1234") {
			t.Errorf("%s: a card of 26 bits: %v", name, err)
		}
	}
}

func TestLookup(t *testing.T) {
	if _, ok := serialcard.Lookup("rdm6301"); ok {
		t.Error("found a layout that there is not")
	}
	l := layout(t, "rdm6300")
	l.Confirm = 0
	if layout(t, "rdm6300").Confirm == 0 {
		t.Error("changing the copy changed the table")
	}
	for _, name := range serialcard.Names() {
		if _, err := serialcard.NewDecoder(layout(t, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestLayoutRefused(t *testing.T) {
	base := layout(t, "rdm6300")
	tests := map[string]func(*serialcard.Layout){
		"no start":                  func(l *serialcard.Layout) { l.Start = "" },
		"start is a digit":          func(l *serialcard.Layout) { l.Start = "A" },
		"start stands in the end":   func(l *serialcard.Layout) { l.End = "\x03\x02" },
		"start stands in the start": func(l *serialcard.Layout) { l.Start = "\x02\x02" },
		"no digits":                 func(l *serialcard.Layout) { l.Digits = 0 },
		"half a byte":               func(l *serialcard.Layout) { l.Digits = 9 },
		"too many digits":           func(l *serialcard.Layout) { l.Digits = 18 },
		"unknown check":             func(l *serialcard.Layout) { l.Check = 9 },
		"too long":                  func(l *serialcard.Layout) { l.End = strings.Repeat("\r", 64) },
		"negative confirm":          func(l *serialcard.Layout) { l.Confirm = -1 },
	}
	for name, change := range tests {
		l := base
		change(&l)
		if _, err := serialcard.NewDecoder(l); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := l.Encode(device.CardOf(number, 40)); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}
