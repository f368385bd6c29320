package wiegand

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/fault"
)

const ms, us = time.Millisecond, time.Microsecond

// tape records edges as a kernel would hand them out.
type tape struct {
	edges []device.Edge
	at    time.Duration // of the last edge
	seq   uint32
}

func (p *tape) edge(after time.Duration, line uint8) {
	p.at += after
	p.seq++
	p.edges = append(p.edges, device.Edge{Line: line, Active: true, At: p.at, Seq: p.seq})
}

// frame sends a card, gap after the last edge.
func (p *tape) frame(gap time.Duration, c device.Card, interval time.Duration) {
	for i := range c.Len() {
		after := interval
		if i == 0 {
			after = gap
		}
		p.edge(after, c.Bit(i))
	}
}

func (p *tape) drop(i int) { p.edges = slices.Delete(p.edges, i, i+1) }

// settled makes a framer that counts bits, and the list of what it finds.
func settled(cfg Config) (*Framer, *[]Frame) {
	got := new([]Frame)
	f := NewFramer(cfg, func(x Frame) { *got = append(*got, x) })
	f.Settle()
	return f, got
}

// play gives a tape to a new framer, then silence.
func play(edges []device.Edge, formats ...Format) []Frame {
	return playOn(Config{Formats: formats}, edges)
}

func playOn(cfg Config, edges []device.Edge) []Frame {
	f, got := settled(cfg)
	f.Edges(edges)
	f.Idle()
	return *got
}

// known is the format of a name that there is.
func known(name string) Format {
	f, ok := Lookup(name)
	if !ok {
		panic("no format " + name)
	}
	return f
}

// all formats of the table.
func all() (list []Format) {
	for _, name := range Names() {
		list = append(list, known(name))
	}
	return list
}

// made is the card of numbers that fit.
func made(f Format, facility, number uint64) device.Card {
	c, err := f.Encode(Fields{Facility: facility, Card: number, HasFacility: len(f.facility.list) > 0})
	if err != nil {
		panic(err)
	}
	return c
}

func card(t testing.TB, name string, facility, number uint64) device.Card {
	t.Helper()
	return made(format(t, name), facility, number)
}

// flip changes one bit.
func flip(c device.Card, bit int) device.Card {
	var out device.Card
	for i := range c.Len() {
		b := c.Bit(i)
		if i == bit {
			b = 1 - b
		}
		out, _ = out.Append(b)
	}
	return out
}

func faults(frames []Frame) (list []fault.Code) {
	for _, f := range frames {
		list = append(list, f.Fault) // fault.None is a card
	}
	return list
}

// Some cards, and readers set up for one length or two.
var (
	a, b        = made(known("H10301"), 123, 4567), made(known("H10301"), 7, 1)
	longer, uid = made(known("H10306"), 1, 2), made(known("W66"), 0, 0x0123456789abcdef)

	h26, h34, w66  = []Format{known("H10301")}, []Format{known("H10306")}, []Format{known("W66")}
	h26h34, h26w66 = slices.Concat(h26, h34), slices.Concat(h26, w66)
)

const none = fault.None // a card

