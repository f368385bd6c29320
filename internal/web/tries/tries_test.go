package tries

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func from(i int) string { return fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255) }

// TestManyAddresses: nobody's tries take somebody else's, from however many addresses; a known device has its own; and an
// address that is over its limit stays so, however many come after it.
func TestManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Every)
		for range Burst {
			if !l.Allow(from(0), "") {
				t.Fatal("a try of the first address")
			}
		}
		for i := range mostTriers - 2 {
			for range 2 * Burst {
				l.Allow(from(i+1), "")
			}
		}
		if !l.Allow(from(mostTriers-1), "") {
			t.Error("an address that was not seen before may not try")
		}
		heard := 0
		for i := range 20_000 {
			if l.Allow(from(mostTriers+i), "") {
				heard++
			}
		}
		if heard > 4*Burst {
			t.Errorf("%d tries of more addresses than are kept", heard)
		}
		if l.Allow(from(0), "") {
			t.Error("what others tried began a limit anew")
		}
		for range Burst {
			if !l.Allow(from(0), "phone") {
				t.Error("a known device may not try")
			}
		}
		if l.Allow(from(0), "phone") || !l.Allow(from(0), "another") {
			t.Error("the limits of devices")
		}
		time.Sleep(Burst * Every)
		if !l.Allow(from(0), "") || !l.Allow(from(mostTriers+20_000), "") || len(l.by) > 3 {
			t.Errorf("minutes later %d are remembered, or may not try", len(l.by))
		}
	})
}

// TestQueue: one at work, a few that wait, and nobody for long.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue()
		if !q.Enter(t.Context()) {
			t.Fatal("an empty queue")
		}
		in := make(chan bool, queued)
		for range queued {
			go func() { in <- q.Enter(t.Context()) }()
		}
		synctest.Wait()
		if q.Enter(t.Context()) {
			t.Error("one more than the queue holds")
		}
		q.Leave()
		if !<-in {
			t.Error("the next one's turn")
		}
		for range queued - 1 {
			if <-in {
				t.Error("two at work")
			}
		}
		q.Leave()
		if !q.Enter(t.Context()) {
			t.Error("who did not wait left no place")
		}
	})
}
