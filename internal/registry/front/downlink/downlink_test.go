package downlink

import (
	"testing"
	"time"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// TestWantIsAskedAgain: a question that there was no room for does not keep the
// gateway from asking again.
func TestWantIsAskedAgain(t *testing.T) {
	w := newWants(nil)
	w.queue = make(chan want, 1)
	first, second := &roster.Gateway{}, &roster.Gateway{}
	ask := func(g *roster.Gateway) { w.Ask(g, wire.Want{List: true}) }
	ask(first)
	ask(first) // one at a time
	ask(second)
	if n := w.Dropped(); n != 1 || len(w.queue) != 1 {
		t.Fatalf("%d dropped, %d wait, want 1 and 1", n, len(w.queue))
	}
	<-w.queue
	ask(second)
	if len(w.queue) != 1 || (<-w.queue).g != second {
		t.Error("a gateway whose question was dropped is not heard again")
	}
}

// TestWindowCloses: the fuller the queue, the less may be in flight, down to
// nothing.
func TestWindowCloses(t *testing.T) {
	a := Acks{&Sender{Options{Chance: func(limit time.Duration) time.Duration { return limit - 1 }}}}
	last := uint16(widest)
	for waiting := range 101 {
		w, retry := a.window(waiting, 100)
		if w > last || (w == 0) != (retry > 0) {
			t.Fatalf("with %d waiting: window %d after %d, retry after %d s", waiting, w, last, retry)
		}
		last = w
	}
	if last != 0 {
		t.Errorf("a full queue leaves a window of %d", last)
	}
}

// TestSpread: the wish for the next reconnect grows with the number of gateways,
// and never so far that a revocation waits for it.
func TestSpread(t *testing.T) {
	for _, c := range []struct{ gateways, want int }{{1, 5}, {5_000, 10}, {30_000, 40}} {
		if got := int(spread(c.gateways)); got != c.want {
			t.Errorf("%d gateways: %d s", c.gateways, got)
		}
	}
}