var framings = map[string]struct {
	send    func(*tape)
	formats []Format
	want    []fault.Code
}{
	"a card": {func(p *tape) { p.frame(0, a, 2*ms) }, h26, []fault.Code{none}},
	"two waiting in one read": {func(p *tape) { p.frame(0, a, 2*ms); p.frame(200*ms, b, 2*ms) },
		h26, []fault.Code{none, none}},
	"fastest reader":       {func(p *tape) { p.frame(0, a, 100*us) }, h26, []fault.Code{none}},
	"slowest legal reader": {func(p *tape) { p.frame(0, uid, 20*ms) }, w66, []fault.Code{none}},
	"slower than 25 ms once measured": {func(p *tape) {
		p.frame(0, a, 20*ms)
		p.frame(250*ms, b, 20*ms)
	}, h26h34, []fault.Code{none, none}},
	"66 bits beside 26": {func(p *tape) { p.frame(0, uid, ms); p.frame(30*ms, a, ms) },
		h26w66, []fault.Code{none, none}},
	"34 bits of which 26 pass": {func(p *tape) { p.frame(0, made(h34[0], 3, 4567), ms) }, h26h34, []fault.Code{none}},
	// A reader that sends longer frames than it is set up for: the early end has
	// a card already, and what trails tells the installer.
	"34 bits of which 26 pass, on 26 alone": {func(p *tape) { p.frame(0, made(h34[0], 3, 4567), ms) },
		h26, []fault.Code{none, fault.Trailing}},
	"wrong parity": {func(p *tape) { p.frame(0, flip(a, 5), 2*ms) }, h26, []fault.Code{fault.Parity}},
	"wrong length": {func(p *tape) { p.frame(0, longer, 2*ms) }, h26, []fault.Code{fault.Length}},
	"too short":    {func(p *tape) { p.frame(0, a, 2*ms); p.drop(25) }, h26, []fault.Code{fault.Length}},
	"a bit too many": {func(p *tape) { p.frame(0, a, 2*ms); p.edge(2*ms, 0); p.edge(2*ms, 0) },
		h26, []fault.Code{none, fault.Trailing}},
	"a bit too many, far behind": {func(p *tape) { p.frame(0, a, 2*ms); p.edge(30*ms, 0) },
		h26, []fault.Code{none, fault.Length}},
	"a frame on the heels of one": {func(p *tape) { p.frame(0, a, 2*ms); p.frame(10*ms, b, 2*ms) },
		h26, []fault.Code{none, fault.Trailing}},
	"more than a card holds": {func(p *tape) {
		for range device.MaxCardBits + 60 {
			p.edge(ms, 0)
		}
	}, h26, []fault.Code{fault.Length}},
	"an echo of a pulse": {func(p *tape) { p.frame(0, a, 2*ms); p.edges[9].At = p.edges[8].At + 40*us },
		h26, []fault.Code{fault.Noise}},
	"both lines at once": {func(p *tape) { p.edge(0, 0); p.edge(0, 1) }, h26, []fault.Code{fault.Noise}},
	"time runs backward": {func(p *tape) { p.frame(0, a, 2*ms); p.edges[9].At = 0 }, h26, []fault.Code{fault.Noise}},
	"a third line":       {func(p *tape) { p.edge(0, 2) }, h26, []fault.Code{fault.Noise}},
	"head lost":          {func(p *tape) { p.frame(0, a, 2*ms); p.drop(0) }, h26, []fault.Code{fault.LostEdges}},
	"lost, then good": {func(p *tape) { p.frame(0, a, 2*ms); p.frame(99*ms, b, 2*ms); p.drop(9) },
		h26, []fault.Code{fault.LostEdges, none}},
	"tail of one and head of the next lost": {func(p *tape) {
		p.frame(0, longer, 2*ms)
		p.frame(99*ms, longer, 2*ms)
		p.edges = slices.Delete(p.edges, 26, 40)
	}, h26h34, []fault.Code{fault.LostEdges}},
	"swapped": {func(p *tape) {
		for range 4 {
			p.frame(99*ms, inverse(a), 2*ms)
		}
	}, h26, []fault.Code{fault.Parity, fault.Parity, fault.Swapped, fault.Swapped}},
	"swapped, but one passes between": {func(p *tape) {
		p.frame(99*ms, inverse(a), 2*ms)
		p.frame(99*ms, inverse(a), 2*ms)
		p.frame(99*ms, a, 2*ms)
		p.frame(99*ms, inverse(a), 2*ms)
	}, h26, []fault.Code{fault.Parity, fault.Parity, none, fault.Parity}},
}

func TestFramer(t *testing.T) {
	for name, c := range framings {
		t.Run(name, func(t *testing.T) {
			var p tape
			c.send(&p)
			got := play(p.edges, c.formats...)
			if !slices.Equal(faults(got), c.want) {
				t.Errorf("got %v, want %v", faults(got), c.want)
			}
		})
	}
}

func TestFramerCard(t *testing.T) {
	var p tape
	want := card(t, "H10301", 123, 4567)
	p.frame(5*ms, want, 2*ms)
	got := play(p.edges, format(t, "H10301"))
	if len(got) != 1 || got[0].Card != want || got[0].At != p.at {
		t.Errorf("got %v, want the card at %v", got, p.at)
	}
}

// Right after opening, the head of a frame may be missing: never a card.
func TestUnsettled(t *testing.T) {
	a := card(t, "H10301", 123, 4567)
	var p tape
	p.frame(0, a, 2*ms)
	p.frame(99*ms, a, 2*ms)
	p.frame(99*ms, a, 2*ms)
	var got []Frame
	f := NewFramer(Config{Formats: h26}, func(x Frame) { got = append(got, x) })
	f.Edges(p.edges[:26+13])
	f.Settle() // in the middle of the second
	f.Edges(p.edges[26+13:])
	want := []fault.Code{fault.ShortFirst, fault.ShortFirst, fault.None}
	if !slices.Equal(faults(got), want) {
		t.Errorf("got %v, want %v", faults(got), want)
	}
}

func TestGap(t *testing.T) {
	a := card(t, "H10301", 123, 4567)
	for _, c := range []struct{ set, interval, want time.Duration }{
		{0, 1 * ms, 25 * ms}, {0, 3 * ms, 30 * ms}, {0, 20 * ms, 200 * ms}, {0, 24 * ms, 200 * ms},
		{25 * ms, 20 * ms, 25 * ms}, {100 * ms, ms, 100 * ms},
	} {
		var p tape
		p.frame(0, a, c.interval)
		f, _ := settled(Config{Formats: h26, Gap: c.set})
		f.Edges(p.edges[:20])
		if got := f.Gap(); got != c.want {
			t.Errorf("set %v, interval %v: gap %v, want %v", c.set, c.interval, got, c.want)
		}
	}
}

