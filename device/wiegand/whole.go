package wiegand

import (
	"fmt"
	"slices"

	"gatehouse/device"
)

// Whole returns how many bits a number has that the format carries as it is, up to
// 64: one piece, with no more around it than a parity bit at either end or the check
// digit of W44. It is 0 for a format that leaves bits out, or has more than a number.
func (f Format) Whole() int {
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

// plain tells whether the number is its bits, whatever they are.
func (d *field) plain() bool { return d.max == 0 && d.only == 0 && !d.bcd }

// Frame makes the card of a format with a Whole number.
func (f Format) Frame(v uint64) (device.Card, error) {
	n := f.Whole()
	if n == 0 || n < 64 && v>>n != 0 {
		return device.Card{}, fmt.Errorf("frame %s: it does not carry the number as it is", f.Name)
	}
	cards := len(f.card.list)
	if f.facility.list == nil {
		return f.Encode(Fields{Card: v})
	}
	return f.Encode(Fields{Facility: v >> cards, Card: v & (1<<cards - 1), HasFacility: true})
}
