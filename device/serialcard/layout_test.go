package serialcard_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/device/serialcard"
)

// sample is one frame of a layout, from the module's manual or worked out by
// hand, and the card in it.
type sample struct {
	layout   string
	settings serialcard.Settings
	in       string
	card     device.Card
}

// samples has one frame at least of every layout that gives cards, and of every
// setting.
var samples = []sample{
	{layout: "rdm6300", in: frame, card: device.CardOf(number, 40)}, // 01^23 = 22, ^45 = 67, ^67 = 00, ^89 = 89
	{layout: "seeed", in: "\x020700952F229F\x03", card: device.CardOf(0x0700952F22, 40)},
	{layout: "id12", in: "\x02012345678989\r\n\x03", card: device.CardOf(number, 40)},
	{layout: "em18", in: "307E4DE5C224", card: device.CardOf(0x307E4DE5C2, 40)},
	{layout: "7941d", in: "\x02\x0A\x02\x2E\x00\xB6\xD7\xB5\xF2\x03", card: device.CardOf(0x2E00B6D7B5, 40)},
	{layout: "7941d", in: "\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB0\x03", card: device.CardOf(0x06008E6D5D, 40)},
	{layout: "7941d", in: "\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03", card: device.CardOf(0x6B3D12D6, 32)},
	{layout: "7941d", in: "\x02\x09\x01\x02\x09\x01\x03\x01\x03", card: device.CardOf(0x02090103, 32)}, // marks inside
	{
		layout: "7941d", settings: serialcard.Settings{Order: "lsb"},
		in: "\x02\x09\x03\x6B\x3D\x12\xD6\x98\x03", card: device.CardOf(0xD6123D6B, 32),
	},
	{layout: "7941w", in: "\xCD\xDC\x00\x81\x04\x6B\x3D\x12\xD6\x17", card: device.CardOf(0x6B3D12D6, 32)},
	{layout: "7941w", in: "\xCD\xDC\x00\x81\x05\x2E\x00\xB6\xD7\xB5\x7E", card: device.CardOf(0x2E00B6D7B5, 40)},
	{layout: "7941w", in: "\xCD\xDC\x00\x81\x07\x04\xCD\xDC\x00\x81\x04\xCD\xDB", card: device.CardOf(0x04CDDC008104CD, 56)},
	{layout: "idteck", in: "\x020006171021\x03\x03", card: device.CardOf(6171021, 32)}, // 02, 03 and 0006171021
	{layout: "idteck", in: "\x0206171021\x03\x03", card: device.CardOf(6171021, 24)},
	{layout: "idtech", settings: serialcard.Settings{Base: "hex"}, in: "\x0206171021\x03\x03", card: device.CardOf(0x06171021, 32)},
	{layout: "codatex", in: "\x02R0123456789\x04", card: device.CardOf(number, 40)},
	{layout: "sp-d300", in: "\x021A2B", card: device.CardOf(0x1A2B, 16)},
	{layout: "mf7", in: "D6123D6B\r\n", card: device.CardOf(0x6B3D12D6, 32)},
	{
		layout: "mf7", settings: serialcard.Settings{Prefix: "\x02", Skip: 4, Digits: []int{14}, Order: "msb", Suffix: "\r\n", End: "etx"},
		in: "\x0201076B3D12D6000102\r\n\x03", card: device.CardOf(0x6B3D12D6000102, 56),
	},
	{layout: "line", in: "0006171021\r\n", card: device.CardOf(6171021, 32)},
	{layout: "line", settings: serialcard.Settings{Order: "lsb"}, in: "3591519595\r", card: device.CardOf(0x6B3D12D6, 32)}, // D6123D6B
	{layout: "line", settings: serialcard.Settings{Digits: []int{20}}, in: "18446744073709551615\n", card: device.CardOf(1<<64-1, 64)},
	{layout: "line", settings: serialcard.Settings{Base: "hex"}, in: "0123456789\n", card: device.CardOf(number, 40)},
	{
		layout: "line", settings: serialcard.Settings{Base: "hex_lower", Digits: []int{20}, End: "lf"},
		in: "0102030405060708abcd\n", card: wide("\x01\x02\x03\x04\x05\x06\x07\x08\xab\xcd"),
	},
	{
		layout: "line", settings: serialcard.Settings{Digits: []int{10}, Prefix: ";", Suffix: "?", End: "cr"},
		in: ";0006171021?\r", card: device.CardOf(6171021, 32),
	},
	{
		layout: "line", settings: serialcard.Settings{Base: "hex", Check: "xor", End: "crlf"},
		in: "012345678989\r\n", card: device.CardOf(number, 40),
	},
	{
		layout: "line", settings: serialcard.Settings{Base: "hex", Prefix: "\x02", Check: "lrc", End: "eot"},
		in: "\x020123456789\x04\x07", card: device.CardOf(number, 40), // the digits come to 01
	},
	{layout: "line", settings: serialcard.Settings{End: "silence"}, in: "0006171021", card: device.CardOf(6171021, 32)},
}

// wide makes a card of whole bytes.
func wide(raw string) device.Card {
	c, err := device.NewCard([]byte(raw), 8*len(raw))
	if err != nil {
		panic(err)
	}
	return c
}

