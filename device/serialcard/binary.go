package serialcard

import (
	"bytes"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// binary is a frame with a length field: header, bytes for kind and length, number, XOR of all
// after the header, end. Every byte value may occur everywhere, so that only a whole frame can be
// recognised.
type binary struct {
	header string
	lenAt  int // position of the length
	plus   int // size of the whole frame, less the length
	kindAt int // position of the kind
	number int // position of the number's first byte
	end    string
	kinds  []kind
	order  order
	poll   []string // commands that poll for a card, in turn; none: the module sends unasked
}

type kind struct {
	value byte
	bytes int // of the number; 0: a good frame that means that no card is there
}

// frame7941D is 02, length of the whole frame, kind, number, XOR, 03.
var frame7941D = binary{
	header: "\x02", lenAt: 1, kindAt: 2, number: 3, end: "\x03",
	kinds: []kind{{0x02, 5}, {0x01, 4}, {0x03, 4}}, // EM4100, MIFARE Classic 1K, 4K
}

// frame7941W is CD DC, address, status, length of the data, data, XOR. The module is polled for a
// UID and for an EM4100 number in turn.
var frame7941W = binary{
	header: "\xCD\xDC", lenAt: 4, plus: 6, kindAt: 3, number: 5,
	kinds: []kind{{0x81, 4}, {0x81, 5}, {0x81, 7}, {0x80, 0}}, // done; failed: no card
	poll:  []string{"\xAB\xBA\x00\x10\x00\x10", "\xAB\xBA\x00\x15\x00\x15"},
}

// verdict classifies the bytes from a possible start of a frame.
type verdict uint8

const (
	more     verdict = iota // the start of a frame
	good                    // a whole one
	wrongSum                // a whole one with a wrong XOR
	bad                     // none
)

// judge classifies bytes from a possible start of a frame.
func (f *binary) judge(b []byte) verdict {
	n := min(len(b), len(f.header))
	if string(b[:n]) != f.header[:n] {
		return bad
	}
	if len(b) <= max(f.lenAt, f.kindAt) {
		return more
	}
	size := int(b[f.lenAt]) + f.plus
	if f.numberOf(b[f.kindAt], size) < 0 {
		return bad
	}
	if len(b) < size {
		return more
	}
	end := size - len(f.end)
	if len(b) > size || string(b[end:]) != f.end {
		return bad
	}
	if xor(b[len(f.header):end]) != 0 { // with its own XOR the sum is 0
		return wrongSum
	}
	return good
}

// numberOf returns the bytes of the number in a frame of that kind and size; -1 for no such frame.
func (f *binary) numberOf(value byte, size int) int {
	for _, k := range f.kinds {
		if k.value == value && f.number+k.bytes+1+len(f.end) == size {
			return k.bytes
		}
	}
	return -1
}

// read returns the event of a good frame; one without Kind means that no card is there.
func (f *binary) read(b []byte) (device.Event, fault.Code) {
	n := f.numberOf(b[f.kindAt], len(b))
	if n <= 0 {
		return device.Event{}, fault.None
	}
	var number [maxFrame]byte
	copy(number[:], b[f.number:f.number+n])
	return cardRead(cardOf(number[:n], f.order))
}

// encode returns a whole frame, of the first kind that has numbers of the card's length.
func (f *binary) encode(card device.Card) []byte {
	for _, k := range f.kinds {
		if 8*k.bytes != card.Len() {
			continue
		}
		size := f.number + k.bytes + 1 + len(f.end)
		out := make([]byte, f.number, size)
		copy(out, f.header)
		out[f.lenAt], out[f.kindAt] = byte(size-f.plus), k.value
		out = append(out, bytesOf(card, f.order)...)
		out = append(out, xor(out[len(f.header):]))
		return append(out, f.end...)
	}
	return nil
}

func xor(b []byte) (sum byte) {
	for _, x := range b {
		sum ^= x
	}
	return sum
}

// binaryDecoder cuts a stream into binary frames. A false start may hide a true one, so it keeps
// the bytes and searches again from the next byte.
type binaryDecoder struct {
	*binary
	n     int // bytes of buf
	buf   [maxFrame]byte
	noisy bool // the run of noise since the last frame was reported
}

func (d *binaryDecoder) push(b byte) (bool, fault.Code) {
	d.buf[d.n] = b
	d.n++
	skipped := false
	for d.n > 0 {
		switch d.judge(d.buf[:d.n]) {
		case more:
			return false, d.noise(skipped)
		case good:
			d.noisy = false
			return true, fault.None
		case wrongSum:
			d.reset()
			return false, fault.Checksum
		case bad:
			d.skip()
			skipped = true
		}
	}
	return false, d.noise(skipped)
}

// noise reports skipped bytes, once for each run of them.
func (d *binaryDecoder) noise(skipped bool) fault.Code {
	if !skipped || d.noisy {
		return fault.None
	}
	d.noisy = true
	return fault.Noise
}

// skip drops all bytes up to the next possible start, at least one.
func (d *binaryDecoder) skip() {
	rest := d.buf[1:d.n]
	i := bytes.IndexByte(rest, d.header[0])
	if i < 0 {
		i = len(rest)
	}
	n := copy(d.buf[:], rest[i:])
	clear(d.buf[n:d.n])
	d.n = n
}

// silence searches for a whole frame within a false start that claims to be longer.
func (d *binaryDecoder) silence() (bool, fault.Code) {
	cut := d.n > 0
	for d.n > 0 {
		if d.judge(d.buf[:d.n]) == good {
			d.noisy = false
			return true, fault.None
		}
		d.skip()
	}
	d.reset()
	if cut {
		return false, fault.Unterminated
	}
	return false, fault.None
}

func (d *binaryDecoder) read() (device.Event, fault.Code) {
	e, f := d.binary.read(d.buf[:d.n])
	d.reset()
	return e, f
}

func (d *binaryDecoder) inFrame() bool { return d.n > 0 }
func (d *binaryDecoder) pending() bool { return d.n > 0 || d.noisy }

// reset forgets the bytes, which may be a card's number.
func (d *binaryDecoder) reset() { d.n, d.buf, d.noisy = 0, [maxFrame]byte{}, false }
