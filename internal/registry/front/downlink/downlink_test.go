package downlink

import (
	"testing"
	"time"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
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
	a := &Sender{Options{Chance: func(limit time.Duration) time.Duration { return limit - 1 }}}
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

// TestProved: a list is proved by its hash in either format, and by nothing else.
func TestProved(t *testing.T) {
	hash, old := wire.Hash{1}, wire.Hash{2}
	for _, c := range []struct {
		list   store.List
		named  wire.Hash
		proved bool
	}{
		{store.List{Hash: hash, OldHash: old}, hash, true},
		{store.List{Hash: hash, OldHash: old}, old, true},
		{store.List{Hash: hash, OldHash: old}, wire.Hash{3}, false},
		{store.List{Hash: hash}, wire.Hash{}, false}, // it has no first format
	} {
		u, g := newUnproved(nil), &roster.Gateway{}
		u.Sent(g, c.list)
		u.Proved(&roster.Gateway{}, hash) // another one
		if u.Proved(g, c.named); (len(u.all) == 0) != c.proved {
			t.Errorf("%x names %x: proved is not %v", c.list.Hash[:1], c.named[:1], c.proved)
		}
	}
}
