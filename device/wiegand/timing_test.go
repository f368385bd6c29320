package wiegand

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// drawn is a right card, sent at an interval with some jitter: when each pulse
// comes and on which line.
type drawn struct {
	card     device.Card
	interval time.Duration
	at       []time.Duration
	line     []uint8
}

func drawPulses(t *rapid.T, jitter float64) drawn {
	d := drawn{interval: time.Duration(rapid.IntRange(200, 18000).Draw(t, "interval")) * us}
	d.card = made(h26[0], rapid.Uint64Range(0, 255).Draw(t, "facility"), rapid.Uint64Range(0, 65535).Draw(t, "card"))
	at := time.Duration(0)
	for i := range d.card.Len() {
		d.at, d.line = append(d.at, at), append(d.line, d.card.Bit(i))
		at += time.Duration(float64(d.interval) * rapid.Float64Range(1-jitter, 1+jitter).Draw(t, "jitter"))
	}
	return d
}

// spike puts a pulse of noise between others.
func (d *drawn) spike(at time.Duration, line uint8) {
	i, _ := slices.BinarySearch(d.at, at)
	d.at, d.line = slices.Insert(d.at, i, at), slices.Insert(d.line, i, line)
}

func (d *drawn) lose(i int) {
	d.at, d.line = slices.Delete(d.at, i, i+1), slices.Delete(d.line, i, i+1)
}

func (d *drawn) play(formats ...Format) []Frame {
	var edges []device.Edge
	for i := range d.at {
		edges = append(edges, device.Edge{Line: d.line[i], Active: true, At: time.Second + d.at[i], Seq: uint32(i + 1)})
	}
	return play(edges, formats...)
}

// mustNotRead checks that no card is read; the right one may be where its last
// pulse bounced.
func (d *drawn) mustNotRead(t *rapid.T, what string) {
	t.Helper()
	for _, f := range d.play(h26...) {
		if f.Fault == fault.None && (f.Card != d.card || len(d.at) <= f.Card.Len()) {
			t.Fatalf("%s made a card", what)
		}
	}
}

// A reader may be off by a fifth at each bit.
func TestJitter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0.2)
		got := d.play(h26...)
		if len(got) != 1 || got[0].Card != d.card {
			t.Fatalf("got %v, want the card", faults(got))
		}
	})
}

// A busy board takes some edges late, by up to 5 ms: the card is
// read.
func TestLateEdges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0)
		for i := rapid.IntRange(0, 25).Draw(t, "late"); i < 26; i += rapid.IntRange(4, 25).Draw(t, "later") {
			d.at[i] += time.Duration(rapid.Int64Range(0, int64(min(d.interval-minInterval, 5*ms))).Draw(t, "by"))
		}
		if got := d.play(h26...); len(got) != 1 || got[0].Card != d.card {
			t.Fatalf("got %v, want the card", faults(got))
		}
	})
}

// A reader whose bits come at any legal interval, as one that is a busy
// computer itself, is read: then the times say nothing.
func TestUneven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0)
		at := time.Duration(0)
		for i := range d.at {
			d.at[i] = at
			at += time.Duration(100+i*37%26*rapid.IntRange(100, 500).Draw(t, "step")) * us
		}
		if got := d.play(h26...); len(got) != 1 || got[0].Card != d.card {
			t.Fatalf("got %v, want the card", faults(got))
		}
	})
}

// A spike between the bits of a card is never a bit of one, on one line or both.
func TestSpikeInFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0.2)
		end := int64(d.at[25])
		for range rapid.IntRange(1, 3).Draw(t, "spikes") {
			d.spike(time.Duration(rapid.Int64Range(1, end-1).Draw(t, "at")), uint8(rapid.IntRange(0, 1).Draw(t, "line")))
		}
		d.mustNotRead(t, "a spike")
	})
}

