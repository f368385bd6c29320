package wiegand

import (
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// swappedAfter is the number of consecutive frames, right only when inverted, after which D0 and D1
// are reported as swapped.
const swappedAfter = 3

// Frame is what a Framer made of the bits between two silences: exactly one of a checked Card, a
// Key, a whole PIN (of a keypad that sends PINs whole) and a Fault.
type Frame struct {
	Card  device.Card
	Key   byte // '0' to '9', '*' or '#'; 0: none
	PIN   device.PIN
	Fault fault.Code
	At    time.Duration // CLOCK_MONOTONIC of its last edge so far
}

// Framer cuts edges into frames by the timestamps of the edges, never by when they were read. Line
// 0 of the edges is D0, line 1 is D1. It is not safe for concurrent use, and allocates nothing
// after NewFramer.
type Framer struct {
	judge   judge
	longest int           // bits of the longest frame
	prompt  bool          // the longest frame may end without silence: the format has a check
	set     time.Duration // the configured gap; 0: adaptive
	emit    func(Frame)

	settled   bool
	state     state
	card      device.Card // the bits so far
	seq       uint32
	last      time.Duration
	intervals intervals
	inverted  int // consecutive frames that are right only when inverted
}

// state is the state of the bits since the last silence.
type state uint8

const (
	nothing state = iota // no bit yet
	open                 // bits are collected
	done                 // the frame has ended: bits before the next silence are trailing
	broken               // a fault was reported: wait for silence
)

// NewFramer returns a Framer for the cards and keys of a valid cfg. It passes each frame to emit,
// which is called from within Edges and Idle. A Gap of 0 is adaptive: ten times the median interval
// between bits, at least 25 ms and at most 200 ms. The lines must have just been opened, so that
// their next edge has Seq 1. Until Settle is called, all bits are a fault, since the first frame
// may have lost its start.
func NewFramer(cfg Config, emit func(Frame)) *Framer {
	f := &Framer{judge: judge{formats: cfg.Formats, pad: newPad(cfg.Keypad), learn: cfg.LearnFormat, reverse: cfg.ReverseBytes}, set: cfg.Gap, emit: emit}
	if pad := &f.judge.pad; !pad.single() {
		f.longest, f.prompt = pad.bits(), true
	}
	for _, x := range cfg.Formats {
		if x.Bits > f.longest {
			f.longest, f.prompt = x.Bits, true
		}
		f.prompt = f.prompt && (x.Bits < f.longest || checked(x))
	}
	f.prompt = f.prompt && !cfg.LearnFormat
	return f
}

// Settle ends the time after NewFramer in which all bits are a fault. A frame that has begun stays
// a fault.
func (f *Framer) Settle() { f.settled = true }

// Gap returns the silence that ends the current frame.
func (f *Framer) Gap() time.Duration {
	if f.set != 0 {
		return f.set
	}
	return f.intervals.gap()
}

// Idle ends a frame that waits for silence. Call it when the kernel holds no edge and the last one
// is at least Gap ago.
func (f *Framer) Idle() {
	if f.state == open {
		f.end(f.judge.card(f.card))
	}
}

// Edges processes the next edges, oldest first. Edges to inactive count for the sequence only.
func (f *Framer) Edges(edges []device.Edge) {
	for _, e := range edges {
		f.edge(e)
	}
}

func (f *Framer) edge(e device.Edge) {
	lost := e.Seq != f.seq+1
	f.seq = e.Seq
	if !e.Active && !lost {
		return
	}
	interval := e.At - f.last
	silence := f.state == nothing || interval >= f.Gap()
	if silence {
		if f.state == open && !lost {
			f.end(f.judge.card(f.card))
		}
		f.begin()
	}
	f.last = e.At
	if !silence {
		f.intervals.add(interval)
	}
	switch {
	case lost:
		// The lost edge may be the end of the previous frame or the start of this one.
		f.fail(fault.LostEdges)
	case f.state == broken:
	case !f.settled:
		f.fail(fault.ShortFirst)
	case !silence && interval < minInterval || e.Line > 1:
		f.fail(fault.Noise)
	case f.state == done:
		f.fail(fault.Trailing)
	default:
		f.bit(e.Line)
	}
}

func (f *Framer) begin() {
	f.state, f.card = open, device.Card{}
	f.intervals.clear()
}

// bit adds one good bit. The longest frame ends without waiting for silence if it is right and
// evenly timed as only a reader sends: noise before or between its bits shows in their times, and
// in their number at the end.
func (f *Framer) bit(line uint8) {
	card, ok := f.card.Append(line)
	if !ok {
		f.fail(fault.Length)
		return
	}
	f.card = card
	if card.Len() == f.longest && f.prompt && f.intervals.even() {
		if v := f.judge.card(card); v.Fault == fault.None {
			f.end(v)
		}
	}
}

// end emits the current frame, judged as v: a card, keys or a fault.
func (f *Framer) end(v Frame) {
	f.state = done
	switch {
	case v.Key != 0 || v.Fault == fault.KeyBurst: // a key does not show whether the wires are swapped
	case v.Fault == fault.Parity && f.judge.card(inverse(f.card)).Fault == fault.None:
		f.inverted++
	default:
		f.inverted = 0
	}
	switch {
	case v.Fault == fault.Parity && f.inverted >= swappedAfter:
		v.Fault = fault.Swapped
	case v.Fault == fault.None && f.intervals.extra():
		v = Frame{Fault: fault.Noise}
	}
	v.At = f.last
	f.emit(v)
	f.card = device.Card{} // a raw number lives for one swipe
}

// fail makes all bits up to the next silence a fault.
func (f *Framer) fail(found fault.Code) {
	f.state, f.inverted, f.card = broken, 0, device.Card{}
	f.emit(Frame{Fault: found, At: f.last})
}

const (
	// minLearned is the number of bits of the shortest frame that format learning accepts as a
	// card. No card in the field is shorter, and no burst of a key is as long.
	minLearned = 24
	// maxBurst is the most bits that a garbled key may have (the longest good one has 10): a longer
	// frame is a broken card.
	maxBurst = 16
)

// judge classifies a frame by its bits alone.
type judge struct {
	formats []Format
	pad     pad
	learn   bool
	reverse bool // the reader sends the bytes backward
}

// card classifies a frame. A frame of the keypad is never a card, and a frame of a card is never a
// key.
func (j *judge) card(c device.Card) Frame {
	if j.pad.claims(c) {
		return j.pad.read(c)
	}
	if j.learn && c.Len() >= minLearned {
		return Frame{Card: c}
	}
	found := fault.Length
	for i := range j.formats {
		x := &j.formats[i]
		if x.Bits != c.Len() {
			continue
		}
		if x.holds(c) {
			if j.reverse {
				c, _ = reversed(*x, c)
			}
			return Frame{Card: c}
		}
		found = fault.Parity
	}
	if found == fault.Length && j.pad.single() && c.Len() <= maxBurst {
		found = fault.KeyBurst
	}
	return Frame{Fault: found}
}

// checked reports whether the format can detect a wrong bit.
func checked(x Format) bool {
	for i := range x.Bits + 1 {
		if !x.holds(oneBit(i, x.Bits)) {
			return true
		}
	}
	return false
}