// of returns the layout of a sample.
func (s sample) of(t testing.TB) serialcard.Layout {
	t.Helper()
	l, err := layout(t, s.layout).With(s.settings)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// checked reports whether a frame of the sample has a checksum.
func (s sample) checked() bool {
	return s.settings.Check != "" || !slices.Contains([]string{"codatex", "sp-d300", "mf7", "line"}, s.layout)
}

func TestSamples(t *testing.T) {
	seen := map[string]bool{"code": true}
	for _, s := range samples {
		l := s.of(t)
		seen[l.Name] = true
		cards, faults := decode(t, l, s.in)
		if !slices.Equal(cards, []device.Card{s.card}) || len(faults) != 0 {
			t.Errorf("%s: %q gave %v, %v", s.layout, s.in, cards, faults)
			continue
		}
		if !slices.Contains(l.Lengths(), s.card.Len()) {
			t.Errorf("%s: a card of %d bits, which is none of %v", s.layout, s.card.Len(), l.Lengths())
		}
		out, err := l.Encode(s.card)
		if err != nil {
			t.Error(err)
			continue
		}
		if again, faults := decode(t, l, string(out)); !slices.Equal(again, cards) || len(faults) != 0 {
			t.Errorf("%s: encoded as %q, which gave %v, %v", s.layout, out, again, faults)
		}
		if same := s.settings.Skip == 0 && s.settings.Order != "lsb" && s.layout != "line"; same && string(out) != s.in {
			t.Errorf("%s: encoded as %q, want %q", s.layout, out, s.in)
		}
	}
	for _, name := range serialcard.Names() {
		if !seen[name] {
			t.Errorf("no sample of %s", name)
		}
	}
}

// TestPrinted: an EM4100 card has its number printed in decimal and as facility
// and card. The same card gives 40 bits here and 32 there, the low ones the same.
func TestPrinted(t *testing.T) {
	em, _ := decode(t, layout(t, "rdm6300"), "\x0207005E298DFD\x03")
	printed, _ := decode(t, layout(t, "line"), "0006171021\r\n")
	if len(em) != 1 || len(printed) != 1 || em[0].Uint64(8, 32) != printed[0].Uint64(0, 32) {
		t.Fatal("the printed number is another card")
	}
	if em[0].Uint64(16, 8) != 94 || em[0].Uint64(24, 16) != 10637 {
		t.Error(`the card is not the one on which "094,10637" is printed`)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, name := range serialcard.Names() {
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
	once, err := layout(t, "rdm6300").With(serialcard.Settings{Once: true})
	if err != nil || once.Confirm != 0 {
		t.Errorf("once: %v, %v", once.Confirm, err)
	}
	for name, want := range map[string][]int{
		"rdm6300": {40}, "7941d": {32, 40}, "7941w": {32, 40, 56}, "idteck": {24, 32}, "sp-d300": {16}, "line": {32}, "code": nil,
	} {
		if l := layout(t, name); !slices.Equal(l.Lengths(), want) || l.Code() != (name == "code") {
			t.Errorf("%s: %v bits, code %v", name, l.Lengths(), l.Code())
		}
	}
	for _, name := range serialcard.Names() {
		l := layout(t, name)
		if _, err := serialcard.NewDecoder(l); err != nil || l.Title == "" || l.Baud == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettingsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		layout   string
		settings serialcard.Settings
	}{
		"base":                       {"line", serialcard.Settings{Base: "octal"}},
		"order":                      {"line", serialcard.Settings{Order: "middle"}},
		"check":                      {"line", serialcard.Settings{Check: "crc"}},
		"end":                        {"line", serialcard.Settings{End: "\r"}},
		"no digits":                  {"line", serialcard.Settings{Digits: []int{}}},
		"odd hex digits":             {"line", serialcard.Settings{Base: "hex", Digits: []int{9}}},
		"too many hex digits":        {"line", serialcard.Settings{Base: "hex", Digits: []int{66}}},
		"decimal of no known length": {"line", serialcard.Settings{Digits: []int{9}}},
		"two lengths, no prefix":     {"line", serialcard.Settings{Digits: []int{8, 10}}},
		"two lengths, no check":      {"line", serialcard.Settings{Digits: []int{8, 10}, Prefix: ";"}},
		"digits in the prefix":       {"line", serialcard.Settings{Prefix: "0"}},
		"prefix twice":               {"line", serialcard.Settings{Prefix: ";;"}},
		"prefix is the end":          {"line", serialcard.Settings{Prefix: "\n"}},
		"suffix begins with a digit": {"line", serialcard.Settings{Suffix: "0"}},
		"xor of decimal":             {"line", serialcard.Settings{Check: "xor"}},
		"lrc after any end":          {"line", serialcard.Settings{Base: "hex", Check: "lrc"}},
		"negative skip":              {"line", serialcard.Settings{Skip: -1}},
		"skip up to silence":         {"line", serialcard.Settings{Skip: 2, End: "silence"}},
		"too long":                   {"line", serialcard.Settings{Skip: 60}},
		"long suffix":                {"code", serialcard.Settings{Suffix: strings.Repeat("\x01", 65)}},
		"aim of a card":              {"line", serialcard.Settings{AIM: true}},
		"base of a code":             {"code", serialcard.Settings{Base: "hex"}},
		"digits of a code":           {"code", serialcard.Settings{Digits: []int{10}}},
		"printable prefix of a code": {"code", serialcard.Settings{Prefix: "GH"}},
		"digits of a binary frame":   {"7941d", serialcard.Settings{Digits: []int{10}}},
		"order of a binary frame":    {"7941d", serialcard.Settings{Order: "x"}},
	} {
		if _, err := layout(t, c.layout).With(c.settings); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !strings.Contains(err.Error(), c.layout) {
			t.Errorf("%s: the error does not name the layout: %v", name, err)
		}
	}
	if d, err := serialcard.NewDecoder(serialcard.Layout{}); err == nil {
		t.Errorf("a decoder for no layout: %v", d)
	}
	if _, err := (serialcard.Layout{}).Encode(device.CardOf(number, 40)); err == nil {
		t.Error("encoded for no layout")
	}
	l := layout(t, "line")
	l.Confirm = -1
	if _, err := serialcard.NewDecoder(l); err == nil {
		t.Error("negative time to confirm")
	}
}
