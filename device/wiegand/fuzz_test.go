package wiegand

import (
	"slices"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// mustBeSent checks that a card is right in one of the formats and is exactly
// the edges before its time, none missing, behind a silence.
func mustBeSent(t interface{ Fatalf(string, ...any) }, formats []Format, edges []device.Edge, f Frame) {
	if !slices.ContainsFunc(formats, func(x Format) bool { return x.Check(f.Card) == nil }) {
		t.Fatalf("a card that no format takes")
	}
	for last := range edges {
		if edges[last].At == f.At && spells(edges[:last+1], f.Card) {
			return
		}
	}
	t.Fatalf("a card of %d bits at %v that nobody sent", f.Card.Len(), f.At)
}

// spells tells whether the last active edges, all counted, are the bits of c,
// and the one before them is a silence away: an active one, or one behind lost
// edges, since its time is the last that was heard of them.
func spells(edges []device.Edge, c device.Card) bool {
	i, first := c.Len(), time.Duration(0)
	for k := len(edges) - 1; k >= 0; k-- {
		e := edges[k]
		lost := k > 0 && e.Seq != edges[k-1].Seq+1
		if i > 0 && lost {
			return false
		}
		if !e.Active && !lost {
			continue
		}
		if i == 0 {
			return first-e.At >= MinGap
		}
		i--
		if first = e.At; e.Line != c.Bit(i) {
			return false
		}
	}
	return i == 0
}

// fuzzed are the readers that FuzzFramer plays the edges to.
func fuzzed() []Config {
	list := []Config{{Formats: h26}, {Formats: all()}, {Formats: h26w66, Gap: MinGap}}
	for _, kind := range KeypadKinds() {
		list = append(list, Config{Formats: h34, Keypad: Keypad{Kind: kind}})
	}
	return append(list, Config{Formats: h26h34, Keypad: Keypad{Kind: "pin26", Facility: 9, Length: 4}}, Config{LearnFormat: true})
}

// FuzzFramer: no panic; each card, key and PIN is the edges that were given
// between two silences, and what is the keypad's is no card. Four bytes make an
// edge: line and flags, time in units of 10 us.
func FuzzFramer(f *testing.F) {
	var p tape
	p.frame(0, card(f, "H10301", 123, 4567), 2*ms)
	p.frame(99*ms, card(f, "W66", 0, 42), 200*us)
	f.Add(bytesOf(p.edges))
	p.drop(7)
	f.Add(bytesOf(p.edges))
	p.frame(99*ms, device.CardOf(11, 4), 2*ms)
	p.frame(99*ms, device.CardOf(0b110111, 6), 2*ms)
	p.frame(99*ms, card(f, "H10301", 9, 4711), 2*ms)
	f.Add(bytesOf(p.edges))
	var back tape // a clock that goes back where edges are lost
	back.edge(123*ms, 0)
	back.seq++
	back.edge(-201*ms, 0)
	back.edges[1].Active = false
	back.frame(123*ms, device.CardOf(0, 24), 480*us)
	f.Add(bytesOf(back.edges))
	cfgs := fuzzed()
	f.Fuzz(func(t *testing.T, b []byte) {
		edges := edgesOf(b)
		for _, cfg := range cfgs {
			for _, x := range playOn(cfg, edges) {
				mustFollow(t, cfg, edges, x)
			}
		}
	})
}

// mustFollow checks one frame against the edges before its end.
func mustFollow(t *testing.T, cfg Config, edges []device.Edge, x Frame) {
	pad := newPad(cfg.Keypad)
	switch {
	case x.Fault != fault.None:
		if x != (Frame{Fault: x.Fault, At: x.At}) {
			t.Fatalf("%v and more", x.Fault)
		}
	case x.Card.Len() > 0:
		if x.Key != 0 || x.PIN.Len() > 0 || pad.claims(x.Card) {
			t.Fatalf("a card that is keys")
		}
		if !cfg.LearnFormat {
			mustBeSent(t, cfg.Formats, edges, x)
		}
	default:
		if !slices.ContainsFunc(edges, func(e device.Edge) bool { return e.At == x.At }) {
			t.Fatalf("keys at %v, when nothing was sent", x.At)
		}
		for last := range edges {
			sent := lastBits(edges[:last+1], pad.bits())
			if edges[last].At == x.At && pad.claims(sent) && pad.read(sent) == (Frame{Key: x.Key, PIN: x.PIN}) {
				return
			}
		}
		t.Fatalf("keys that nobody typed")
	}
}

// lastBits is what the last n active edges spell.
func lastBits(edges []device.Edge, n int) (c device.Card) {
	var lines []byte
	for k := len(edges) - 1; k >= 0 && len(lines) < n; k-- {
		if edges[k].Active {
			lines = append(lines, edges[k].Line)
		}
	}
	for _, line := range slices.Backward(lines) {
		c, _ = c.Append(line)
	}
	return c
}

func bytesOf(edges []device.Edge) (b []byte) {
	var last device.Edge
	for _, e := range edges {
		after := uint16((e.At - last.At) / (10 * us))
		line := e.Line
		if !e.Active {
			line |= 1 << 7
		}
		b = append(b, line, byte(e.Seq-last.Seq-1), byte(after>>8), byte(after))
		last = e
	}
	return b
}

func edgesOf(b []byte) (edges []device.Edge) {
	var last device.Edge
	for ; len(b) >= 4; b = b[4:] {
		last.Line = b[0] & 3 >> (b[0] >> 6 & 1) // mostly 0 and 1
		last.Active = b[0]>>7 == 0
		last.Seq += uint32(b[1]) + 1
		last.At += time.Duration(int16(uint16(b[2])<<8|uint16(b[3]))) * 10 * us
		edges = append(edges, last)
	}
	return edges
}