// A pulse lost on the wire and a spike elsewhere leave the length right and, by
// chance, the parity: their times tell. (A spike where the lost pulse should
// have been can't be told from it, nor one right behind its gap, or behind the first pulse, from a
// late edge.)
func TestSpikeForLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0.1)
		lost := rapid.IntRange(1, 24).Draw(t, "lost")
		i := rapid.IntRange(1, 24).Filter(func(i int) bool { return i < lost-1 || i > lost+2 }).Draw(t, "spiked")
		into := rapid.Float64Range(0, 1).Draw(t, "into")
		spike := d.at[i] + time.Duration(into*float64(d.at[i+1]-d.at[i]))
		d.lose(lost)
		d.spike(spike, uint8(rapid.IntRange(0, 1).Draw(t, "line")))
		d.mustNotRead(t, "a spike for a lost pulse")
	})
}

// A spike before a card, other than just where a bit would have been, does not
// shift the card's bits.
func TestSpikeBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0.1)
		before := time.Duration(rapid.Int64Range(1, int64(MinGap)-1).Draw(t, "before"))
		if before > d.interval/2 && before < 3*d.interval/2 {
			t.Skip("as a bit")
		}
		d.spike(-before, uint8(rapid.IntRange(0, 1).Draw(t, "line")))
		d.mustNotRead(t, "a spike before")
	})
}

// Pulses lost on the wire, which the kernel can't count, make a frame short.
func TestLostOnWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawPulses(t, 0.2)
		for range rapid.IntRange(1, 25).Draw(t, "lost") {
			d.lose(rapid.IntRange(0, len(d.at)-1).Draw(t, "which"))
		}
		d.mustNotRead(t, "a lost pulse")
	})
}

// Evenly spaced noise at 10 kHz is no card, whatever its bits: it is faster than
// a reader and does not stop where a card would.
func TestEvenNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p tape
		for range rapid.IntRange(27, 400).Draw(t, "pulses") {
			p.edge(100*us, uint8(rapid.IntRange(0, 1).Draw(t, "line")))
		}
		for _, f := range play(p.edges, h26...) {
			if f.Fault == fault.None {
				t.Fatal("noise made a card")
			}
		}
	})
}

// Formats that check nothing never end without silence, since nothing tells
// that all bits are there.
func TestUncheckedWaits(t *testing.T) {
	var p tape
	p.frame(0, device.CardOf(5, 32), 2*ms)
	for name, early := range map[string]bool{"W32": false, "RAW32": false, "H10301": true, "H10306": true, "W66": true, "P10001": true, "Kastle": true} {
		x, ok := Lookup(name)
		if !ok {
			t.Errorf("no format %s", name)
		}
		if checked(x) != early {
			t.Errorf("%s: checked %t", name, !early)
		}
	}
	f, got := settled(Config{Formats: []Format{known("RAW32")}})
	f.Edges(p.edges)
	if len(*got) != 0 {
		t.Error("32 bits that nothing checks ended without silence")
	}
	f.Idle()
	if len(*got) != 1 || (*got)[0].Fault != fault.None {
		t.Errorf("got %v", *got)
	}
}

// Whatever came before, a card behind a silence is read: nothing gets stuck.
func TestRecovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		formats := drawFormats(t)
		p := drawTape(t, formats)
		if len(p.edges) > 2 && rapid.Bool().Draw(t, "lose") {
			p.drop(rapid.IntRange(0, len(p.edges)-2).Draw(t, "lost"))
		}
		for range rapid.IntRange(0, 600).Draw(t, "overlong") {
			p.edge(ms, 0)
		}
		want := a
		switch formats[0].Name {
		case "H10306":
			want = longer
		case "W66":
			want = uid
		}
		p.frame(maxAdaptive, want, 2*ms)
		got := play(p.edges, formats...)
		if len(got) == 0 || got[len(got)-1].Card != want {
			t.Fatalf("got %v, want a card at the end", faults(got))
		}
	})
}
