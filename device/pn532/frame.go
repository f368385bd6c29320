package pn532

import (
	"gatehouse/device"
	"gatehouse/device/fault"
)

// Bytes of a frame (PN532 user manual UM0701-02, section 6.2).
const (
	toChip      = 0xD4 // first byte of the host's data
	fromChip    = 0xD5 // first byte of the chip's data
	errorReport = 0x7F // the one byte of the chip's error frame
	maxData     = 265  // bytes of a frame's data, the first byte included
)

const (
	wakeUp = "\x55\x55\x00\x00\x00" // sent before the first frame; the chip sleeps through the zeros
	ack    = "\x00\x00\xFF\x00\xFF\x00"
	nack   = "\x00\x00\xFF\xFF\x00\x00"
)

// appendFrame appends a frame with the data, which begin with toChip or fromChip and have 1 to 265
// bytes.
func appendFrame(out, data []byte) []byte {
	out = append(out, 0x00, 0x00, 0xFF)
	if n := len(data); n <= 0xFF {
		out = append(out, byte(n), -byte(n))
	} else {
		out = append(out, 0xFF, 0xFF, byte(n>>8), byte(n), -(byte(n>>8) + byte(n)))
	}
	out = append(out, data...)
	return append(out, -sum(data), 0x00)
}

func sum(b []byte) (s byte) {
	for _, x := range b {
		s += x
	}
	return s
}

// frame is the kind of frame that a decoder found.
type frame uint8

const (
	frameNone frame = iota // nothing yet
	frameAck
	frameNack
	frameData  // its data are in decoder.data
	frameError // the chip refused a command
	frameSum   // a whole frame with a wrong checksum
)

// decoder cuts the chip's bytes into frames. It ignores bytes between frames, which are usually
// zeros. A false start may hide a true one, so it keeps the bytes and searches again from the next
// byte. The zero value is ready; after some frames it allocates nothing.
type decoder struct {
	buf  []byte // from a possible start: 00 FF
	need int    // bytes of buf before judge can say more
	data []byte // of the last frameData, from the byte after fromChip
}

// push adds the next byte.
func (d *decoder) push(b byte) frame {
	if d.buf = append(d.buf, b); len(d.buf) < d.need {
		return frameNone
	}
	return d.search()
}

// search searches the bytes for a frame.
func (d *decoder) search() frame {
	for len(d.buf) > 0 {
		from, size, found := judge(d.buf)
		switch {
		case size < 0: // no frame: search again from the next byte
			d.skip(1)
		case len(d.buf) < size:
			d.need = size
			return frameNone
		default:
			if found == frameData {
				d.data = append(d.data[:0], d.buf[from:size-1]...)
			}
			d.skip(size)
			return found
		}
	}
	return frameNone
}

func (d *decoder) skip(n int) {
	rest := copy(d.buf, d.buf[n:])
	clear(d.buf[rest:])
	d.buf, d.need = d.buf[:rest], 0
}

// judge classifies bytes where the 00 FF of a frame may begin. size is how many of them it needs to
// say more, at last the frame's up to its checksum, -1 if there is no frame; found and from (where
// the data begin) are set once all of them are there. The zero after the checksum does not count: it
// is like those between frames.
func judge(b []byte) (from, size int, found frame) {
	if b[0] != 0x00 || len(b) > 1 && b[1] != 0xFF {
		return 0, -1, frameNone
	}
	switch {
	case len(b) == 1:
		return 0, 2, frameNone
	case len(b) < 4:
		return 0, 4, frameNone
	case b[2] == 0x00 && b[3] == 0xFF:
		return 0, 4, frameAck
	case b[2] == 0xFF && b[3] == 0x00:
		return 0, 4, frameNack
	}
	n, from := dataLength(b)
	switch {
	case len(b) < from:
		return 0, from, frameNone
	case n < 1 || n > maxData:
		return 0, -1, frameNone
	}
	if size = from + n + 1; len(b) < size {
		return from, size, frameNone
	}
	return judgeData(b[from:size], from, size)
}

// dataLength returns the data length of a frame, 0 if its checksum is wrong or not yet there, and
// where the data begin.
func dataLength(b []byte) (n, from int) {
	switch {
	case b[2] != 0xFF || b[3] != 0xFF:
		if b[2]+b[3] != 0 {
			return 0, 4
		}
		return int(b[2]), 4
	case len(b) < 7 || b[4]+b[5]+b[6] != 0:
		return 0, 7
	}
	return int(b[4])<<8 | int(b[5]), 7
}

// judgeData classifies a frame by its data and their checksum.
func judgeData(b []byte, from, size int) (int, int, frame) {
	switch {
	case sum(b) != 0:
		return from, size, frameSum
	case len(b) == 2 && b[0] == errorReport:
		return from, size, frameError
	case b[0] != fromChip || len(b) < 3:
		return 0, -1, frameNone
	}
	return from + 1, size, frameData
}

// reset drops the bytes of an incomplete frame.
func (d *decoder) reset() {
	clear(d.buf)
	d.buf, d.need = d.buf[:0], 0
}

// forget clears the data, which may be a card's number.
func (d *decoder) forget() {
	clear(d.data)
	d.data = d.data[:0]
}

// Decode decodes one frame in which a module lists the cards in its field, as a Reader does: it
// returns the card, or its fault, or neither for an empty field. fault.Checksum and fault.Noise are
// for bytes that are no such frame.
func Decode(frame []byte) (device.Card, fault.Code) {
	var d decoder
	for _, b := range frame {
		switch d.push(b) {
		case frameData:
			if d.data[0] == inListPassiveTarget+1 {
				return parse(d.data[1:])
			}
		case frameSum:
			return device.Card{}, fault.Checksum
		case frameError:
			return device.Card{}, fault.Refused
		}
	}
	return device.Card{}, fault.Noise
}
