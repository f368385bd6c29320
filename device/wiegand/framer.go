package wiegand

import (
	"time"

	"gatehouse/device"
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
	// swappedAfter frames in a row that are right when inverted, the wires are swapped.
	swappedAfter = 3
)

// Frame is what a Framer makes of the bits between two silences: a checked
// Card, or a Fault and no card.
type Frame struct {
	Card  device.Card
	Fault device.Fault
	At    time.Duration // CLOCK_MONOTONIC of its last edge so far
}

// Framer cuts edges into frames by the edges' own timestamps, never by when
// they were read. Line 0 of the edges is D0, line 1 is D1. Not safe for
// concurrent use; it allocates nothing once made.
type Framer struct {
	formats []Format
	longest int
	set     time.Duration // the gap set by hand, 0: adaptive
	emit    func(Frame)

	settled  bool
	state    state
	card     device.Card
	seq      uint32
	last     time.Duration
	inverted int                        // frames in a row that are right when inverted
	between  [device.MaxCardBits]uint32 // intervals of this run of bits in us, sorted
	n        int                        // of between
}

// state is how far the bits since the last silence have come.
type state uint8

const (
	nothing state = iota // none since Reset
	open                 // bits of a card so far
	done                 // judged: what follows before a silence is trailing
	broken               // reported as a fault: wait for silence
)

// NewFramer makes a Framer that takes cards of any of the formats and hands
// each frame to emit, from within Edges and Idle. A gap of 0 is adaptive: ten
// times the median interval between the bits, at least 25 ms and at most 200
// ms. It begins as Reset leaves it.
func NewFramer(formats []Format, gap time.Duration, emit func(Frame)) *Framer {
	f := &Framer{formats: formats, set: gap, emit: emit}
	for _, x := range formats {
		f.longest = max(f.longest, x.Bits)
	}
	return f
}

// Reset starts over for lines that were just opened, whose next edge has Seq 1.
// Until Settle no bits are a card: the first frame after the request may have
// lost its head.
func (f *Framer) Reset() {
	f.settled, f.state, f.seq, f.inverted, f.n = false, nothing, 0, 0, 0
}

// Settle ends the time after Reset in which bits are only a fault. A frame that
// began in it stays one.
func (f *Framer) Settle() { f.settled = true }

// Gap is the silence that ends the frame at hand.
func (f *Framer) Gap() time.Duration {
	if f.set != 0 {
		return f.set
	}
	if f.n == 0 {
		return MinGap
	}
	median := time.Duration(f.between[(f.n-1)/2]) * time.Microsecond
	return min(max(10*median, MinGap), maxAdaptive)
}

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
	switch {
	case lost:
		// The lost one may be the tail of the frame before or the head of this one.
		f.fail(device.FaultLostEdges)
	case f.state == broken:
	case !f.settled:
		f.fail(device.FaultShortFirst)
	case !silence && interval < minInterval || e.Line > 1:
		f.fail(device.FaultNoise)
	case f.state == done:
		f.fail(device.FaultTrailing)
	default:
		f.bit(e.Line)
	}
	if !silence {
		f.measure(interval)
	}
}

// begin opens a new run of bits.
func (f *Framer) begin() {
	f.state, f.card, f.n = open, device.Card{}, 0
}

// bit takes one good bit. The longest frame ends without waiting for silence
// when it is right.
func (f *Framer) bit(line uint8) {
	card, ok := f.card.Append(line)
	if !ok {
		f.fail(device.FaultLength)
		return
	}
	f.card = card
	if card.Len() == f.longest && f.match(card) == device.FaultNone {
		f.judge()
	}
}

// judge ends the frame at hand: a card or a fault.
func (f *Framer) judge() {
	f.state = done
	fault := f.match(f.card)
	if fault == device.FaultParity && f.match(inverse(f.card)) == device.FaultNone {
		f.inverted++
	} else {
		f.inverted = 0
	}
	switch {
	case fault == device.FaultNone:
		f.emit(Frame{Card: f.card, At: f.last})
	case f.inverted >= swappedAfter:
		f.emit(Frame{Fault: device.FaultSwapped, At: f.last})
	default:
		f.emit(Frame{Fault: fault, At: f.last})
	}
	f.card = device.Card{} // a raw number lives for one swipe
}

// fail makes the run of bits at hand, up to the next silence, a fault.
func (f *Framer) fail(fault device.Fault) {
	f.state, f.inverted, f.card = broken, 0, device.Card{}
	f.emit(Frame{Fault: fault, At: f.last})
}

// match tells what is wrong with a card, if anything.
func (f *Framer) match(c device.Card) device.Fault {
	fault := device.FaultLength
	for i := range f.formats {
		if x := &f.formats[i]; x.Bits == c.Len() {
			if x.holds(c) {
				return device.FaultNone
			}
			fault = device.FaultParity
		}
	}
	return fault
}

// measure puts an interval in its place, for the median.
func (f *Framer) measure(interval time.Duration) {
	if f.n == len(f.between) {
		return
	}
	us := uint32(max(interval, 0) / time.Microsecond)
	i := f.n
	for ; i > 0 && f.between[i-1] > us; i-- {
		f.between[i] = f.between[i-1]
	}
	f.between[i] = us
	f.n++
}

// inverse flips every bit, as swapped wires do.
func inverse(c device.Card) device.Card {
	var inv device.Card
	for i := range c.Len() {
		inv, _ = inv.Append(1 - c.Bit(i))
	}
	return inv
}
