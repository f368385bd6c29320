package wiegand

import (
	"gatehouse/device"
	"gatehouse/device/fault"
)

const (
	// minLearned is the shortest frame that format learning takes for a card. No card in the
	// field is shorter, and no burst of a key as long.
	minLearned = 24
	// maxBurst is what a garbled key may have grown to (the longest has 10
	// bits): longer is a broken card.
	maxBurst = 16
)

// judge tells what a frame is by its bits alone.
type judge struct {
	formats []Format
	pad     pad
	learn   bool
	reverse bool
}

// card tells what a frame is. What is the keypad's is never a card, and what is a
// card's is never a key.
func (j *judge) card(c device.Card) Frame {
	if j.pad.claims(c) {
		return j.pad.read(c)
	}
	if j.learn && c.Len() >= minLearned {
		return Frame{Card: c}
	}
	found := fault.Length
	for i := range j.formats {
		x := &j.formats[i]
		if x.Bits != c.Len() {
			continue
		}
		if x.holds(c) {
			return Frame{Card: j.turned(x, c)}
		}
		found = fault.Parity
	}
	if found == fault.Length && j.pad.single() && c.Len() <= maxBurst {
		found = fault.KeyBurst
	}
	return Frame{Fault: found}
}

// turned undoes the order of a reader that sends the bytes backward.
func (j *judge) turned(x *Format, c device.Card) device.Card {
	if j.reverse {
		c, _ = reversed(*x, c)
	}
	return c
}

// checked tells whether a format can tell a wrong bit from a right one.
func checked(x Format) bool {
	for i := range x.Bits + 1 {
		if !x.holds(oneBit(i, x.Bits)) {
			return true
		}
	}
	return false
}
