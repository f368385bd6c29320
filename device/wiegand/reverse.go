package wiegand

import "gatehouse/device"

// reversed returns a card of the format with the bytes of its number in reverse order, as some
// readers send the number of a MIFARE card, and true. The bytes are all bits, or all but a parity
// bit at either end, which is computed again. It returns the card unchanged, and false, for a
// format of another layout.
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
	for ends := range 1 << (2 * margin) { // both values of each parity bit
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
		case found.Len() != 0: // the bits at the ends are no parity
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

// reversible reports whether every card of the format can be reversed: tried with each bit alone,
// and with none.
func reversible(f Format) bool {
	for i := range f.Bits + 1 {
		if _, ok := reversed(f, oneBit(i, f.Bits)); !ok {
			return false
		}
	}
	return true
}

// inverse returns c with every bit flipped, as swapped wires send it.
func inverse(c device.Card) device.Card {
	var inv device.Card
	for i := range c.Len() {
		inv, _ = inv.Append(1 - c.Bit(i))
	}
	return inv
}

// oneBit returns a card of n bits of which only bit i is set; none if i is n.
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
