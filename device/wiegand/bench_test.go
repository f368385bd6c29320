package wiegand

import (
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// loop feeds the same frame again and again, as if it went on.
type loop struct {
	*Framer
	at  time.Duration
	seq uint32
}

// steady makes a framer and one frame of 26 bits.
func steady(t testing.TB) (*loop, []device.Edge) {
	var p tape
	p.frame(100*ms, card(t, "H10301", 123, 4567), 2*ms)
	h26, _ := Lookup("H10301")
	cards := 0
	f := NewFramer(Config{Formats: []Format{h26}}, func(x Frame) {
		if x.Fault == fault.None {
			cards++
		}
	})
	f.Settle()
	l := &loop{Framer: f}
	l.round(append([]device.Edge(nil), p.edges...))
	if cards != 1 {
		t.Fatalf("%d cards of one frame", cards)
	}
	return l, p.edges
}

func (l *loop) round(edges []device.Edge) {
	l.shift(edges)
	l.Edges(edges)
}

// shift moves a frame behind the last one.
func (l *loop) shift(edges []device.Edge) {
	for i := range edges {
		l.seq++
		l.at += 2 * ms
		if i == 0 {
			l.at += 98 * ms
		}
		edges[i].Seq, edges[i].At = l.seq, l.at
	}
}

// BenchmarkFramer reports the cost of an edge beside the floor (a loop that
// only writes and sums the same edges) and beside the wire: the shortest legal
// time of a bit is 200 us (SIA AC-01).
func BenchmarkFramer(b *testing.B) {
	l, edges := steady(b)
	b.ReportAllocs()
	for b.Loop() {
		l.round(edges)
	}
	perEdge := float64(b.Elapsed().Nanoseconds()) / float64(b.N*len(edges))
	b.ReportMetric(perEdge, "ns/edge")
	b.ReportMetric(200e3/perEdge, "readers/core")

	var sum time.Duration
	start := time.Now()
	for range b.N {
		l.shift(edges)
		for i := range edges {
			sum += edges[i].At
		}
	}
	floor := float64(time.Since(start).Nanoseconds()) / float64(b.N*len(edges))
	b.ReportMetric(perEdge/floor, "x-floor")
	if sum == 0 {
		b.Fatal("nothing summed")
	}
}
