// Package wiegand decodes the pulses of a Wiegand reader's two wires into cards and keys. Format
// has the bit layouts of cards and Keypad those of keys, Framer cuts edges into frames, Reader
// serves the lines of one reader.
//
// The package never guesses. A frame is a fault and never a card when it lost an edge, has a wrong
// length or parity, comes faster than any reader sends, has one pulse too many by its times, or
// starts right after the lines were opened; so are bits that follow a card. A burst that may be a
// garbled key discards the whole PIN. The package drives no hardware itself and keeps a card only
// until it is delivered.
//
// The wire (SIA AC-01): both lines idle high; a pulse of 20 to 100 us on D0 is a 0, on D1 a 1; 200
// us to 20 ms from bit to bit; silence ends a frame.
package wiegand
