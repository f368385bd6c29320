// Package cardnumber has what is known of the number of a card: the forms in which
// readers of each family send it, and those in which makers print it on the card.
//
// It is pure, and its errors never repeat a number.
package cardnumber

import (
	"errors"
	"slices"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

// An EM4100 card holds 40 bits: a serial reader gives all of them, a W34 reader the low 32, a
// W26 reader the low 24, each between two parity bits; other readers give them bare. The
// numbers printed on such cards are these low bits. A UID of ISO/IEC 14443 has 4, 7 or 10 bytes.

// Bits of a number that has one form for each reader family.
const (
	bitsW26 = 24 // between the parity bits of W26
	bitsW34 = 32 // likewise of W34
	bitsEM  = 40 // of an EM4100, whole
)

// Shape is one way in which a reader sends the number of a card.
type Shape struct {
	Format string // of Wiegand, one that carries the number whole; "": bare bits
	Bits   int    // of the number
}

// UsualShapes are those of a reader of which nothing is known.
func UsualShapes() []Shape {
	return []Shape{{"H10306", bitsW34}, {"H10301", bitsW26}, {"", bitsEM}, {"", bitsW34}, {"", 56}, {"", 80}}
}

// DerivedShapes are those that are made of every card: readers at other gateways of
// the building may send them.
func DerivedShapes() []Shape { return []Shape{{"H10301", bitsW26}, {"H10306", bitsW34}} }

// Number is what is known of a card's number. The zero Number is none.
type Number struct {
	bits device.Card // bare
	low  bool        // readers that send fewer bits send the low ones
	uid  bool        // it is all there is of the card
}

// UID reports whether the number is a UID, which no reader sends with more bits.
func (n Number) UID() bool { return n.uid }

// Form is a card as one reader family sends it.
type Form struct {
	Card device.Card
	Bits int // of the card's number that it holds; 0: nobody knows
}

// Forms returns the card as readers of these shapes send it, as far as that is
// certain, and first of all in the form by which cards of its length are known
// everywhere: two numbers that differ have different first forms.
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

// Of returns the number of a card that a reader sent: bare, or between two parity bits that
// are right; false where it may be anything. Nothing is cut off a W34: it may be another chip, and a
// guess at its W26 form could be some other person's card.
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

// DeriveFor returns a card that a reader sent, and the forms in which readers of
// these shapes send the same one, as far as that is certain.
func DeriveFor(c device.Card, shapes []Shape) []Form {
	n, ok := Of(c)
	if !ok {
		return []Form{{Card: c}}
	}
	return n.add(n.add([]Form{{c, n.bits.Len()}}, []Shape{n.usual()}), shapes)
}

// Kin returns the forms by which the card is known everywhere that is printed with fewer
// digits, but for those that it has: another key of the same card may have one. Where no
// reader sends them, other cards have them too, so that they are for looking only. The longest comes first.
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

// usual is the shape of the number's first form.
func (n Number) usual() Shape {
	for _, s := range DerivedShapes() {
		if s.Bits == n.bits.Len() {
			return s
		}
	}
	return Shape{Bits: n.bits.Len()}
}

// Derive is DeriveFor the readers that any gateway may have, cards alone: 40 bits of
// EM4100 make a W26 and a W34.
func Derive(c device.Card) []device.Card { return Cards(DeriveFor(c, DerivedShapes())) }

// Cards are the cards of forms alone.
func Cards(forms []Form) (cards []device.Card) {
	for _, f := range forms {
		cards = append(cards, f.Card)
	}
	return cards
}
