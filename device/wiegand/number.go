package wiegand

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"slices"

	"gatehouse/device"
)

// number is an unsigned number of 256 bits, as many as the longest card, lowest word first. It is
// comparable and needs no heap.
type number [4]uint64

func numberOf(n *big.Int) (v number) {
	var b [32]byte
	n.FillBytes(b[:])
	for i := range v {
		v[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return v
}

func (v number) big() *big.Int {
	var b [32]byte
	for i, word := range v {
		binary.BigEndian.PutUint64(b[24-8*i:], word)
	}
	return new(big.Int).SetBytes(b[:])
}

// String returns the number in decimal.
func (v number) String() string { return v.big().String() }

func (v number) less(w number) bool {
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// fromBCD decodes decimal digits of four bits each, none above 9.
func (v number) fromBCD() (sum number) {
	for shift := 252; shift >= 0; shift -= 4 {
		carry := v[shift/64] >> (shift % 64) & 15
		for i := range sum {
			high, low := bits.Mul64(sum[i], 10)
			var over uint64
			sum[i], over = bits.Add64(low, carry, 0)
			carry = high + over
		}
	}
	return sum
}

// toBCD is the inverse of fromBCD, for up to 64 digits.
func (v number) toBCD() (bcd number) {
	for shift := 0; shift < 256 && v != (number{}); shift += 4 {
		var digit uint64
		for i := len(v) - 1; i >= 0; i-- {
			v[i], digit = bits.Div64(digit, v[i], 10)
		}
		bcd[shift/64] |= digit << (shift % 64)
	}
	return bcd
}

// NumberBits returns the size of the number that the format carries unchanged and in one piece, up
// to 64 bits, with at most a parity bit at either end or the check digit of W44 around it. It is 0
// for a format that leaves bits out or has other fields.
func (f Format) NumberBits() int {
	list := slices.Concat(f.facility.list, f.card.list)
	n := len(list)
	for i, at := range list {
		if at != list[0]+uint8(i) {
			return 0
		}
	}
	framed := n > 0 && (list[0] == 1 && n+2 == f.Bits || list[0] == 0 && n+f.xorWidth == f.Bits)
	if !f.card.plain() || !f.facility.plain() || !framed || n > 64 || f.issue.list != nil || f.oem.list != nil {
		return 0
	}
	return n
}

// plain reports whether the field allows every number that its bits can hold.
func (d *field) plain() bool { return d.max == 0 && d.only == 0 && !d.bcd }

// Frame returns the card of number v in a format with NumberBits; an error if v does not fit, or
// the format has none.
func (f Format) Frame(v uint64) (device.Card, error) {
	n := f.NumberBits()
	if n == 0 || n < 64 && v>>n != 0 {
		return device.Card{}, fmt.Errorf("frame %s: it does not carry the number as it is", f.Name)
	}
	cards := len(f.card.list)
	if f.facility.list == nil {
		return f.Encode(Fields{Card: v})
	}
	return f.Encode(Fields{Facility: v >> cards, Card: v & (1<<cards - 1), HasFacility: true})
}
