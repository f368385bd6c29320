// Package wiegand makes cards and keys of the pulses on two wires: Format knows
// the layouts of cards and Keypad those of keys, Framer cuts edges into frames,
// Reader runs them on the lines of one reader.
//
// It refuses to guess. A frame that lost an edge, has a wrong length or parity,
// comes faster than any reader sends, has a pulse too many by its times, or comes
// right after the lines were opened is a fault and never a card; so are bits that
// trail a card. What may be a garbled key costs the PIN: no digit of it is kept. It
// drives no hardware itself and keeps no card longer than it takes to hand it on.
//
// The wire (SIA AC-01): both lines idle; a pulse of 20 to 100 us on D0 is a 0,
// on D1 a 1; 200 us to 20 ms from bit to bit; a frame ends with silence.
package wiegand
