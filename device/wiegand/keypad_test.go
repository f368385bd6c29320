package wiegand

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// ofBits is a card of noughts and ones; spaces are for the eye.
func ofBits(s string) (c device.Card) {
	for _, r := range strings.ReplaceAll(s, " ", "") {
		c, _ = c.Append(byte(r - '0'))
	}
	return c
}

// judged is what a framer makes of one frame: a key, a PIN, "card" or a fault.
func judged(cfg Config, c device.Card) string {
	var p tape
	p.frame(0, c, 2*ms)
	got := playOn(cfg, p.edges)
	if len(got) != 1 {
		return "not one frame"
	}
	return told(got[0])
}

func told(f Frame) string {
	switch {
	case f.Fault != fault.None:
		return f.Fault.String()
	case f.Key != 0:
		return string(f.Key)
	case f.PIN.Len() > 0:
		return "PIN " + f.PIN.Digits()
	}
	return "card"
}

// The tables of the makers' manuals: HID 5355 and PINpad, Rosslare AYC-Q60 and
// AYC-G64, Prastel EASYBKW, Baltech PinMessageFormat.
func TestKeypadKinds(t *testing.T) {
	for _, c := range []struct {
		pad        Keypad
		bits, want string
	}{
		{Keypad{Kind: "key4"}, "0000", "0"},
		{Keypad{Kind: "key4"}, "1001", "9"},
		{Keypad{Kind: "key4"}, "1010", "*"},
		{Keypad{Kind: "key4"}, "1011", "#"},
		{Keypad{Kind: "key4"}, "1101", "wrong_keys"},
		{Keypad{Kind: "key4", Codes: "0123456789*#.#.*"}, "1101", "#"}, // 13 enter
		{Keypad{Kind: "key4", Codes: "0123456789*#.#.*"}, "1111", "*"}, // 15 function
		{Keypad{Kind: "key4"}, "00000", "wrong_keys"},
		{Keypad{Kind: "key4"}, "0", "wrong_keys"},
		{Keypad{Kind: "key6"}, "000010", "1"},
		{Keypad{Kind: "key6"}, "101001", "4"},
		{Keypad{Kind: "key6"}, "110111", "#"},
		{Keypad{Kind: "key6"}, "000001", "0"},
		{Keypad{Kind: "key6"}, "100010", "wrong_keys"},
		{Keypad{Kind: "key6-rosslare"}, "1 1010 0", "0"},
		{Keypad{Kind: "key6-rosslare"}, "1 1011 1", "*"},
		{Keypad{Kind: "key6-rosslare"}, "0 1100 1", "#"},
		{Keypad{Kind: "key6-rosslare"}, "0 0000 1", "wrong_keys"},
		{Keypad{Kind: "key8"}, "1110 0001", "1"},
		{Keypad{Kind: "key8"}, "1111 0000", "0"},
		{Keypad{Kind: "key8"}, "0101 1010", "*"},
		{Keypad{Kind: "key8"}, "0100 1011", "#"},
		{Keypad{Kind: "key8"}, "0100 1111", "wrong_keys"},
		{Keypad{Kind: "key8"}, "0001 1110", "wrong_keys"},
		{Keypad{Kind: "key8"}, "1 1110 0001", "wrong_keys"}, // an extra bit of noise
		{Keypad{Kind: "key8-swapped"}, "0001 1110", "1"},
		{Keypad{Kind: "key8-swapped"}, "1011 0100", "#"},
		{Keypad{Kind: "key8-swapped"}, "1111 0000", "wrong_keys"}, // 15 is no key
		{Keypad{Kind: "key10"}, "0 0000 0011 1", "3"},
		{Keypad{Kind: "key10"}, "1 0001 0011 1", "wrong_keys"},
		{Keypad{Kind: "key10-inverse"}, "0 1100 0011 1", "3"},
		{Keypad{Kind: "key10-inverse"}, "1 1110 0001 0", "1"},
		{Keypad{Kind: "key10-swapped"}, "0 0011 1100 1", "3"},
		{Keypad{Kind: "pin26", Facility: 5}, "1 00000101 0001 00100101 1111 0", "PIN 4703"},
		{Keypad{Kind: "pin26", Facility: 5, Length: 5}, "1 00000101 0001 00100101 1111 0", "PIN 04703"},
		{Keypad{Kind: "pin26", Facility: 5, Length: 3}, "1 00000101 0001 00100101 1111 0", "wrong_keys"},
		{Keypad{Kind: "pin26", Facility: 5, Length: 4}, "0 00000101 0000 0000 0001 0111 1", "PIN 0023"},
		{Keypad{Kind: "pin26", Facility: 5}, "0 00000101 1111 1111 1111 1111 1", "wrong_keys"}, // HID's error
		{Keypad{Kind: "pin26", Facility: 5}, "0 00000101 1111 1111 1111 1110 0", "PIN 65534"},
		{Keypad{Kind: "pin26", Facility: 5}, "0 00000101 0000 0000 0000 0000 1", "wrong_keys"},
		{Keypad{Kind: "pin26", Facility: 5}, "0 00000101 0001 00100101 1111 0", "wrong_keys"},
		{Keypad{Kind: "pin26", Facility: 5}, "0 00000100 0001 00100101 1111 0", "card"},
		{Keypad{Kind: "bcd5"}, "0 0000 0000 0000 0010 0011 1001 0", "PIN 239"},
		{Keypad{Kind: "bcd5", Length: 4}, "0 0000 0000 0000 0010 0011 1001 1", "wrong_keys"},
		{Keypad{Kind: "bcd5", Length: 4}, "0 0000 0000 0000 0010 0011 1001 0", "PIN 0239"},
		{Keypad{Kind: "bcd5"}, "0 0000 0000 0000 0010 1010 1001 0", "wrong_keys"},
		{Keypad{Kind: "bcd5"}, "1 1000 0000 0000 0010 0011 1001 0", "card"},
		{Keypad{Kind: "bcd6"}, "1 0000 0000 0001 0010 0011 1001 0", "PIN 001239"},
		{Keypad{Kind: "bcd6"}, "0 0000 0000 0000 0000 0000 0000 1", "PIN 000000"},
		{Keypad{Kind: "bcd6"}, "0 0000 1010 0000 0000 0000 0000 1", "wrong_keys"},
		{Keypad{Kind: "pin30"}, "0 0000 0000 0000 00 00 0001 0010 0011 0", "wrong_keys"},
		{Keypad{Kind: "pin30"}, "0 0000 0000 0000 0000 0001 0010 0011 1", "PIN 291"},
		{Keypad{Kind: "pin30", Length: 8}, "0 0000 1111 1111 1111 1111 1111 1111 1", "PIN 16777215"},
	} {
		cfg := Config{Keypad: c.pad}
		if !strings.HasPrefix(c.pad.Kind, "bcd6") {
			cfg.Formats = h26
		}
		if strings.HasPrefix(c.pad.Kind, "pin30") && len(ofBits(c.bits).Bytes()) != 4 {
			t.Fatal("no frame of 30 bits", c.bits)
		}
		if err := cfg.Validate(); err != nil {
			t.Error(err)
		}
		if got := judged(cfg, ofBits(c.bits)); got != c.want {
			t.Errorf("%+v: %s is %q, want %q", c.pad, c.bits, got, c.want)
		}
	}
}

