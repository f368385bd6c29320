package wiegand

import (
	"errors"
	"fmt"
	"math/big"

	"gatehouse/device"
)

// ErrLength means that a card has another number of bits than the format.
var ErrLength = errors.New("wrong length")

// ErrParity means that a check within the card fails: a parity bit, a bit or number that the format
// fixes, a decimal digit above 9, or the XOR of its groups.
var ErrParity = errors.New("wrong parity")

// Format is one bit layout of cards, as data; Lookup returns one. Formats of the same length can't
// be told apart by their bits, so the format of a reader is a setting.
type Format struct {
	Name string // as the trade calls it
	Bits int    // bits on the wire, parity included

	facility, card, issue, oem field // an empty list: the format has none
	parity                     []parity
	fixed                      []fixed
	xorWidth                   int // the last xorWidth bits are the XOR of all earlier groups of that width; 0: none
}

// field is a number; list has the positions of its bits, most significant first.
type field struct {
	list []uint8
	max  uint64 // highest number that the maker issues, where the bits could hold more; 0: the bits are the limit
	only uint64 // all cards of the format have this number; 0: any
	bcd  bool   // decimal digits of four bits
}

// parity is one parity bit and the bits that it covers. Encode sets parity bits in the order of the
// table, since one may cover another.
type parity struct {
	at   uint8
	odd  bool
	over []uint8
}

type fixed struct{ at, bit uint8 }

// Fields are the numbers of a card, as printed on it or listed for it. They are right only if the
// format is, so people are matched by all bits of the card, never by Fields.
type Fields struct {
	Facility uint64
	Card     uint64 // its low 64 bits, see Number
	Issue    uint64 // how often the card was replaced
	OEM      uint64 // code of the maker or the agency

	HasFacility, HasIssue, HasOEM bool // false where the format has none

	Above [3]uint64 // the words of the card number above its low 64 bits, lowest first
}

// Number is the whole card number; few formats have one of more than 64 bits.
func (v Fields) Number() *big.Int { return v.number().big() }

// SetNumber sets the whole card number. It returns false, and sets nothing, for a negative number
// or one of more than 256 bits.
func (v *Fields) SetNumber(n *big.Int) bool {
	if n.Sign() < 0 || n.BitLen() > 256 {
		return false
	}
	v.setNumber(numberOf(n))
	return true
}

func (v *Fields) setNumber(n number) { v.Card, v.Above = n[0], [3]uint64(n[1:]) }

func (v Fields) number() number { return number{v.Card, v.Above[0], v.Above[1], v.Above[2]} }

// Decode checks c and splits it into its numbers; the errors are those of Check. A number above the
// limit of the format is returned as it is: nobody is locked out because of a number.
func (f Format) Decode(c device.Card) (Fields, error) {
	if err := f.Check(c); err != nil {
		return Fields{}, err
	}
	return f.split(c), nil
}

func (f *Format) split(c device.Card) Fields {
	v := f.has()
	v.Facility, v.Issue, v.OEM = f.facility.get(c)[0], f.issue.get(c)[0], f.oem.get(c)[0]
	v.setNumber(f.card.get(c))
	return v
}

// has returns which numbers the format has.
func (f *Format) has() Fields {
	return Fields{HasFacility: f.facility.list != nil, HasIssue: f.issue.list != nil, HasOEM: f.oem.list != nil}
}

// Limits returns which numbers the format has, and the highest of each that Encode accepts.
func (f Format) Limits() Fields {
	v := f.has()
	v.Facility, v.Issue, v.OEM = f.facility.limit()[0], f.issue.limit()[0], f.oem.limit()[0]
	v.setNumber(f.card.limit())
	return v
}

// Encode returns the card that a reader would send for v; bits that the format does not use are
// zero. It fails if a number does not fit, if v has a number that the format has not, or if v lacks
// one that the format has.
func (f Format) Encode(v Fields) (device.Card, error) {
	var bits [device.MaxCardBits]uint8
	for _, part := range []struct {
		name  string
		field *field
		given bool
		value number
	}{
		{"facility", &f.facility, v.HasFacility, number{v.Facility}},
		{"issue level", &f.issue, v.HasIssue, number{v.Issue}},
		{"OEM code", &f.oem, v.HasOEM, number{v.OEM}},
		{"card number", &f.card, true, v.number()},
	} {
		has := part.field.list != nil
		switch {
		case !has && (part.given || part.value != number{}):
			return device.Card{}, fmt.Errorf("encode %s: it has no %s", f.Name, part.name)
		case has && !part.given:
			return device.Card{}, fmt.Errorf("encode %s: it has a %s and none is given", f.Name, part.name)
		case part.field.only != 0 && part.value != number{part.field.only}:
			return device.Card{}, fmt.Errorf("encode %s: its %s is always %d", f.Name, part.name, part.field.only)
		case part.field.limit().less(part.value):
			return device.Card{}, fmt.Errorf("encode %s: %s above %v", f.Name, part.name, part.field.limit())
		}
		part.field.put(&bits, part.value)
	}
	f.complete(&bits)
	var c device.Card
	for _, b := range bits[:f.Bits] {
		c, _ = c.Append(b)
	}
	return c, nil
}

