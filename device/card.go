package device

import (
	"encoding/json"
	"errors"
	"fmt"
)

// MaxCardBits is the longest credential that a Card holds. The longest in the
// field is FASC-N with 200 bits.
const MaxCardBits = 256

// Card is one credential as a reader received it: the bits in the order of the
// wire, parity included. It is comparable, needs no heap, and never prints its
// bits: a raw number lives in memory for one swipe (see Bytes).
type Card struct {
	n    uint16
	bits [MaxCardBits / 8]byte // left-justified, the rest zero
}

// NewCard makes a Card of n bits from left-justified bytes. Bits after the n-th
// must be zero and there may be no byte too many, so that equal cards are equal.
func NewCard(bits []byte, n int) (Card, error) {
	if n < 1 || n > MaxCardBits {
		return Card{}, fmt.Errorf("card of %d bits: want 1 to %d", n, MaxCardBits)
	}
	if len(bits) != (n+7)/8 {
		return Card{}, fmt.Errorf("card of %d bits in %d bytes: want %d", n, len(bits), (n+7)/8)
	}
	if n%8 != 0 && bits[len(bits)-1]<<(n%8) != 0 {
		return Card{}, errors.New("card has bits set after its last one")
	}
	c := Card{n: uint16(n)}
	copy(c.bits[:], bits)
	return c, nil
}

// CardOf makes a Card of the low n bits of v, n from 1 to 64.
func CardOf(v uint64, n int) Card {
	c := Card{}
	for i := range n {
		c, _ = c.Append(byte(v >> (n - 1 - i) & 1))
	}
	return c
}

// Append returns the card with one more bit at its end. It reports false, and
// changes nothing, when the card is full.
func (c Card) Append(bit byte) (Card, bool) {
	if c.n >= MaxCardBits {
		return c, false
	}
	if bit != 0 {
		c.bits[c.n/8] |= 0x80 >> (c.n % 8)
	}
	c.n++
	return c, true
}

// Len returns the number of bits; 0 is no card.
func (c Card) Len() int { return int(c.n) }

// Bit returns bit i, 0 being the first on the wire; 0 outside the card.
func (c Card) Bit(i int) byte {
	if i < 0 || i >= int(c.n) {
		return 0
	}
	return c.bits[i/8] >> (7 - i%8) & 1
}

// Bytes returns the bits left-justified and zero-padded to whole bytes. They
// are the raw card number: hash them, encode them, never log or send them.
func (c Card) Bytes() []byte { return c.AppendBytes(nil) }

// AppendBytes appends Bytes to b, for callers with memory of their own.
func (c Card) AppendBytes(b []byte) []byte { return append(b, c.bits[:(int(c.n)+7)/8]...) }

// Uint64 returns bits first to first+count-1 as a number, count up to 64.
func (c Card) Uint64(first, count int) uint64 {
	var v uint64
	for i := range count {
		v = v<<1 | uint64(c.Bit(first+i))
	}
	return v
}

// String tells the length only.
func (c Card) String() string { return fmt.Sprintf("card of %d bits", c.n) }

// Format keeps every verb of fmt from printing the bits.
func (c Card) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// MarshalJSON keeps encoders from writing the bits.
func (c Card) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// MaxCode is the longest text of a Code in bytes. The largest QR code (version
// 40, ISO/IEC 18004) holds 2,953.
const MaxCode = 2953

// Code is the text of a bar code or QR code as a scanner sent it. Whoever has the
// text can show it again, so that it never prints.
type Code struct{ text string }

// NewCode makes a Code; false for an empty text or one that is too long.
func NewCode(text string) (Code, bool) {
	return Code{text}, text != "" && len(text) <= MaxCode
}

// Text returns what the code says: check it, never log or keep it.
func (c Code) Text() string { return c.text }

// String tells the length only.
func (c Code) String() string { return fmt.Sprintf("code of %d bytes", len(c.text)) }

// Format keeps every verb of fmt from printing the text.
func (c Code) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.String())) }

// MarshalJSON keeps encoders from writing the text.
func (c Code) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }
