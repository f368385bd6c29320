package wiegand

import "gatehouse/device"

// reversed returns a card of the format with the bytes of its number the other
// way round, as some readers send the number of a MIFARE card, and true. The
// bytes are all bits, or all but a parity bit at either end, which is made anew.
// It returns the card as it is, and false, where the format is not so.
func reversed(f Format, c device.Card) (device.Card, bool) {
	margin := 0
	if c.Len()%8 == 2 {
		margin = 1
	}
	data := c.Len() - 2*margin
	if c.Len() != f.Bits || data < 8 || data%8 != 0 {
		return c, false
	}
	found := device.Card{}
	for ends := range 1 << (2 * margin) { // each value of the parity bits
		turned := device.Card{}
		if margin == 1 {
			turned, _ = turned.Append(byte(ends >> 1))
		}
		for i := range data {
			turned, _ = turned.Append(c.Bit(margin + data - 8 - i/8*8 + i%8))
		}
		if margin == 1 {
			turned, _ = turned.Append(byte(ends & 1))
		}
		switch {
		case !f.holds(turned):
		case found.Len() != 0: // the ends are no parity
			return c, false
		default:
			found = turned
		}
	}
	if found.Len() == 0 {
		return c, false
	}
	return found, true
}

// reversible tells whether every card of the format can be reversed: each bit
// alone, and none, with parity bits that fit.
func reversible(f Format) bool {
	for i := range f.Bits + 1 {
		if _, ok := reversed(f, oneBit(i, f.Bits)); !ok {
			return false
		}
	}
	return true
}

// inverse flips every bit, as swapped wires do.
func inverse(c device.Card) device.Card {
	var inv device.Card
	for i := range c.Len() {
		inv, _ = inv.Append(1 - c.Bit(i))
	}
	return inv
}

// oneBit is a card of n zeros but for bit i, if it has that.
func oneBit(i, n int) device.Card {
	var c device.Card
	for k := range n {
		bit := byte(0)
		if k == i {
			bit = 1
		}
		c, _ = c.Append(bit)
	}
	return c
}
