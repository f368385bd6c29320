package gpio

import (
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// BenchmarkCards sends cards of 26 bits at ever shorter intervals through the
// kernel, this package and a wiegand.Reader, and reports how many came as they
// were sent, the rate of the pulses as sent, and that rate beside three limits:
// the fastest legal reader (a bit each 200 us, SIA AC-01), what this machine can
// toggle with nobody listening, and the share of the kernel's buffer of 1024 edges
// that a card takes if nobody reads meanwhile. "0s" is as fast as the machine can.
// Below 100 us the Reader refuses by intent: BenchmarkPulses has the edges alone.
func BenchmarkCards(b *testing.B) {
	for _, interval := range []time.Duration{2 * ms, ms, 500 * us, 200 * us, 150 * us, 110 * us, 0} {
		b.Run(interval.String(), func(b *testing.B) {
			c := newChip(b, "rate")
			c.set(d0, true)
			c.set(d1, true)
			want := card(b, "H10301", 123, 4567)
			alone := c.rate(want, interval)
			r := newReader(b, wires("rate"), "H10301")
			r.next(device.CameOnline, fault.None)
			sent, faults := 0.0, map[fault.Code]int{}
			for b.Loop() {
				sent += c.rate(want, interval)
				faults[r.reads(want)]++
			}
			rate := sent / float64(b.N)
			b.ReportMetric(float64(faults[fault.LostEdges]), "edges_lost")
			b.ReportMetric(float64(b.N-faults[fault.None]), "cards_lost")
			b.ReportMetric(rate, "pulses/s")
			b.ReportMetric(rate/5000, "x-legal")
			b.ReportMetric(rate/alone, "x-unheard")
			b.ReportMetric(float64(want.Len())/bufferedEvents, "x-buffer")
		})
	}
}

// rate sends a card without checks and returns the pulses a second. An interval
// of 0 is no pause at all.
func (c *chip) rate(card device.Card, interval time.Duration) float64 {
	start := time.Now()
	for i := range card.Len() {
		begin := time.Now()
		line := []int{d0, d1}[card.Bit(i)]
		c.set(line, false)
		c.set(line, true)
		if wait := interval - time.Since(begin); wait > 0 {
			nap(wait)
		}
	}
	return float64(card.Len()) / time.Since(start).Seconds()
}

// reads waits for the card and returns what came instead, if anything.
func (r *reader) reads(want device.Card) (found fault.Code) {
	for {
		select {
		case e := <-r.events:
			if e.Kind == device.CardRead && e.Card == want {
				nap(150 * ms) // a silence before the next
				return fault.None
			}
			found = e.Fault
		case <-time.After(400 * ms):
			return found
		}
	}
}
