package cardnumber

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

func h10301(t testing.TB, facility, number uint64) device.Card {
	t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: facility, Card: number, HasFacility: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDerive(t *testing.T) {
	// 94,10637 is 0x5e298d; an EM4100 with these low 24 bits.
	em := device.CardOf(0x12005e298d, 40)
	forms := Derive(em)
	if len(forms) != 3 || forms[0] != em || forms[1] != h10301(t, 94, 10637) || forms[2].Len() != 34 || forms[2].Uint64(1, 32) != 0x005e298d {
		t.Fatalf("forms of an EM4100: %v", forms)
	}
	for _, c := range []device.Card{h10301(t, 94, 10637), forms[2], device.CardOf(1, 64)} {
		if got := Derive(c); len(got) != 1 || got[0] != c {
			t.Errorf("%v makes %v", c, got)
		}
	}
}

// cardsOf are the forms of a number for readers of these shapes.
func cardsOf(n Number, shapes []Shape) (cards []device.Card) {
	for _, f := range n.Forms(shapes) {
		cards = append(cards, f.Card)
	}
	return cards
}

func TestParsePrinted(t *testing.T) {
	w26, w34 := h10301(t, 94, 10637), Derive(device.CardOf(0x5e298d, 40))[2]
	em, emW26, emW34 := device.CardOf(0x0A004D7603, 40), h10301(t, 77, 30211), Derive(device.CardOf(0x4D7603, 40))[2]
	uid7, err := device.NewCard([]byte{0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}, 56)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		form, number string
		want         []device.Card
	}{
		{"3+5D", "094,10637", []device.Card{w26}},
		{"3+5d", "094,10637", []device.Card{w26}},
		{"3+5D", "09410637", []device.Card{w26}},
		{"3+5D", "094.10637", []device.Card{w26}},
		{"5+5D", "00094,10637", []device.Card{w34, w26}},
		{"5+5D", "0009410637", []device.Card{w34, w26}},
		{"8D", "06171021", []device.Card{w26}},
		{"6H", "5e298d", []device.Card{w26}},
		{"10D", "0006171021", []device.Card{w34, w26}},
		{"8H", "005E298D", []device.Card{w34, w26}},
		{"10D-reversed", "2368298496", []device.Card{w34}},
		{"10H", "0A004D7603", []device.Card{em, emW26, emW34}},
		{"13D", "0042954749443", []device.Card{em, emW26, emW34}},
		{"12D", "042954749443", []device.Card{em, emW26, emW34}},
		{"14D", "00042954749443", []device.Card{em, emW26, emW34}},
		{"uid", "00:5e:29:8d", []device.Card{w34}},
		{"uid", "005E298D", []device.Card{w34}},
		{"uid-reversed", "8D-29-5E-00", []device.Card{w34}},
		{"UID", "04A1B2C3D4E5F6", []device.Card{uid7}},
		{"uid-reversed", "F6:E5:D4:C3:B2:A1:04", []device.Card{uid7}},
	} {
		got, err := ParsePrinted(c.number, c.form)
		if err != nil || !slices.Equal(cardsOf(got, DerivedShapes()), c.want) {
			t.Errorf("%s %s: %v", c.form, c.number, err)
		}
	}
	for _, c := range [][2]string{
		{"3+5D", "94,10637"}, {"3+5D", "9410637"}, {"3+5D", "256,10637"}, {"3+5D", "094,65536"}, {"3+5D", "094, 1063"}, {"5+5D", "65536,00001"},
		{"8D", "6171021"}, {"8D", "16777216"}, {"8D", "+6171021"}, {"8D", "0617102a"}, {"8D", "０６１７１０２１"},
		{"10D", "4294967296"}, {"10D", "00061710210"}, {"10D", ""}, {"10D-reversed", "9999999999"}, {"13D", "1099511627776"}, {"10D", "0006171021\u200b"},
		{"10H", "0A004D760G"}, {"uid", "04:A1:B2"}, {"uid", "04A1B2C3D4"}, {"uid", "04:A1:B2:+3"}, {"uid", ""},
		{"decimal", "0006171021"}, {"", "0006171021"},
	} {
		if got, err := ParsePrinted(c[1], c[0]); err == nil {
			t.Errorf("%s took a bad number: %v", c[0], cardsOf(got, DerivedShapes()))
		} else if c[1] != "" && strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s repeats the number: %v", c[0], err)
		}
	}
}

