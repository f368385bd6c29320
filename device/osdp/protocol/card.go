package protocol

import (
	"encoding/binary"
	"fmt"

	"gatehouse/device"
)

// Card returns the card in a RAW or FMT reply that is not encrypted, as the
// reader sent its bits: a Bus checks them as well.
func (f Frame) Card() (device.Card, error) {
	switch {
	case !f.Reply || f.Block.Type == blockCryptReply:
	case f.Code == ReplyRaw:
		return parseRaw(f.Data)
	case f.Code == ReplyFmt:
		return parseFmt(f.Data)
	}
	return device.Card{}, fmt.Errorf("%s has no card in clear text", f.Name())
}

// Keys writes the keys of a KEYPAD reply that is not encrypted behind dst, as
// device.Keypad takes them: digits, * and #, and 0 for what is no key.
func (f Frame) Keys(dst []byte) ([]byte, error) {
	if !f.Reply || f.Block.Type == blockCryptReply || f.Code != ReplyKeypad {
		return dst, f.unexpected("KEYPAD in clear text")
	}
	b := f.Data
	if len(b) < 2 || int(b[1]) != len(b)-2 {
		return dst, fmt.Errorf("%w: KEYPAD of %d bytes", ErrLength, len(b))
	}
	for _, key := range b[2:] {
		dst = append(dst, keyOf(key))
	}
	return dst, nil
}

// parseRaw takes a card. Bits after the last one are dropped: not every reader
// sends them as zero.
func parseRaw(b []byte) (device.Card, error) {
	if len(b) < 4 {
		return device.Card{}, sizeError("RAW", len(b), 4)
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	bits := b[4:]
	if n == 0 || n > device.MaxCardBits || len(bits) != (n+7)/8 {
		return device.Card{}, fmt.Errorf("%w: RAW says %d bits and has %d bytes", ErrLength, n, len(bits))
	}
	var clean [device.MaxCardBits / 8]byte
	copy(clean[:], bits)
	if n%8 != 0 {
		clean[len(bits)-1] &= 0xFF << (8 - n%8)
	}
	return device.NewCard(clean[:len(bits)], n)
}

// parseFmt takes the deprecated form of a card: its characters, 8 bits each. A
// card that was drawn backwards comes backwards.
func parseFmt(b []byte) (device.Card, error) {
	if len(b) < 3 {
		return device.Card{}, sizeError("FMT", len(b), 3)
	}
	text := b[3:]
	if int(b[2]) != len(text) || len(text) == 0 || 8*len(text) > device.MaxCardBits {
		return device.Card{}, fmt.Errorf("%w: FMT says %d characters and has %d", ErrLength, b[2], len(text))
	}
	var chars [device.MaxCardBits / 8]byte
	for i, c := range text {
		if b[1] == 1 {
			i = len(text) - 1 - i
		}
		chars[i] = c
	}
	return device.NewCard(chars[:len(text)], 8*len(text))
}

// keyOf translates a key of KEYPAD to device.Keypad's; 0 for none.
func keyOf(b byte) byte {
	switch {
	case b >= '0' && b <= '9':
		return b
	case b == 0x0D || b == '#':
		return '#'
	case b == 0x7F || b == '*':
		return '*'
	}
	return 0
}
