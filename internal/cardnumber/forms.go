// Package cardnumber knows the numbers of cards: the forms in which readers of each family send
// them, and those in which makers print them on the card.
//
// It is pure, and its errors never repeat a number.
package cardnumber

import (
	"errors"
	"slices"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

// bitsW26, bitsW34 and bitsEM are the bits of a number in the form of a reader family. An EM4100
// card has 40 bits: a serial reader sends all of them, a W34 reader the low 32, a W26 reader the
// low 24, each of these between two parity bits; other readers send them bare. The numbers printed
// on such cards are these low bits. A UID of ISO/IEC 14443 has 4, 7 or 10 bytes.
const (
	bitsW26 = 24 // between the parity bits of W26
	bitsW34 = 32 // between the parity bits of W34
	bitsEM  = 40 // all bits of an EM4100
)

// Shape is one form in which a reader sends the number of a card.
type Shape struct {
	Format string // a Wiegand format that carries the number unchanged; "": bare bits
	Bits   int    // of the number
}

// UsualShapes returns the shapes of an unknown reader.
func UsualShapes() []Shape {
	return []Shape{{"H10306", bitsW34}, {"H10301", bitsW26}, {"", bitsEM}, {"", bitsW34}, {"", 56}, {"", 80}}
}

// DerivedShapes returns the shapes that are derived for every card: readers at other gateways of
// the building may send them.
func DerivedShapes() []Shape { return []Shape{{"H10301", bitsW26}, {"H10306", bitsW34}} }

// Number is the known part of a card's number. The zero Number is none.
type Number struct {
	bits device.Card // without parity bits
	low  bool        // readers of fewer bits send its low ones
	uid  bool        // it is a whole UID
}

// UID reports whether the number is a UID, of which no reader sends more bits.
func (n Number) UID() bool { return n.uid }

// Form is a card in the form of one reader family.
type Form struct {
	Card device.Card
	Bits int // bits of the card's number in it; 0: unknown
}

// Forms returns the card in the forms of readers with these shapes, as far as that is certain. The
// first is the usual form for a number of its length: two different numbers have different first
// forms.
func (n Number) Forms(shapes []Shape) []Form {
	return n.add(n.add(nil, []Shape{n.usual()}), shapes)
}

func (n Number) add(all []Form, shapes []Shape) []Form {
	for _, s := range shapes {
		if s.Bits != n.bits.Len() && (!n.low || s.Bits > n.bits.Len() || s.Bits < bitsW26) {
			continue
		}
		c, err := n.shaped(s)
		if err == nil && !slices.ContainsFunc(all, func(f Form) bool { return f.Card == c }) {
			all = append(all, Form{c, s.Bits})
		}
	}
	return all
}

func (n Number) shaped(s Shape) (device.Card, error) {
	if s.Format == "" && s.Bits == n.bits.Len() {
		return n.bits, nil
	}
	if s.Bits > 64 {
		return device.Card{}, errors.New("no such form")
	}
	v := n.bits.Uint64(n.bits.Len()-s.Bits, s.Bits)
	if s.Format == "" {
		return device.CardOf(v, s.Bits), nil
	}
	f, _ := wiegand.Lookup(s.Format)
	return f.Frame(v)
}

// Of returns the number of a card that a reader sent: bare, or between two right parity bits; false
// if it may be anything. A W34 is not cut to W26: it may be another chip, and the guessed W26 form
// another person's card.
func Of(c device.Card) (Number, bool) {
	switch c.Len() {
	case bitsW26, bitsW34, 56, 80:
		return Number{bits: c}, true
	case bitsEM:
		return Number{bits: c, low: true}, true
	}
	for _, name := range []string{"W26", "W34", "W42", "W58"} {
		f, _ := wiegand.Lookup(name)
		if f.Check(c) == nil {
			n := f.NumberBits()
			return Number{bits: device.CardOf(c.Uint64(1, n), n), low: n == bitsEM}, true
		}
	}
	return Number{}, false
}

// DeriveFor returns a card that a reader sent, and its forms at readers with these shapes, as far
// as that is certain.
func DeriveFor(c device.Card, shapes []Shape) []Form {
	n, ok := Of(c)
	if !ok {
		return []Form{{Card: c}}
	}
	return n.add(n.add([]Form{{c, n.bits.Len()}}, []Shape{n.usual()}), shapes)
}

// Kin returns the derived forms with fewer digits that are not among forms: another key of the same
// card may have one. Other cards may share a form that no reader here sends, so these are only for
// lookup. The longest comes first.
func (n Number) Kin(forms []Form) []device.Card {
	var all []device.Card
	for _, k := range n.add(nil, DerivedShapes()) {
		if !slices.ContainsFunc(forms, func(f Form) bool { return f.Card == k.Card }) {
			all = append(all, k.Card)
		}
	}
	slices.Reverse(all) // DerivedShapes has the short one first
	return all
}

// usual returns the shape of the number's first form.
func (n Number) usual() Shape {
	for _, s := range DerivedShapes() {
		if s.Bits == n.bits.Len() {
			return s
		}
	}
	return Shape{Bits: n.bits.Len()}
}

// Derive returns the cards of DeriveFor for DerivedShapes: 40 bits of EM4100 make a W26 and a W34.
func Derive(c device.Card) []device.Card { return Cards(DeriveFor(c, DerivedShapes())) }

// Cards returns the cards of forms.
func Cards(forms []Form) (cards []device.Card) {
	for _, f := range forms {
		cards = append(cards, f.Card)
	}
	return cards
}
