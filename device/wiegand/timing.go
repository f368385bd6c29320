package wiegand

import "time"

// The times of a frame's bits say what its bits can't: a reader sends them
// evenly, noise comes as it likes. Widths of pulses would say less: the kernel
// reads the level after the interrupt, so that on a busy board both edges of a
// pulse of 40 us look alike, and it costs twice the edges.

// minMeasured is the fewest intervals from which anything follows.
const minMeasured = 8

// Gap is the silence that ends the frame at hand.
func (f *Framer) Gap() time.Duration {
	if f.set != 0 {
		return f.set
	}
	if f.n == 0 {
		return MinGap
	}
	return min(max(10*time.Duration(f.median())*time.Microsecond, MinGap), maxAdaptive)
}

// measure puts an interval in its place, for the median.
func (f *Framer) measure(interval time.Duration) {
	if f.n == len(f.between) {
		return
	}
	us := uint32(max(interval, 0) / time.Microsecond)
	if f.n > 1 && f.latest[0]+us < f.pair {
		f.pair, f.lead = f.latest[0]+us, f.latest[1]
	}
	f.latest = [2]uint32{us, f.latest[0]}
	i := f.n
	for ; i > 0 && f.between[i-1] > us; i-- {
		f.between[i] = f.between[i-1]
	}
	f.between[i] = us
	f.n++
}

// median of the intervals in us; there must be one.
func (f *Framer) median() uint32 { return f.between[(f.n-1)/2] }

// even tells that every interval is within a quarter of the median, and that no
// reader would be faster.
func (f *Framer) even() bool {
	return f.n > 0 && f.median() >= promptInterval && f.about(0) && f.about(f.n-1)
}

// extra tells that a frame has a pulse too many and so, if its number of bits
// is right, one too few: nearly all intervals are even, and two in a row are no
// longer than one should be. Not so at the start and behind a long one: there, a
// busy board took an edge late.
func (f *Framer) extra() bool {
	if f.n < minMeasured {
		return false
	}
	median := uint64(f.median())
	return f.about(f.n/8) && f.about(f.n-1-f.n/8) && 4*uint64(f.pair) <= 5*median && 2*uint64(f.lead) <= 3*median
}

// about tells that the i-th shortest interval is within a quarter of the median.
func (f *Framer) about(i int) bool {
	median, x := uint64(f.median()), uint64(f.between[i])
	return 4*x >= 3*median && 4*x <= 5*median
}