// Check returns nil if c can be a card of this format, else ErrLength or ErrParity (wrapped). A
// format without checks accepts any bits of its length.
func (f Format) Check(c device.Card) error {
	switch {
	case c.Len() != f.Bits:
		return fmt.Errorf("check %s of %d bits: %w: %d bits", f.Name, f.Bits, ErrLength, c.Len())
	case !f.holds(c):
		return fmt.Errorf("check %s: %w", f.Name, ErrParity)
	}
	return nil
}

// holds reports whether all checks of a card of the right length pass: completing it again changes
// nothing. It runs for every frame and allocates nothing.
func (f *Format) holds(c device.Card) bool {
	var have [device.MaxCardBits]uint8
	for i := range f.Bits {
		have[i] = c.Bit(i)
	}
	want := have
	f.complete(&want)
	return want == have && f.facility.holds(c) && f.card.holds(c)
}

// complete sets all bits that are not data: fixed bits, parity bits and the XOR.
func (f *Format) complete(bits *[device.MaxCardBits]uint8) {
	for _, x := range f.fixed {
		bits[x.at] = x.bit
	}
	for _, p := range f.parity {
		var sum uint8
		if p.odd {
			sum = 1
		}
		for _, i := range p.over {
			sum ^= bits[i]
		}
		bits[p.at] = sum
	}
	for i := range f.xorWidth {
		var sum uint8
		for at := i; at < f.Bits-f.xorWidth; at += f.xorWidth {
			sum ^= bits[at]
		}
		bits[f.Bits-f.xorWidth+i] = sum
	}
}

// unused returns how many bits of c are set that the format does not use. Encode leaves them zero.
func (f *Format) unused(c device.Card) (n int) {
	var used [device.MaxCardBits]bool
	for _, d := range []*field{&f.facility, &f.card, &f.issue, &f.oem} {
		for _, at := range d.list {
			used[at] = true
		}
	}
	for _, p := range f.parity {
		used[p.at] = true
	}
	for _, x := range f.fixed {
		used[x.at] = true
	}
	for i := range f.Bits - f.xorWidth {
		if !used[i] && c.Bit(i) == 1 {
			n++
		}
	}
	return n
}

// holds reports whether the number is one that the field allows.
func (d *field) holds(c device.Card) bool {
	if d.bcd {
		for i := 0; i < len(d.list); i += 4 {
			// 10 to 15 have the first bit set, and one of the next two.
			if c.Bit(int(d.list[i]))&(c.Bit(int(d.list[i+1]))|c.Bit(int(d.list[i+2]))) != 0 {
				return false
			}
		}
	}
	return d.only == 0 || d.get(c) == number{d.only}
}

// get returns the number; 0 if the field is empty.
func (d *field) get(c device.Card) (v number) {
	for i, at := range d.list {
		low := len(d.list) - 1 - i
		v[low/64] |= uint64(c.Bit(int(at))) << (low % 64)
	}
	if d.bcd {
		return v.fromBCD()
	}
	return v
}

// put writes a number that is at most limit.
func (d *field) put(bits *[device.MaxCardBits]uint8, v number) {
	if d.bcd {
		v = v.toBCD()
	}
	for i, at := range d.list {
		low := len(d.list) - 1 - i
		bits[at] = uint8(v[low/64] >> (low % 64) & 1)
	}
}

// limit returns the highest number that put accepts.
func (d *field) limit() (v number) {
	switch {
	case d.only != 0:
		return number{d.only}
	case d.max != 0:
		return number{d.max}
	}
	for i := range d.list {
		v[i/64] |= 1 << (i % 64)
		if d.bcd && i%4 == 3 { // a digit of 9, not 15
			v[i/64] &^= 6 << (i % 64 &^ 3)
		}
	}
	if d.bcd {
		return v.fromBCD()
	}
	return v
}
