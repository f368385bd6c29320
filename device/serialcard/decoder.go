package serialcard

import (
	"gatehouse/device"
	"gatehouse/device/fault"
)

// Decoder cuts a stream of bytes into cards or codes. It keeps at most the bytes of one frame and
// allocates nothing for a card. It is for one goroutine.
type Decoder struct{ frames frames }

// frames cuts a stream into frames of one kind.
type frames interface {
	// push and silence return true for a whole frame, which read must be called for next, or a
	// fault.
	push(b byte) (bool, fault.Code)
	silence() (bool, fault.Code)
	// read returns the event of the whole frame and forgets the frame; an event without Kind means
	// that no card is there.
	read() (device.Event, fault.Code)
	inFrame() bool
	pending() bool
	reset()
}

// NewDecoder returns a Decoder for the layout, or an error for a layout whose frames can't be
// distinguished from noise.
func NewDecoder(l Layout) (*Decoder, error) {
	if err := l.valid(); err != nil {
		return nil, err
	}
	if l.binary != nil {
		return &Decoder{&binaryDecoder{binary: l.binary}}, nil
	}
	return &Decoder{newTextDecoder(l.text)}, nil
}

// Push adds the next byte. It returns true with an event if there is one: a CardRead or CodeRead
// that the byte completed; a FaultSeen; or an event without Kind if a polled module answered that
// no card is there. The faults are fault.Checksum for a whole frame with wrong check digits,
// fault.Length for a number of another length, fault.Unterminated if a new frame began within one,
// fault.Ghost for a number that modules are known to make up, and fault.Noise for bytes outside any
// frame, once for each run of them. Source and At are empty.
func (d *Decoder) Push(b byte) (e device.Event, ok bool) {
	whole, found := d.frames.push(b)
	if !whole && found == fault.None {
		return e, false
	}
	return d.event(whole, found)
}

// Timeout reports silence on the line, which ends a run of noise, and each frame of a layout
// without an end character. It returns events as Push does; a frame that it cuts off is dropped
// with fault.Unterminated.
func (d *Decoder) Timeout() (device.Event, bool) { return d.event(d.frames.silence()) }

func (d *Decoder) event(whole bool, found fault.Code) (e device.Event, ok bool) {
	if whole {
		e, found = d.frames.read()
	}
	if found != fault.None {
		return device.Event{Kind: device.FaultSeen, Fault: found}, true
	}
	return e, whole
}

// Pending reports whether the decoder is within a frame or a run of noise. The caller then waits at
// most 50 ms for the next byte before it calls Timeout.
func (d *Decoder) Pending() bool { return d.frames.pending() }

// InFrame reports whether the latest bytes are the start of a frame.
func (d *Decoder) InFrame() bool { return d.frames.inFrame() }

// Reset drops all bytes received so far.
func (d *Decoder) Reset() { d.frames.reset() }
