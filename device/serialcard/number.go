package serialcard

import (
	"fmt"
	"slices"
	"strconv"

	"gatehouse/device"
)

// base is the notation of a number.
type base uint8

const (
	hexUpper base = iota // 'A' and 'a' differ by one bit: accepting both would hide a flipped bit
	hexLower
	decimal
	printable // no number: a code
)

// order is the byte order of a number.
type order uint8

const (
	msbFirst order = iota
	lsbFirst
)

// decimalBits are the lengths of the decimal numbers, with leading zeros, that readers send, and
// the bits that each stands for: as many digits as the highest number of those bits. Ten digits are
// printed on EM4100 cards.
var decimalBits = map[int]int{5: 16, 8: 24, 10: 32, 13: 40, 15: 48, 17: 56, 20: 64}

// bits returns the bits of a number of n digits; 0 if there is no such number.
func (b base) bits(n int) int {
	switch {
	case b == decimal:
		return decimalBits[n]
	case b != printable && n >= 2 && n <= device.MaxCardBits/4 && n%2 == 0:
		return 4 * n
	}
	return 0
}

// has reports whether c is a digit, or of a code a character.
func (b base) has(c byte) bool {
	switch b {
	case hexUpper:
		return c-'0' <= 9 || c-'A' <= 5
	case hexLower:
		return c-'0' <= 9 || c-'a' <= 5
	case decimal:
		return c-'0' <= 9
	}
	return c-' ' < 0x7F-' '
}

// nibble returns the value of a hex digit in either case.
func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0xF + 9
}

// parse returns the card of a number in digits, or false for a decimal number that its bits can't
// hold. The caller has checked length and digits.
func (b base) parse(digits []byte, o order) (device.Card, bool) {
	var raw [device.MaxCardBits / 8]byte
	n := b.bits(len(digits)) / 8
	number := raw[:n]
	if b == decimal {
		v, err := strconv.ParseUint(string(digits), 10, 8*n)
		if err != nil {
			return device.Card{}, false
		}
		for i := range number {
			number[n-1-i] = byte(v >> (8 * i))
		}
	} else {
		for i := range number {
			number[i] = nibble(digits[2*i])<<4 | nibble(digits[2*i+1])
		}
	}
	return cardOf(number, o), true
}

// cardOf returns a card of whole bytes; it may reverse number in place.
func cardOf(number []byte, o order) device.Card {
	if o == lsbFirst {
		slices.Reverse(number)
	}
	c, err := device.NewCard(number, 8*len(number))
	if err != nil {
		return device.Card{} // no length of a layout is like this
	}
	return c
}

// appendDigits is the inverse of parse.
func (b base) appendDigits(out []byte, card device.Card, o order) []byte {
	number := bytesOf(card, o)
	if b == decimal {
		var v uint64
		for _, x := range number {
			v = v<<8 | uint64(x)
		}
		for n, size := range decimalBits {
			if size == card.Len() {
				out = fmt.Appendf(out, "%0*d", n, v)
			}
		}
		return out
	}
	for _, x := range number {
		out = b.appendByte(out, x)
	}
	return out
}

// bytesOf is the inverse of cardOf.
func bytesOf(card device.Card, o order) []byte {
	number := card.Bytes()
	if o == lsbFirst {
		slices.Reverse(number)
	}
	return number
}

// appendByte appends two hex digits.
func (b base) appendByte(out []byte, x byte) []byte {
	digits := "0123456789ABCDEF"
	if b == hexLower {
		digits = "0123456789abcdef"
	}
	return append(out, digits[x>>4], digits[x&15])
}

// ghosts are numbers that RDM6300 modules and clones sent with right checksums and no card near
// (arendst/Tasmota issue 9522, esprfid/esp-rfid issue 411). Layout.Confirm keeps out others of the
// kind.
var ghosts = []uint64{
	0x000000078F, 0x00F00000F0, 0xF000060007, 0xB59A99E5A9,
	0x4FFB388FFF, 0xDA9386B5EA, 0xDAEF6FEE2B,
}

// ghostTails are the low 32 bits of such numbers; the reports have no more.
var ghostTails = []uint32{0x00000000, 0x0C000000, 0x7DDFFDDF}

// madeUp reports whether no card has the number. Ghosts are known only of 40-bit modules; a number
// of zeros is never a card.
func madeUp(c device.Card) bool {
	if c.Len() == 40 {
		v := c.Uint64(0, 40)
		return slices.Contains(ghosts, v) || slices.Contains(ghostTails, uint32(v))
	}
	for i := 0; i < c.Len(); i += 64 {
		if c.Uint64(i, 64) != 0 { // bits after the last one are 0
			return false
		}
	}
	return true
}