// Of all bursts of the right length exactly twelve are keys, a different one
// each; none is a card, and on a reader without keypad all are of a wrong length.
func TestEveryBurst(t *testing.T) {
	for _, kind := range KeypadKinds() {
		if !strings.HasPrefix(kind, "key") {
			continue
		}
		pad := newPad(Keypad{Kind: kind})
		keys := map[string]int{}
		for v := range uint64(1) << pad.bits() {
			c := device.CardOf(v, pad.bits())
			keys[judged(Config{Formats: h26, Keypad: Keypad{Kind: kind}}, c)]++
			if got := judged(Config{Formats: h26}, c); got != "wrong_length" {
				t.Errorf("%s without keypad: %s", kind, got)
			}
		}
		for _, key := range "0123456789*#" {
			if keys[string(key)] != 1 {
				t.Errorf("%s: %d bursts are %c", kind, keys[string(key)], key)
			}
		}
		if keys["wrong_keys"] != 1<<pad.bits()-12 || keys["card"] != 0 {
			t.Errorf("%s: %v", kind, keys)
		}
	}
}

// A frame with the keypad's facility code is a PIN or nothing; any other is a
// card or nothing.
func TestPINOrCard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Formats: append(h34[:1:1], known("H10301"), known("RAW26")), Keypad: Keypad{Kind: "pin26", Facility: rapid.IntRange(0, 255).Draw(t, "keypad")}}
		facility := rapid.IntRange(0, 255).Draw(t, "facility")
		if rapid.Bool().Draw(t, "keys") {
			facility = cfg.Keypad.Facility
		}
		ends := rapid.Uint64Range(0, 3).Draw(t, "parity")
		number := rapid.Uint64Range(0, 65535).Draw(t, "number")
		c := device.CardOf(ends>>1<<25|uint64(facility)<<17|number<<1|ends&1, 26)
		right := h26[0].Check(c) == nil
		got := judged(cfg, c)
		switch {
		case facility != cfg.Keypad.Facility:
			if got != "card" {
				t.Fatalf("a card of facility %d on keypad %d: %s", facility, cfg.Keypad.Facility, got)
			}
		case right && number > 0 && number < 65535:
			if !strings.HasPrefix(got, "PIN ") {
				t.Fatalf("a PIN: %s", got)
			}
		case got != "wrong_keys":
			t.Fatalf("a wrong PIN: %s", got)
		}
	})
}

