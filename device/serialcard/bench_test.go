package serialcard_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/serialcard"
)

// TestNoHeap: a frame takes nothing from the heap, a code its text.
func TestNoHeap(t *testing.T) {
	for _, s := range append(samples, sample{layout: "code", in: "GHP1.CODE\r\n"}) {
		d, err := serialcard.NewDecoder(s.of(t))
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		if s.layout == "code" {
			want = 1
		}
		if n := testing.AllocsPerRun(100, func() {
			for i := range len(s.in) {
				d.Push(s.in[i])
			}
			d.Timeout()
		}); n != want {
			t.Errorf("%s: %v allocations a frame", s.layout, n)
		}
	}
}

// BenchmarkDecoder measures a held card's frame in each layout, beside a loop
// that does no more than look at its bytes, and beside the wire.
func BenchmarkDecoder(b *testing.B) {
	seen := map[string]bool{}
	for _, s := range append(samples, sample{layout: "code", in: strings.Repeat("GHP1.", 100) + "\r\n"}) {
		if seen[s.layout] || s.settings.Base != "" {
			continue
		}
		seen[s.layout] = true
		b.Run(s.layout, func(b *testing.B) { benchmarkDecoder(b, s) })
	}
}

// bareLoop returns the seconds that it takes to look at each byte once: the best
// of some rounds, since others use the machine too.
func bareLoop(in []byte) (float64, byte) {
	const rounds = 20_000
	best, sum := math.Inf(1), byte(0)
	for range 10 {
		start := time.Now()
		for range rounds {
			for _, c := range in {
				sum ^= c
			}
		}
		best = min(best, time.Since(start).Seconds()/rounds)
	}
	return best, sum
}

func benchmarkDecoder(b *testing.B, s sample) {
	l := s.of(b)
	d, err := serialcard.NewDecoder(l)
	if err != nil {
		b.Fatal(err)
	}
	in := []byte(s.in)
	bare, sum := bareLoop(in)
	b.ReportAllocs()
	for b.Loop() {
		found := false
		for _, c := range in {
			if e, ok := d.Push(c); ok {
				found = e.Kind == device.CardRead || e.Kind == device.CodeRead
			}
		}
		if e, ok := d.Timeout(); ok {
			found = e.Kind == device.CardRead
		}
		if !found {
			b.Fatal("no card", sum)
		}
	}
	each := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(each*1e9/float64(len(in)), "ns/byte")
	b.ReportMetric(each/bare, "x-bare-loop")
	b.ReportMetric(each/(float64(len(in))*10/float64(l.Baud)), "of-wire-time") // 10 bits a byte
}
