package wiegand

import (
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// swappedAfter frames in a row that are right when inverted, the wires are swapped.
const swappedAfter = 3

// Frame is what a Framer makes of the bits between two silences: a checked
// Card, one key, a whole PIN of a keypad that sends it so, or a Fault and none
// of them.
type Frame struct {
	Card  device.Card
	Key   byte // '0' to '9', '*' or '#'; 0: none
	PIN   device.PIN
	Fault fault.Code
	At    time.Duration // CLOCK_MONOTONIC of its last edge so far
}

// Framer cuts edges into frames by the edges' own timestamps, never by when
// they were read. Line 0 of the edges is D0, line 1 is D1. Not safe for
// concurrent use; it allocates nothing once made.
type Framer struct {
	judge   judge
	longest int           // of all frames
	prompt  bool          // the longest may end without silence: it has a check
	set     time.Duration // the gap set by hand, 0: adaptive
	emit    func(Frame)

	settled   bool
	state     state
	card      device.Card // the bits so far
	seq       uint32
	last      time.Duration
	intervals intervals
	inverted  int // frames in a row that are right when inverted
}

// state is how far the bits since the last silence have come.
type state uint8

const (
	nothing state = iota // none since Reset
	open                 // bits of a card so far
	done                 // ended: what follows before a silence is trailing
	broken               // reported as a fault: wait for silence
)

// NewFramer makes a Framer that takes the cards and keys of a valid cfg and
// hands each frame to emit, from within Edges and Idle. A gap of 0 is adaptive: ten
// times the median interval between the bits, at least 25 ms and at most 200
// ms. It begins with lines that were just opened, whose next edge has Seq 1: until
// Settle no bits are a card, since the first frame may have lost its head.
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

// Settle ends the time after NewFramer in which bits are only a fault. A frame that
// began in it stays one.
func (f *Framer) Settle() { f.settled = true }

// Gap is the silence that ends the frame at hand.
func (f *Framer) Gap() time.Duration {
	if f.set != 0 {
		return f.set
	}
	return f.intervals.gap()
}

// Idle tells that the kernel holds no edge and that the last one is at least
// Gap ago: a frame that waits for silence ends.
func (f *Framer) Idle() {
	if f.state == open {
		f.end()
	}
}

// Edges takes the next edges, oldest first. Changes to inactive only count for
// the sequence.
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
			f.end()
		}
		f.begin()
	}
	f.last = e.At
	if !silence {
		f.intervals.add(interval)
	}
	switch {
	case lost:
		// The lost one may be the tail of the frame before or the head of this one.
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

// begin opens a new run of bits.
func (f *Framer) begin() {
	f.state, f.card = open, device.Card{}
	f.intervals.clear()
}

// bit takes one good bit. The longest frame ends without waiting for silence
// when it is right and came as evenly as only a reader sends: noise before or
// between its bits shows in their times, and in their number once all are there.
func (f *Framer) bit(line uint8) {
	card, ok := f.card.Append(line)
	if !ok {
		f.fail(fault.Length)
		return
	}
	f.card = card
	if card.Len() == f.longest && f.prompt && f.intervals.even() && f.judge.card(card).Fault == fault.None {
		f.end()
	}
}

// end ends the frame at hand: a card, keys or a fault.
func (f *Framer) end() {
	f.state = done
	v := f.judge.card(f.card)
	switch {
	case v.Key != 0 || v.Fault == fault.KeyBurst: // no key tells how the wires are
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

// fail makes the run of bits at hand, up to the next silence, a fault.
func (f *Framer) fail(found fault.Code) {
	f.state, f.inverted, f.card = broken, 0, device.Card{}
	f.emit(Frame{Fault: found, At: f.last})
}

const (
	// minLearned is the shortest frame that format learning takes for a card. No card in the
	// field is shorter, and no burst of a key as long.
	minLearned = 24
	// maxBurst is what a garbled key may have grown to (the longest has 10
	// bits): longer is a broken card.
	maxBurst = 16
)

// judge tells what a frame is by its bits alone.
type judge struct {
	formats []Format
	pad     pad
	learn   bool
	reverse bool // the reader sends the bytes backward
}

// card tells what a frame is. What is the keypad's is never a card, and what is a
// card's is never a key.
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

// checked tells whether a format can tell a wrong bit from a right one.
func checked(x Format) bool {
	for i := range x.Bits + 1 {
		if !x.holds(oneBit(i, x.Bits)) {
			return true
		}
	}
	return false
}
