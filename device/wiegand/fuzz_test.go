package wiegand

import (
	"slices"
	"testing"
	"time"

	"gatehouse/device"
)

// mustBeSent checks that a card is right in one of the formats and is exactly
// the edges before its time, none missing and none too close.
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

// spells tells whether the last active edges are the bits of c.
func spells(edges []device.Edge, c device.Card) bool {
	i := c.Len()
	for k := len(edges) - 1; k >= 0 && i > 0; k-- {
		e := edges[k]
		if k > 0 && e.Seq != edges[k-1].Seq+1 && i > 1 {
			return false
		}
		if !e.Active {
			continue
		}
		i--
		if e.Line != c.Bit(i) {
			return false
		}
	}
	return i == 0
}

// FuzzFramer: no panic; each card is the edges that were given. Four bytes make
// an edge: line and flags, time in units of 10 us.
func FuzzFramer(f *testing.F) {
	var p tape
	p.frame(0, card(f, "H10301", 123, 4567), 2*ms)
	p.frame(99*ms, card(f, "W66", 0, 42), 200*us)
	f.Add(bytesOf(p.edges))
	p.drop(7)
	f.Add(bytesOf(p.edges))
	f.Fuzz(func(t *testing.T, b []byte) {
		edges := edgesOf(b)
		for _, formats := range [][]Format{h26, all()} {
			for _, x := range play(edges, formats...) {
				if x.Fault == device.FaultNone {
					mustBeSent(t, formats, edges, x)
				}
			}
		}
	})
}

func bytesOf(edges []device.Edge) (b []byte) {
	var last device.Edge
	for _, e := range edges {
		after := uint16((e.At - last.At) / (10 * us))
		b = append(b, e.Line, byte(e.Seq-last.Seq-1), byte(after>>8), byte(after))
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
