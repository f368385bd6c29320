package wiegand

import (
	"errors"
	"fmt"

	"gatehouse/device"
)

// ErrLength means that a card has not as many bits as the format.
var ErrLength = errors.New("wrong length")

// ErrParity means that a check inside the card fails: a parity bit, a bit that
// the format fixes, or its XOR of bytes.
var ErrParity = errors.New("wrong parity")

// Format is one layout of bits, as data. Formats of one length can't be told
// apart by their bits: which one a reader sends is a setting. Get one from Lookup.
type Format struct {
	Name string // as the trade calls it
	Bits int    // all bits on the wire, parity included

	facility, card field
	parity         []parity
	fixed          []fixed
	xorWidth       int // last xorWidth bits are the XOR of all groups of that width before; 0: none
}

// field is a number whose bits are where list says, most significant first.
type field struct {
	list []uint8
	max  uint64 // the encoder's limit where it is below the width; 0: the width alone
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
	Facility    uint64
	Card        uint64
	HasFacility bool // false where the format has none
}

// Decode checks c and splits it into its numbers.
func (f Format) Decode(c device.Card) (Fields, error) {
	if err := f.Check(c); err != nil {
		return Fields{}, err
	}
	facility, ok1 := f.facility.get(c)
	card, ok2 := f.card.get(c)
	if !ok1 || !ok2 {
		return Fields{}, fmt.Errorf("decode %s: %w: digit above 9", f.Name, ErrParity)
	}
	return Fields{Facility: facility, Card: card, HasFacility: len(f.facility.list) > 0}, nil
}

// Encode makes the card that a reader would send for v. It fails when a number
// does not fit, or when v has a facility and the format none, or the reverse.
func (f Format) Encode(v Fields) (device.Card, error) {
	if v.HasFacility != (len(f.facility.list) > 0) || !v.HasFacility && v.Facility != 0 {
		return device.Card{}, fmt.Errorf("encode %s: facility given %t, format has one %t",
			f.Name, v.HasFacility || v.Facility != 0, len(f.facility.list) > 0)
	}
	var bits [device.MaxCardBits]uint8
	if !f.facility.put(&bits, v.Facility) {
		return device.Card{}, fmt.Errorf("encode %s: facility does not fit its %d bits", f.Name, len(f.facility.list))
	}
	if !f.card.put(&bits, v.Card) {
		return device.Card{}, fmt.Errorf("encode %s: card number does not fit its %d bits", f.Name, len(f.card.list))
	}
	f.complete(&bits)
	var c device.Card
	for _, b := range bits[:f.Bits] {
		c, _ = c.Append(b)
	}
	return c, nil
}

// Check tells whether c can be a card of this format: nil, ErrLength or
// ErrParity (wrapped). A format without parity takes any bits of its length.
func (f Format) Check(c device.Card) error {
	switch {
	case c.Len() != f.Bits:
		return fmt.Errorf("check %s of %d bits: %w: %d bits", f.Name, f.Bits, ErrLength, c.Len())
	case !f.holds(c):
		return fmt.Errorf("check %s: %w", f.Name, ErrParity)
	}
	return nil
}

// holds checks parity, fixed bits and XOR of a card of the right length.
func (f Format) holds(c device.Card) bool {
	for _, p := range f.parity {
		sum := c.Bit(int(p.at))
		for _, i := range p.over {
			sum ^= c.Bit(int(i))
		}
		if (sum == 1) != p.odd {
			return false
		}
	}
	for _, x := range f.fixed {
		if c.Bit(int(x.at)) != x.bit {
			return false
		}
	}
	for i := range f.xorWidth {
		var sum uint8
		for at := i; at < f.Bits; at += f.xorWidth {
			sum ^= c.Bit(at)
		}
		if sum != 0 {
			return false
		}
	}
	return true
}

// complete sets all bits that are no data.
func (f Format) complete(bits *[device.MaxCardBits]uint8) {
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

// get reads the number; false for a decimal digit above 9.
func (d field) get(c device.Card) (uint64, bool) {
	var v uint64
	for _, i := range d.list {
		v = v<<1 | uint64(c.Bit(int(i)))
	}
	if d.bcd {
		return fromBCD(v)
	}
	return v, true
}

// put writes the number; false when it does not fit.
func (d field) put(bits *[device.MaxCardBits]uint8, v uint64) bool {
	if d.max != 0 && v > d.max {
		return false
	}
	if d.bcd {
		v = toBCD(v)
	}
	for i := len(d.list) - 1; i >= 0; i-- {
		bits[d.list[i]] = uint8(v & 1)
		v >>= 1
	}
	return v == 0
}

// fromBCD reads decimal digits of four bits; false for one above 9.
func fromBCD(bcd uint64) (v uint64, ok bool) {
	for shift := 60; shift >= 0; shift -= 4 {
		digit := bcd >> shift & 15
		if digit > 9 {
			return 0, false
		}
		v = v*10 + digit
	}
	return v, true
}

// toBCD is its inverse for up to 16 digits; max of the field keeps v below.
func toBCD(v uint64) (bcd uint64) {
	for shift := 0; v > 0; shift += 4 {
		bcd |= v % 10 << shift
		v /= 10
	}
	return bcd
}