// TestSpreadsheetNumbers: what a spreadsheet took from a number is told apart, and put
// back where it can only have been zeros.
func TestSpreadsheetNumbers(t *testing.T) {
	for _, c := range []struct{ form, number, filled string }{
		{"10D", "6171021", "0006171021"}, {"8D", "99", "00000099"}, {"3+5D", "94,1063", "094,01063"}, {"3+5D", "1063", "000,01063"},
		{"5+5D", "9410637", "00094,10637"}, {"13D", "42954749443", "0042954749443"}, {"10H", "4D7603", "00004D7603"}, {"uid", "4112233", "04112233"},
	} {
		if _, err := ParsePrinted(c.number, c.form); !errors.Is(err, ErrZeros) {
			t.Errorf("%s %s: %v", c.form, c.number, err)
		}
		filled := Fill(c.number, c.form)
		if filled != c.filled {
			t.Errorf("%s %s is filled to %s", c.form, c.number, filled)
		}
		if _, err := ParsePrinted(filled, c.form); err != nil {
			t.Errorf("%s %s: %v", c.form, filled, err)
		}
	}
	for _, c := range [][2]string{{"10D", "1.23E+09"}, {"10D", "1,23e+09"}, {"10H", "1.1E+10"}, {"uid", "4.1E+13"}} {
		if _, err := ParsePrinted(c[1], c[0]); !errors.Is(err, ErrLost) {
			t.Errorf("%s %s: %v", c[0], c[1], err)
		}
	}
}

// TestFormsForReaders: a number has a form for each reader of the house that may send
// it, and none for readers that are not there.
func TestFormsForReaders(t *testing.T) {
	printed := func(form, number string) Number {
		n, err := ParsePrinted(number, form)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	line, w34, w26, serial := Shape{Bits: 32}, Shape{"H10306", 32}, Shape{"H10301", 24}, Shape{Bits: 40}
	a, b := printed("10D", "0023948260"), printed("10D", "0007171044") // one W26
	only34 := []Shape{w34}
	if x, y := cardsOf(a, only34), cardsOf(b, only34); len(x) != 1 || len(y) != 1 || x[0] == y[0] {
		t.Error("cards that differ above bit 24 can't be told apart in a house without W26")
	}
	if x, y := cardsOf(a, []Shape{w26}), cardsOf(b, []Shape{w26}); x[0] == y[0] || x[1] != y[1] {
		t.Error("a W26 house: want one form that differs and one that does not")
	}
	if x := cardsOf(printed("10D", "0005566777"), []Shape{line, serial, {"W42", 40}}); len(x) != 2 || x[1] != device.CardOf(5566777, 32) {
		t.Errorf("a reader that sends the ten digits: %v", x)
	}
	if x := cardsOf(printed("10H", "0A004D7603"), []Shape{serial, line, {"W42", 40}, {"", 16}}); len(x) != 3 {
		t.Errorf("forty bits: %v", x)
	}
	if x := cardsOf(printed("uid", "04A1B2C3"), []Shape{line, w34, w26}); len(x) != 2 {
		t.Errorf("a UID is cut: %v", x)
	}
	if x := DeriveFor(device.CardOf(5566777, 32), []Shape{line, w34, w26}); len(x) != 2 || x[1].Card != cardsOf(printed("10D", "0005566777"), nil)[0] {
		t.Errorf("a bare W34: %v", x)
	}
}
