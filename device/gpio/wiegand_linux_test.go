package gpio

import (
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

func TestSwipe(t *testing.T) {
	c := newChip(t, "front")
	r := newReader(t, wires("front"), "H10301", "H10306", "W66")
	r.next(device.CameOnline, fault.None)
	for _, want := range []device.Card{card(t, "H10301", 123, 4567), card(t, "H10306", 1, 2), card(t, "W66", 0, 0x0123456789abcdef)} {
		c.frame(want, d0, d1, 2*ms)
		r.card(want)
		time.Sleep(150 * ms)
	}
}

// While the reader is held up, by a card that nobody takes, the kernel keeps whole
// frames, with their times.
func TestFramesWait(t *testing.T) {
	c := newChip(t, "front")
	r := newReader(t, wires("front"), "H10301", "W66")
	r.next(device.CameOnline, fault.None)
	sent := []device.Card{
		card(t, "H10301", 1, 1), card(t, "W66", 0, 42), card(t, "H10301", 123, 4567), card(t, "H10301", 124, 4567), card(t, "W66", 0, 1<<63),
	}
	for _, s := range sent {
		c.frame(s, d0, d1, ms)
		nap(150 * ms)
	}
	for _, s := range sent {
		r.card(s)
	}
}

// More edges than the kernel keeps, while nobody takes a card: it drops the oldest,
// we say so, and the frame that was among them is none.
func TestOverflow(t *testing.T) {
	c := newChip(t, "front")
	r := newReader(t, wires("front"), "H10301")
	r.next(device.CameOnline, fault.None)
	first, last := card(t, "H10301", 1, 1), card(t, "H10301", 123, 4567)
	c.frame(first, d0, d1, ms)
	nap(150 * ms)
	for range bufferedEvents + 26 { // zeros alone are no card, wherever they are cut
		c.pulse(d0, 300*us)
	}
	nap(150 * ms)
	c.frame(last, d0, d1, ms)
	r.card(first)
	r.next(device.FaultSeen, fault.LostEdges)
	r.card(last)
}

func TestSwapped(t *testing.T) {
	c := newChip(t, "front")
	r := newReader(t, wires("front"), "H10301")
	r.next(device.CameOnline, fault.None)
	for i := range 3 {
		c.frame(card(t, "H10301", 123, 4567), d1, d0, 2*ms)
		if want := []fault.Code{fault.Parity, fault.Parity, fault.Swapped}[i]; want != 0 {
			r.next(device.FaultSeen, want)
		}
		time.Sleep(time.Second) // the same fault is told once a second
	}
}

func TestBothLinesDown(t *testing.T) {
	c := newChip(t, "front")
	r := newReader(t, wires("front"), "H10301")
	r.next(device.CameOnline, fault.None)
	c.set(d0, false) // power of the reader fails
	c.set(d1, false)
	// How fast the two fell decides whether their edges are noise, told at once,
	// or a frame that is too short, told after its silence and so after the cable.
	short := fault.Length
	for e := range r.events {
		if e.Kind != device.FaultSeen || e.Fault != fault.Noise && e.Fault != fault.Cable {
			t.Fatalf("event %d %v, want noise and cable", e.Kind, e.Fault)
		}
		if e.Fault == fault.Cable {
			break
		}
		short = fault.None
	}
	if short != fault.None {
		r.next(device.FaultSeen, short)
	}
	c.set(d0, true)
	c.set(d1, true)
	time.Sleep(1500 * ms)
	want := card(t, "H10301", 123, 4567)
	c.frame(want, d0, d1, 2*ms)
	r.card(want)
}

// The chip goes while it is read, and comes back as another device of the same
// label.
func TestChipReturns(t *testing.T) {
	c := newChip(t, "front")
	r := newReader(t, wires("front"), "H10301")
	r.next(device.CameOnline, fault.None)
	c.unplug()
	r.next(device.WentOffline, fault.Unplugged)
	time.Sleep(1500 * ms)
	c = newChip(t, "front")
	r.next(device.CameOnline, fault.None)
	want := card(t, "H10301", 123, 4567)
	c.frame(want, d0, d1, 2*ms)
	r.card(want)
}

func TestChipMissing(t *testing.T) {
	needSim(t)
	r := newReader(t, wires("late"), "H10301")
	r.next(device.WentOffline, fault.Missing)
	newChip(t, "late")
	r.next(device.CameOnline, fault.None)
}

// The kernel's times are those of the pulses.
func TestExactTimes(t *testing.T) {
	c := newChip(t, "exact")
	needVirtualTime(t)
	cfg := wires("exact")
	cfg.BothEdges = true
	l := open(t, cfg)
	for range 100 {
		c.pulse(d1, 2*ms)
	}
	edges := drain(t, l)
	if len(edges) != 200 {
		t.Fatalf("%d edges, want 200", len(edges))
	}
	for i := 2; i < len(edges); i += 2 {
		width, period := edges[i+1].At-edges[i].At, edges[i].At-edges[i-2].At
		if width < 50*us || width > 55*us || period < 2*ms || period > 2*ms+10*us {
			t.Fatalf("pulse %d: width %v, period %v; want 50us and 2ms", i/2, width, period)
		}
	}
}

// The longest legal interval, and one frame 100 ms behind another.
func TestExactFrames(t *testing.T) {
	c := newChip(t, "exact")
	needVirtualTime(t)
	r := newReader(t, wires("exact"), "H10301", "H10306")
	r.next(device.CameOnline, fault.None)
	want := card(t, "H10301", 123, 4567)
	for _, interval := range []time.Duration{20 * ms, 2 * ms, 200 * us, 110 * us} {
		c.frame(want, d0, d1, interval)
		r.card(want)
		nap(100 * ms)
	}
	c.frame(want, d0, d1, 80*us) // faster than any reader
	r.next(device.FaultSeen, fault.Noise)
}
