package serialcard

import (
	"gatehouse/device"
	"gatehouse/device/fault"
)

// textDecoder cuts a stream into frames of characters.
type textDecoder struct {
	text
	tailBytes string
	where     place
	pos       int    // position in prefix or tail
	body      []byte // characters between them; never longer than its capacity
	sum       byte   // XOR of all bytes of the frame
	noisy     bool   // the run of noise since the last frame was reported
}

// place is the part of a frame to which the next byte belongs.
type place uint8

const (
	waiting  place = iota // for the first byte of a frame
	inPrefix              // after its first byte
	inBody
	inTail
	inCheck // the one byte after the end
	spoiled // no frame: wait for its end, or for silence
)

func newTextDecoder(t text) *textDecoder {
	return &textDecoder{text: t, tailBytes: t.tail(), body: make([]byte, 0, t.maxBody())}
}

func (d *textDecoder) push(b byte) (bool, fault.Code) {
	if d.prefix != "" && b == d.prefix[0] && d.where != inCheck {
		return d.restart(b)
	}
	d.sum ^= b
	switch d.where {
	case waiting, spoiled:
		return d.begin(b)
	case inPrefix:
		if b != d.prefix[d.pos] {
			return d.noise(b, fault.Noise)
		}
		if d.pos++; d.pos == len(d.prefix) {
			d.where = inBody
		}
		return false, fault.None
	case inBody:
		return d.character(b)
	case inTail:
		return d.ending(b)
	}
	if d.sum == 0 { // with the check byte the sum is 0
		return d.whole()
	}
	d.drop()
	if d.prefix != "" && b == d.prefix[0] {
		_, _ = d.restart(b) // the check byte was lost, and this is the next frame
	}
	return false, fault.Checksum
}

// restart begins a frame with the first byte of the prefix, which occurs nowhere else.
func (d *textDecoder) restart(b byte) (bool, fault.Code) {
	cut := d.inFrame()
	d.drop()
	d.noisy = false
	d.sum, d.pos, d.where = b, 1, inPrefix
	if len(d.prefix) == 1 {
		d.where = inBody
	}
	if cut {
		return false, fault.Unterminated
	}
	return false, fault.None
}

// begin handles a byte outside a frame.
func (d *textDecoder) begin(b byte) (bool, fault.Code) {
	switch {
	case d.where == waiting && d.end == endAny && (b == '\r' || b == '\n'): // LF after CR, or an empty line
		return false, fault.None
	case d.where == waiting && d.prefix == "" && d.base.has(b):
		d.where, d.sum, d.noisy = inBody, b, false
		return d.character(b)
	}
	return d.noise(b, fault.Noise)
}

// character handles a byte of the number or code, or the first one after it.
func (d *textDecoder) character(b byte) (bool, fault.Code) {
	if d.base.has(b) {
		if len(d.body) == cap(d.body) {
			return d.noise(b, fault.Length)
		}
		d.body = append(d.body, b)
		return false, fault.None
	}
	if !d.ends(b, 0) {
		return d.noise(b, fault.Noise)
	}
	if !d.fits(len(d.body)) {
		return d.noise(b, fault.Length)
	}
	d.where, d.pos = inTail, 0
	return d.ending(b)
}

// ends reports whether b is the i-th byte after the number.
func (d *textDecoder) ends(b byte, i int) bool {
	if i < 0 || i >= len(d.tailBytes) {
		return false
	}
	if d.end == endAny && i == len(d.tailBytes)-1 {
		return b == '\r' || b == '\n'
	}
	return b == d.tailBytes[i]
}

// ending handles a byte after the number.
func (d *textDecoder) ending(b byte) (bool, fault.Code) {
	if !d.ends(b, d.pos) {
		return d.noise(b, fault.Noise)
	}
	if d.pos++; d.pos < len(d.tailBytes) || d.end == endSilence {
		return false, fault.None
	}
	if d.check == checkFrame {
		d.where = inCheck
		return false, fault.None
	}
	return d.whole()
}

func (d *textDecoder) silence() (bool, fault.Code) {
	ready := d.end == endSilence && (d.where == inBody && d.suffix == "" || d.where == inTail && d.pos == len(d.suffix))
	switch {
	case ready && d.fits(len(d.body)):
		return d.whole()
	case ready:
		d.reset()
		return false, fault.Length
	case d.inFrame():
		d.reset()
		return false, fault.Unterminated
	}
	d.reset()
	return false, fault.None
}

// whole ends the frame; its body is left to be read.
func (d *textDecoder) whole() (bool, fault.Code) {
	d.where, d.pos, d.noisy = waiting, 0, false
	return true, fault.None
}

// noise drops the frame at the byte that does not belong to it, and reports it once for each run of
// noise. The end of a spoiled frame ends that run.
func (d *textDecoder) noise(b byte, f fault.Code) (bool, fault.Code) {
	told := d.noisy
	d.drop()
	d.noisy, d.where = true, spoiled
	if d.prefix == "" && d.ends(b, len(d.tailBytes)-1) {
		d.noisy, d.where = false, waiting
	}
	if told {
		return false, fault.None
	}
	return false, f
}

func (d *textDecoder) read() (device.Event, fault.Code) {
	e, f := d.text.read(d.body)
	d.drop()
	return e, f
}

// drop forgets the characters, which may be a card's number.
func (d *textDecoder) drop() {
	clear(d.body[:cap(d.body)])
	d.body = d.body[:0]
	d.where, d.pos = waiting, 0
}

func (d *textDecoder) inFrame() bool { return d.where != waiting && d.where != spoiled }
func (d *textDecoder) pending() bool { return d.where != waiting || d.noisy }
func (d *textDecoder) reset()        { d.drop(); d.noisy = false }
