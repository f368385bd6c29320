package wiegand

import (
	"math"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// Times of the wire. The SIA 26-bit rule has 200 us to 20 ms between bits; real
// readers keep 100 us and more.
const (
	// MinGap and MaxGap are the limits of a gap that is set by hand.
	MinGap = 25 * time.Millisecond
	MaxGap = 100 * time.Millisecond

	minInterval = 100 * time.Microsecond
	// maxAdaptive is ten times the longest legal interval.
	maxAdaptive = 200 * time.Millisecond
	// promptInterval is the shortest median interval of a frame that may end
	// without silence: readers keep the rule's 200 us, noise may be faster.
	promptInterval = 150 // us
	// swappedAfter frames in a row that are right when inverted, the wires are swapped.
	swappedAfter = 3
	// minTaught is the shortest frame that teaching takes for a card. No card in the
	// field is shorter, and no burst of a key as long.
	minTaught = 24
	// maxBurst is what a garbled key may have grown to (the longest has 10
	// bits): longer is a broken card.
	maxBurst = 16
)

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
	formats []Format
	pad     pad
	longest int           // of all frames
	prompt  bool          // the longest may end without silence: it has a check
	set     time.Duration // the gap set by hand, 0: adaptive
	teach   bool
	reverse bool
	emit    func(Frame)

	settled  bool
	state    state
	card     device.Card
	seq      uint32
	last     time.Duration
	inverted int                        // frames in a row that are right when inverted
	between  [device.MaxCardBits]uint32 // intervals of this run of bits, sorted; all in us
	n        int                        // of between
	latest   [2]uint32                  // the last two intervals, newest first
	pair     uint32                     // the shortest two intervals in a row
	lead     uint32                     // the interval before them
}

// state is how far the bits since the last silence have come.
type state uint8

const (
	nothing state = iota // none since Reset
	open                 // bits of a card so far
	done                 // judged: what follows before a silence is trailing
	broken               // reported as a fault: wait for silence
)

// NewFramer makes a Framer that takes the cards and keys of a valid cfg and
// hands each frame to emit, from within Edges and Idle. A gap of 0 is adaptive: ten
// times the median interval between the bits, at least 25 ms and at most 200
// ms. It begins with lines that were just opened, whose next edge has Seq 1: until
// Settle no bits are a card, since the first frame may have lost its head.
func NewFramer(cfg Config, emit func(Frame)) *Framer {
	f := &Framer{formats: cfg.Formats, pad: newPad(cfg.Keypad), set: cfg.Gap, teach: cfg.Teach, reverse: cfg.ReverseBytes, emit: emit}
	if !f.pad.single() {
		f.longest, f.prompt = f.pad.bits(), true
	}
	for _, x := range f.formats {
		if x.Bits > f.longest {
			f.longest, f.prompt = x.Bits, true
		}
		f.prompt = f.prompt && (x.Bits < f.longest || checked(x))
	}
	return f
}

// Settle ends the time after NewFramer in which bits are only a fault. A frame that
// began in it stays one.
func (f *Framer) Settle() { f.settled = true }

// Idle tells that the kernel holds no edge and that the last one is at least
// Gap ago: a frame that waits for silence ends.
func (f *Framer) Idle() {
	if f.state == open {
		f.judge()
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
			f.judge()
		}
		f.begin()
	}
	f.last = e.At
	if !silence {
		f.measure(interval)
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

// noisy tells that the bits at hand are a fault already: nothing is lost by
// looking at the rest of them later.
func (f *Framer) noisy() bool { return f.state == broken }

// begin opens a new run of bits.
func (f *Framer) begin() {
	f.state, f.card, f.n = open, device.Card{}, 0
	f.latest, f.pair, f.lead = [2]uint32{}, math.MaxUint32, 0
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
	if card.Len() == f.longest && f.prompt && !f.teach && f.even() && f.verdict(card).Fault == fault.None {
		f.judge()
	}
}

// judge ends the frame at hand: a card, keys or a fault.
func (f *Framer) judge() {
	f.state = done
	v := f.verdict(f.card)
	switch {
	case v.Key != 0 || v.Fault == fault.KeyBurst: // no key tells how the wires are
	case v.Fault == fault.Parity && f.verdict(inverse(f.card)).Fault == fault.None:
		f.inverted++
	default:
		f.inverted = 0
	}
	switch {
	case v.Fault == fault.Parity && f.inverted >= swappedAfter:
		v.Fault = fault.Swapped
	case v.Fault == fault.None && f.extra():
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

// verdict tells what a frame is by its bits alone. What is the keypad's is
// never a card, and what is a card's is never a key.
func (f *Framer) verdict(c device.Card) Frame {
	if f.pad.claims(c) {
		return f.pad.read(c)
	}
	if f.teach && c.Len() >= minTaught {
		return Frame{Card: c}
	}
	found := fault.Length
	for i := range f.formats {
		x := &f.formats[i]
		if x.Bits != c.Len() {
			continue
		}
		if x.holds(c) {
			return Frame{Card: f.turned(x, c)}
		}
		found = fault.Parity
	}
	if found == fault.Length && f.pad.single() && c.Len() <= maxBurst {
		found = fault.KeyBurst
	}
	return Frame{Fault: found}
}

// turned undoes the order of a reader that sends the bytes backward.
func (f *Framer) turned(x *Format, c device.Card) device.Card {
	if f.reverse {
		c, _ = reversed(*x, c)
	}
	return c
}

// inverse flips every bit, as swapped wires do.
func inverse(c device.Card) device.Card {
	var inv device.Card
	for i := range c.Len() {
		inv, _ = inv.Append(1 - c.Bit(i))
	}
	return inv
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

// oneBit is a card of n zeros but for bit i, if it has that.
func oneBit(i, n int) device.Card {
	var c device.Card
	for k := range n {
		bit := byte(0)
		if k == i {
			bit = 1
		}
		c, _ = c.Append(bit)
	}
	return c
}
