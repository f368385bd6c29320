package wiegand

import (
	"math"
	"time"

	"gatehouse/device"
)

// minMeasured is the fewest intervals from which extra concludes anything. A reader sends its bits
// evenly, noise does not. The widths of pulses would say less: the kernel reads the level after the
// interrupt, so that on a busy board both edges of a 40 us pulse look alike, and they would double
// the number of edges.
const minMeasured = 8

// Times of the wire. SIA AC-01 has 200 us to 20 ms between bits; real
// readers keep 100 us and more.
const (
	// MinGap and MaxGap are the limits of a configured gap.
	MinGap = 25 * time.Millisecond
	MaxGap = 100 * time.Millisecond

	minInterval = 100 * time.Microsecond
	// maxAdaptive is ten times the longest interval that SIA AC-01 allows.
	maxAdaptive = 200 * time.Millisecond
	// promptInterval is the shortest median interval, in us, of a frame that may end without
	// silence: readers keep to 200 us, noise may be faster.
	promptInterval = 150
)

// intervals are the times between the bits of one frame, in us.
type intervals struct {
	sorted [device.MaxCardBits]uint32
	n      int       // of sorted
	latest [2]uint32 // the last two, newest first
	pair   uint32    // the shortest two in a row
	lead   uint32    // the one before them
}

func (t *intervals) clear() { t.n, t.latest, t.pair, t.lead = 0, [2]uint32{}, math.MaxUint32, 0 }

// gap returns ten times the median, within the limits.
func (t *intervals) gap() time.Duration {
	if t.n == 0 {
		return MinGap
	}
	return min(max(10*time.Duration(t.median())*time.Microsecond, MinGap), maxAdaptive)
}

// add inserts an interval in sorted order.
func (t *intervals) add(interval time.Duration) {
	if t.n == len(t.sorted) {
		return
	}
	us := uint32(max(interval, 0) / time.Microsecond)
	if t.n > 1 && t.latest[0]+us < t.pair {
		t.pair, t.lead = t.latest[0]+us, t.latest[1]
	}
	t.latest = [2]uint32{us, t.latest[0]}
	i := t.n
	for ; i > 0 && t.sorted[i-1] > us; i-- {
		t.sorted[i] = t.sorted[i-1]
	}
	t.sorted[i] = us
	t.n++
}

// median returns the median interval in us; there must be an interval.
func (t *intervals) median() uint32 { return t.sorted[(t.n-1)/2] }

// even reports whether every interval is within a quarter of the median, and the median no shorter
// than a reader's.
func (t *intervals) even() bool {
	return t.n > 0 && t.median() >= promptInterval && t.about(0) && t.about(t.n-1)
}

// extra reports whether a frame has one pulse too many (and so, if its number of bits is right,
// lost another): nearly all intervals are even, and two consecutive ones are together no longer
// than one should be. It is false at the start, and where a long interval precedes the two: there,
// a busy board took an edge late.
func (t *intervals) extra() bool {
	if t.n < minMeasured {
		return false
	}
	median := uint64(t.median())
	return t.about(t.n/8) && t.about(t.n-1-t.n/8) && 4*uint64(t.pair) <= 5*median && 2*uint64(t.lead) <= 3*median
}

// about reports whether the i-th shortest interval is within a quarter of the median.
func (t *intervals) about(i int) bool {
	median, x := uint64(t.median()), uint64(t.sorted[i])
	return 4*x >= 3*median && 4*x <= 5*median
}
