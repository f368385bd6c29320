package intake

import (
	"testing"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

// The queue against its rules: nothing is lost uncounted, the order is that of
// the counters, and no entry of the upper class goes while one of the lower waits.
func TestQueueLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := queue{limit: rapid.IntRange(4, 24).Draw(t, "limit")}
		var pushed, dropped, taken uint64
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "take") == 0 {
				last := -1
				for _, it := range q.take(nil, rapid.IntRange(1, 30).Draw(t, "n")) {
					if int(it.Ref.Counter) <= last {
						t.Fatalf("entry %d was taken after %d", it.Ref.Counter, last)
					}
					last = int(it.Ref.Counter)
					taken++
				}
				continue
			}
			it := &Item{Ref: wire.Ref{Counter: pushed}, low: rapid.Bool().Draw(t, "low")}
			pushed++
			lows := len(q.low)
			victim := q.push(it)
			if victim == nil {
				continue
			}
			dropped++
			if !victim.low && (lows > 0 || it.low) {
				t.Fatalf("an upper entry went while %d of the lower class waited", lows)
			}
		}
		if q.len() > q.limit || len(q.low) > q.limit-q.limit/4 {
			t.Fatalf("%d entries, %d of the lower class, limit %d", q.len(), len(q.low), q.limit)
		}
		if pushed != dropped+taken+uint64(q.len()) {
			t.Fatalf("%d pushed, but %d dropped, %d taken, %d waiting", pushed, dropped, taken, q.len())
		}
	})
}