func TestKeypadValidate(t *testing.T) {
	twelve := "0123456789*#...."
	for _, c := range []struct {
		pad     Keypad
		formats []Format
		want    string // in the error; empty: none
	}{
		{Keypad{}, h26, ""},
		{Keypad{Kind: "key4"}, h26, ""},
		{Keypad{Kind: "key4"}, nil, ""},
		{Keypad{Kind: "key5"}, h26, "want one of key4, key6"},
		{Keypad{Length: 4}, h26, "want one of"},
		{Keypad{Kind: "key4", Codes: twelve}, h26, ""},
		{Keypad{Kind: "key4", Codes: twelve[1:]}, h26, "want 16"},
		{Keypad{Kind: "key4", Codes: "0123456789AB...."}, h26, "want 16"},
		{Keypad{Kind: "key4", Codes: "01234567.9*#...."}, h26, "no value means 8"},
		{Keypad{Kind: "key4", Codes: "0123456789......"}, h26, "neither"},
		{Keypad{Kind: "key4", Codes: "0123456789......", Length: 4}, h26, ""},
		{Keypad{Kind: "pin26", Codes: twelve}, h26, "whole PIN"},
		{Keypad{Kind: "key4", Facility: 1}, h26, "sends none"},
		{Keypad{Kind: "pin26", Facility: 255}, h26, ""},
		{Keypad{Kind: "pin26", Facility: 256}, h26, "0 to 255"},
		{Keypad{Kind: "pin26", Facility: -1}, h26, "0 to 255"},
		{Keypad{Kind: "pin26", Length: 6}, h26, "up to 5"},
		{Keypad{Kind: "key8", Length: 10}, h26, ""},
		{Keypad{Kind: "key8", Length: 11}, h26, "up to 10"},
		{Keypad{Kind: "key8", Length: -1}, h26, "up to 10"},
		{Keypad{Kind: "bcd6", Length: 4}, h34, "always 6"},
		{Keypad{Kind: "bcd6", Length: 6}, h34, ""},
		{Keypad{Kind: "bcd6"}, h26, "same as its keys"},
		{Keypad{Kind: "bcd5"}, h26, ""},
		{Keypad{Kind: "key4", Pause: ms}, h26, "want 1s to 30s"},
		{Keypad{Kind: "key4", Pause: 10000 * ms}, h26, ""},
		{Keypad{Kind: "pin26", Pause: 10000 * ms}, h26, "itself"},
	} {
		err := Config{Source: "front", Formats: c.formats, Keypad: c.pad}.Validate()
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "front")) {
			t.Errorf("%+v: %v, want %q", c.pad, err, c.want)
		}
	}
}
