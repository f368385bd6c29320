package fleet

import (
	"slices"
	"sync"
	"time"
)

// latencies gathers times. It is safe for concurrent use.
type latencies struct {
	mu  sync.Mutex
	all []time.Duration
}

func (l *latencies) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
}

// reset forgets what came so far.
func (l *latencies) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = nil
}

// Latency is how long something took, N times: the median, what one in a hundred exceeds, and the
// longest, in ms.
type Latency struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

func (l *latencies) sum() Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.all)
	if n == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(l.all))
	ms := func(i int) float64 { return float64(sorted[i].Microseconds()) / 1000 }
	return Latency{N: n, P50: ms((n - 1) / 2), P99: ms((99*n+99)/100 - 1), Max: ms(n - 1)}
}
