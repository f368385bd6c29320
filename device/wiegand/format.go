package wiegand

import (
	"errors"
	"fmt"
	"math/big"

	"gatehouse/device"
)

// ErrLength means that a card has not as many bits as the format.
var ErrLength = errors.New("wrong length")

// ErrParity means that a check inside the card fails: a parity bit, a bit or a
// number that the format fixes, a decimal digit above 9, or its XOR of groups.
var ErrParity = errors.New("wrong parity")

// Format is one layout of bits, as data. Formats of one length can't be told
// apart by their bits: which one a reader sends is a setting. Get one from Lookup.
type Format struct {
	Name string // as the trade calls it
	Bits int    // all bits on the wire, parity included

	facility, card, issue, oem field // no list: the format has none
	parity                     []parity
	fixed                      []fixed
	xorWidth                   int // last xorWidth bits are the XOR of all groups of that width before; 0: none
}

// field is a number whose bits are where list says, most significant first.
type field struct {
	list []uint8
	max  uint64 // highest that the maker issues, where the bits could hold more; 0: the bits alone
	only uint64 // all cards of the format have this number; 0: any
	bcd  bool   // decimal digits of four bits
}

// parity is one parity bit and the bits that it covers. Encode sets them in the
// order of the table, since one may cover another.
type parity struct {
	at   uint8
	odd  bool
	over []uint8
}

type fixed struct{ at, bit uint8 }

// Fields are the numbers printed on or told of a card. They depend on a guess
// at the format: match people by all bits of the card, never by these.
type Fields struct {
	Facility uint64
	Card     uint64 // its low 64 bits, see Number
	Issue    uint64 // how often the card was replaced
	OEM      uint64 // code of the maker or the agency

	HasFacility, HasIssue, HasOEM bool // false where the format has none

	Above [3]uint64 // what a card number has above 64 bits, lower words first
}

// Number is the whole card number; few formats have one of more than 64 bits.
func (v Fields) Number() *big.Int { return v.number().big() }

// SetNumber sets the whole card number; false, and nothing set, when it is
// negative or has more than 256 bits.
func (v *Fields) SetNumber(n *big.Int) bool {
	if n.Sign() < 0 || n.BitLen() > 256 {
		return false
	}
	v.setNumber(numberOf(n))
	return true
}

func (v *Fields) setNumber(n number) { v.Card, v.Above = n[0], [3]uint64(n[1:]) }

func (v Fields) number() number { return number{v.Card, v.Above[0], v.Above[1], v.Above[2]} }

// Decode checks c and splits it into its numbers. It tells a number above the
// limit of the format as it is: nobody is kept out for a number.
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

// has tells which numbers the format has.
func (f *Format) has() Fields {
	return Fields{HasFacility: f.facility.list != nil, HasIssue: f.issue.list != nil, HasOEM: f.oem.list != nil}
}

// Limits tells which numbers the format has and the highest that Encode takes
// of each.
func (f Format) Limits() Fields {
	v := f.has()
	v.Facility, v.Issue, v.OEM = f.facility.limit()[0], f.issue.limit()[0], f.oem.limit()[0]
	v.setNumber(f.card.limit())
	return v
}

// Encode makes the card that a reader would send for v; bits that the format
// does not use are zero. It fails when a number does not fit, or when v has one
// that the format has not, or the reverse.
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

// Check tells whether c can be a card of this format: nil, ErrLength or
// ErrParity (wrapped). A format without checks takes any bits of its length.
func (f Format) Check(c device.Card) error {
	switch {
	case c.Len() != f.Bits:
		return fmt.Errorf("check %s of %d bits: %w: %d bits", f.Name, f.Bits, ErrLength, c.Len())
	case !f.holds(c):
		return fmt.Errorf("check %s: %w", f.Name, ErrParity)
	}
	return nil
}

// holds checks a card of the right length: that completing it anew changes nothing. It
// runs for every frame and allocates nothing.
func (f *Format) holds(c device.Card) bool {
	var have [device.MaxCardBits]uint8
	for i := range f.Bits {
		have[i] = c.Bit(i)
	}
	want := have
	f.complete(&want)
	return want == have && f.facility.holds(c) && f.card.holds(c)
}

// complete sets all bits that are no data.
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

// unused counts the bits of c that are set although the format has no use for
// them: Encode has them zero.
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

// holds checks what a number tells by itself.
func (d *field) holds(c device.Card) bool {
	if d.bcd {
		for i := 0; i < len(d.list); i += 4 {
			// 10 to 15 have the first bit and one of the next two.
			if c.Bit(int(d.list[i]))&(c.Bit(int(d.list[i+1]))|c.Bit(int(d.list[i+2]))) != 0 {
				return false
			}
		}
	}
	return d.only == 0 || d.get(c) == number{d.only}
}

// get reads the number; 0 where there is none.
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

// put writes a number up to the limit.
func (d *field) put(bits *[device.MaxCardBits]uint8, v number) {
	if d.bcd {
		v = v.toBCD()
	}
	for i, at := range d.list {
		low := len(d.list) - 1 - i
		bits[at] = uint8(v[low/64] >> (low % 64) & 1)
	}
}

// limit is the highest number that put takes.
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