// drawTape makes a stream of frames, right and wrong, and noise.
func drawTape(t *rapid.T, formats []Format) *tape {
	p := &tape{}
	for range rapid.IntRange(1, 6).Draw(t, "frames") {
		f := formats[rapid.IntRange(0, len(formats)-1).Draw(t, "format")]
		c, err := f.Encode(drawFields(t, f))
		if err != nil {
			t.Fatal(err)
		}
		gap := time.Duration(rapid.SampledFrom([]int{1, 24, 26, 99, 250, 1000}).Draw(t, "gap")) * ms
		interval := time.Duration(rapid.SampledFrom([]int{90, 100, 1000, 2000, 20000}).Draw(t, "interval")) * us
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			c = inverse(c)
		case 1:
			c = flip(c, rapid.IntRange(0, c.Len()-1).Draw(t, "flip"))
		case 2:
			for range rapid.IntRange(1, 40).Draw(t, "noise") {
				p.edge(time.Duration(rapid.IntRange(0, 30000).Draw(t, "after"))*us, uint8(rapid.IntRange(0, 1).Draw(t, "line")))
			}
		}
		p.frame(gap, c, interval)
	}
	return p
}

func drawFormats(t *rapid.T) []Format {
	return rapid.SampledFrom([][]Format{h26, h34, w66, h26h34, all()}).Draw(t, "formats")
}

// Frames are cut by the edges' own times: how the edges come in reads, and
// whether somebody looked during a silence, changes nothing.
func TestChopping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		formats := drawFormats(t)
		p := drawTape(t, formats)
		want := play(p.edges, formats...)
		f, got := settled(Config{Formats: formats})
		for rest := p.edges; len(rest) > 0; {
			n := rapid.IntRange(1, min(len(rest), 70)).Draw(t, "read")
			f.Edges(rest[:n])
			last := rest[n-1].At
			rest = rest[n:]
			if len(rest) > 0 && rest[0].At-last >= f.Gap() && rapid.Bool().Draw(t, "idle") {
				f.Idle()
			}
		}
		f.Idle()
		if !slices.Equal(want, *got) {
			t.Fatalf("in one read %v, chopped %v", want, *got)
		}
	})
}

// A silence that was declared too early makes a fault of what follows, never
// a second card.
func TestEarlyIdle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := device.CardOf(rapid.Uint64Range(0, 1<<34-1).Draw(t, "bits"), 34)
		var p tape
		p.frame(0, c, 2*ms)
		f, got := settled(Config{Formats: h26h34})
		cut := rapid.IntRange(1, 33).Draw(t, "cut")
		f.Edges(p.edges[:cut])
		f.Idle()
		f.Edges(p.edges[cut:])
		f.Idle()
		if len(*got) != 2 || (*got)[1].Fault != fault.Trailing {
			t.Fatalf("got %v, want a verdict and trailing bits", *got)
		}
	})
}

// A lost edge is counted, and costs every frame that it may have belonged to.
func TestLostEdges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		formats := drawFormats(t)
		p := drawTape(t, formats)
		whole := play(p.edges, formats...)
		lost := rapid.IntRange(0, len(p.edges)-2).Draw(t, "lost")
		gone := p.edges[lost]
		edges := slices.Clone(p.edges)
		edges = slices.Delete(edges, lost, lost+1)
		got := play(edges, formats...)
		if !slices.Contains(faults(got), fault.LostEdges) {
			t.Fatalf("edge %d lost, not told: %v", lost, faults(got))
		}
		for _, f := range got {
			if f.Fault == fault.None && !slices.Contains(whole, f) && f.At >= gone.At {
				// A card that only the loss made: it must lie whole behind a silence
				// behind the loss, or before it.
				first := slices.IndexFunc(edges, func(e device.Edge) bool { return e.At == f.At }) - f.Card.Len() + 1
				if edges[first].At-gone.At < MinGap {
					t.Fatalf("a card whose bits %v to %v touch the edge lost at %v", edges[first].At, f.At, gone.At)
				}
			}
		}
	})
}

// Noise makes cards only by passing length and parity.
func TestNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		formats := drawFormats(t)
		p := &tape{}
		for range rapid.IntRange(1, 300).Draw(t, "edges") {
			after := time.Duration(rapid.SampledFrom([]int{0, 50, 100, 300, 2000, 25000, 300000}).Draw(t, "after")) * us
			p.edge(after, uint8(rapid.IntRange(0, 1).Draw(t, "line")))
		}
		for _, f := range play(p.edges, formats...) {
			if f.Fault == fault.None {
				mustBeSent(t, formats, p.edges, f)
			}
		}
	})
}

func TestFramerAllocates(t *testing.T) {
	f, edges := steady(t)
	if n := testing.AllocsPerRun(100, func() { f.round(edges) }); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}
