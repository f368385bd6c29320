package serialcard

import (
	"gatehouse/device"
	"gatehouse/device/fault"
)

// Decoder cuts a stream of bytes into cards or codes. It keeps the bytes of one
// frame at most and needs no heap for a card. For one goroutine.
type Decoder struct{ frames frames }

// frames cuts a stream into frames of one sort.
type frames interface {
	// push and silence report true when there is a whole frame, which read must
	// then take, or a fault.
	push(b byte) (bool, fault.Code)
	silence() (bool, fault.Code)
	// read turns the whole frame into an event and forgets it; an event of no
	// Kind says that no card is there.
	read() (device.Event, fault.Code)
	inFrame() bool
	pending() bool
	reset()
}

// NewDecoder returns a Decoder for the layout, or an error for a layout that
// can't be told apart from noise.
func NewDecoder(l Layout) (*Decoder, error) {
	if err := l.valid(); err != nil {
		return nil, err
	}
	if l.binary != nil {
		return &Decoder{&binaryDecoder{binary: l.binary}}, nil
	}
	return &Decoder{newTextDecoder(l.text)}, nil
}

// Push takes the next byte. It returns true when there is something to tell: a
// CardRead or CodeRead that the byte completed; a FaultSeen: fault.Checksum for
// a whole frame with wrong check digits, fault.Length for one whose number has
// another length, fault.Unterminated when a new frame began inside one,
// fault.Ghost for a number known to be made up, fault.Noise for bytes that are no
// frame, once for each run of them; or an Event of no Kind, when a module that
// is asked answered that no card is there. Source and At are empty.
func (d *Decoder) Push(b byte) (e device.Event, ok bool) {
	whole, found := d.frames.push(b)
	if !whole && found == fault.None {
		return e, false
	}
	return d.tell(whole, found)
}

// Timeout tells the decoder that the line fell silent, which ends a run of
// noise and the frames of layouts that have no other end. It tells like Push,
// fault.Unterminated and drops the frame when inside one.
func (d *Decoder) Timeout() (device.Event, bool) { return d.tell(d.frames.silence()) }

func (d *Decoder) tell(whole bool, found fault.Code) (e device.Event, ok bool) {
	if whole {
		e, found = d.frames.read()
	}
	if found != fault.None {
		return device.Event{Kind: device.FaultSeen, Fault: found}, true
	}
	return e, whole
}

// Pending reports whether the decoder is inside a frame or a run of noise. The
// caller then waits no longer than 50 ms for the next byte and calls Timeout.
func (d *Decoder) Pending() bool { return d.frames.pending() }

// InFrame reports whether the bytes so far are the beginning of a frame.
func (d *Decoder) InFrame() bool { return d.frames.inFrame() }

// Reset drops what was received so far.
func (d *Decoder) Reset() { d.frames.reset() }
