package gpio

import (
	"errors"
	"os"
	"testing"
	"time"

	"gatehouse/device"
)

// BenchmarkPulses pulses two lines as fast as this machine can while edges are
// read, and reports pulses/s, how many were lost, and both beside two limits:
// the same writes with nobody listening, and the fastest legal reader (a bit
// each 200 us, SIA AC-01).
func BenchmarkPulses(b *testing.B) {
	c := newChip(b, "bench")
	send := func(n int) time.Duration {
		start := time.Now()
		for i := range n {
			c.set(d0+i&1, false)
			c.set(d0+i&1, true)
		}
		return time.Since(start)
	}
	c.set(d0, true)
	c.set(d1, true)
	send(100)
	alone := send(2000)

	l, err := OpenLines(wires("bench"))
	if err != nil {
		b.Fatal(err)
	}
	got := make(chan int)
	go func() { got <- count(l) }()
	b.ResetTimer()
	took := send(b.N)
	b.StopTimer()
	time.Sleep(300 * ms)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	n := <-got
	rate := float64(b.N) / took.Seconds()
	b.ReportMetric(rate, "pulses/s")
	b.ReportMetric(float64(b.N-n)/float64(b.N), "lost")
	b.ReportMetric(rate/5000, "x-legal")
	b.ReportMetric(rate/(2000/alone.Seconds()), "x-unheard")
}

// count reads edges until the lines are closed.
func count(l device.Lines) (n int) {
	var buf [64]device.Edge
	for {
		k, err := l.ReadEdges(buf[:], -1)
		if errors.Is(err, os.ErrClosed) {
			return n
		}
		n += k
	}
}

// BenchmarkSet reports one change of an output.
func BenchmarkSet(b *testing.B) {
	newChip(b, "bench")
	o, err := OpenOutput(device.OutputConfig{Chip: "bench", Offset: relay})
	if err != nil {
		b.Fatal(err)
	}
	defer o.Close()
	on := false
	for b.Loop() {
		on = !on
		if err := o.Set(on); err != nil {
			b.Fatal(err)
		}
	}
}
