package serialcard

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// text is a frame of characters: prefix, skipped characters, a number with its check digits or a
// code, suffix, end.
type text struct {
	prefix string // its first byte occurs nowhere else, so that it always begins a frame
	skip   int    // characters before the number with another meaning: a reader's own number, a length
	base   base
	order  order
	digits []int // of the number; several lengths only with a prefix and a check, or the rest of a long number could pass for a short one
	check  check
	suffix string // characters after the number
	end    end
	aim    bool // remove the three characters that identify the kind of bar code
}

// check is how damage to a frame is detected.
type check uint8

const (
	checkNone   check = iota
	checkDigits       // two hex digits after the number: the XOR of its bytes
	checkFrame        // one byte after the end: the XOR of all before it
)

// end is how a frame ends.
type end uint8

const (
	endAny end = iota // CR or LF or both
	endCR
	endLF
	endCRLF
	endETX
	endEOT
	endSilence // 50 ms of silence
)

// endings are the bytes of each end; the first byte of endAny's is enough.
var endings = [...]string{endAny: "\r\n", endCR: "\r", endLF: "\n", endCRLF: "\r\n", endETX: "\x03", endEOT: "\x04", endSilence: ""}

const (
	maxFrame = 64 // bytes of a card's frame: the longest known has 16
	aimSize  = 3  // "]Q1": flag, kind, modifier (ISO/IEC 15424)
)

// maxBody returns the most characters between prefix and suffix.
func (t *text) maxBody() int {
	if t.base == printable {
		if t.aim {
			return device.MaxCode + aimSize
		}
		return device.MaxCode
	}
	return t.skip + slices.Max(t.digits) + t.checkSize()
}

func (t *text) checkSize() int {
	if t.check == checkDigits {
		return 2
	}
	return 0
}

// tail returns the bytes that must follow the number.
func (t *text) tail() string {
	if t.end == endAny {
		return t.suffix + "\r" // or "\n": see textDecoder.ends
	}
	return t.suffix + endings[t.end]
}

// valid refuses frames that the decoder can't separate.
func (t *text) valid() error {
	for _, check := range []func() error{t.validKind, t.validEnds, t.validDigits} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (t *text) validKind() error {
	switch {
	case t.base != printable && len(t.digits) == 0:
		return errors.New("no number of digits")
	case t.base == printable && (len(t.digits) > 0 || t.skip > 0 || t.check == checkDigits):
		return errors.New("a code has no digits, nothing to skip and no check digits")
	case t.base != printable && t.aim:
		return errors.New("only a code has the characters of AIM before it")
	case t.check == checkFrame && (t.end == endAny || t.end == endSilence):
		return errors.New("a check byte after the end needs an end of its own")
	case t.base == decimal && t.check == checkDigits:
		return errors.New("check digits are of hex numbers only")
	}
	return nil
}

func (t *text) validEnds() error {
	tail := t.suffix + endings[t.end]
	switch {
	case t.skip < 0 || t.base != printable && t.frameSize() > maxFrame:
		return fmt.Errorf("longer than %d bytes", maxFrame)
	case len(t.prefix)+len(t.suffix) > maxFrame:
		return fmt.Errorf("prefix and suffix longer than %d bytes", maxFrame)
	case t.prefix != "" && (t.base.has(t.prefix[0]) || strings.Contains(t.prefix[1:]+tail, t.prefix[:1])):
		return errors.New("the first character of the prefix stands inside the frame too")
	case tail != "" && t.base.has(tail[0]):
		return errors.New("what follows the number begins like one more character of it")
	}
	return nil
}

func (t *text) validDigits() error {
	switch {
	case len(t.digits) > 1 && (t.prefix == "" || t.check == checkNone):
		return errors.New("numbers of several lengths need a prefix and a check, or the end of a long one could pass for a short one")
	case t.prefix == "" && t.skip > 0 && t.end == endSilence:
		return errors.New("skipped characters need a prefix or an end")
	}
	for _, n := range t.digits {
		if t.base.bits(n) == 0 {
			return fmt.Errorf("a number of %d digits: %s", n, t.base.lengths())
		}
	}
	return nil
}

func (b base) lengths() string {
	if b == decimal {
		return "want 5, 8, 10, 13, 15, 17 or 20 decimal ones"
	}
	return fmt.Sprintf("want 2 to %d hex ones, an even number", device.MaxCardBits/4)
}

// frameSize returns the size of the longest frame in bytes.
func (t *text) frameSize() int {
	n := len(t.prefix) + t.maxBody() + len(t.suffix) + len(endings[t.end])
	if t.check == checkFrame {
		n++
	}
	return n
}

// fits reports whether a number, with its check digits, or a code may have n characters.
func (t *text) fits(n int) bool {
	if t.base == printable {
		return n > 0
	}
	return slices.Contains(t.digits, n-t.skip-t.checkSize())
}

// read returns the event of the characters of a whole frame.
func (t *text) read(body []byte) (device.Event, fault.Code) {
	if t.base == printable {
		return t.readCode(string(body))
	}
	number := body[t.skip : len(body)-t.checkSize()]
	if t.check == checkDigits {
		if hexXOR(body[t.skip:]) != 0 { // with its check digits the sum is 0
			return device.Event{}, fault.Checksum
		}
	}
	card, ok := t.base.parse(number, t.order)
	if !ok {
		return device.Event{}, fault.Length
	}
	return cardRead(card)
}

// hexXOR returns the XOR of the bytes in hex.
func hexXOR(digits []byte) (sum byte) {
	for i := 0; i < len(digits); i += 2 {
		sum ^= nibble(digits[i])<<4 | nibble(digits[i+1])
	}
	return sum
}

func (t *text) readCode(s string) (device.Event, fault.Code) {
	if t.aim && len(s) >= aimSize && s[0] == ']' {
		s = s[aimSize:]
	}
	code, ok := device.NewCode(s)
	if !ok {
		return device.Event{}, fault.Length
	}
	return device.Event{Kind: device.CodeRead, Code: code}, fault.None
}

func cardRead(card device.Card) (device.Event, fault.Code) {
	if madeUp(card) {
		return device.Event{}, fault.Ghost
	}
	return device.Event{Kind: device.CardRead, Card: card}, fault.None
}

// encode returns a whole frame. Skipped characters are zeros.
func (t *text) encode(card device.Card) []byte {
	out := append([]byte(t.prefix), strings.Repeat("0", t.skip)...)
	start := len(out)
	out = t.base.appendDigits(out, card, t.order)
	if t.check == checkDigits {
		out = t.base.appendByte(out, hexXOR(out[start:]))
	}
	out = append(append(out, t.suffix...), endings[t.end]...)
	if t.check == checkFrame {
		out = append(out, xor(out))
	}
	return out
}
