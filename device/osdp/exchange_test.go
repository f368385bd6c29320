package osdp

import (
	"slices"
	"testing"
	"time"

	"gatehouse/device/osdp/osdptest"
)

// TestSecureBeforeWindowCloses: who waits for the end of the window to look what
// came of it finds the reader secured, at every moment.
func TestSecureBeforeWindowCloses(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, boxed(1)).run()
		defer g.stop()
		r := g.bus.Readers()[0]
		time.Sleep(time.Second)
		if err := r.Install(time.Minute); err != nil {
			t.Fatal(err)
		}
		for s := r.Status(); !s.Secure; s = r.Status() {
			if !s.Installing {
				t.Fatalf("the window is closed, and the reader %+v", s)
			}
			time.Sleep(100 * time.Microsecond)
		}
		if s := r.Status(); !same(g, r.cfg.Keys.(*store)) {
			t.Errorf("secured without a key: %+v", s)
		}
	})
}

// exchange is a line with a reader that is there, and another one as it leaves the
// box, with the same address, that is not.
func exchange(t *testing.T) (g *rig, first, second *osdptest.Reader) {
	p := keyed(1)
	g = build(t, p)
	box := boxed(1).peer
	box.Serial, box.Baud = 4711, testBaud
	first, second = g.peers[0], osdptest.NewReader(box)
	second.SetDead(true)
	g.line = osdptest.NewLine(first, second)
	g.line.WireTime = true
	return g, first, second
}

// pairs gives the second reader, which is there, a key, and returns what was told.
func (g *rig) pairs() []string {
	g.t.Helper()
	g.heard()
	if err := g.bus.Readers()[0].Install(time.Minute); err != nil {
		g.t.Fatal(err)
	}
	time.Sleep(15 * time.Second) // of pauses after the keys that failed
	heard := g.heard()
	if !slices.Contains(heard, "online") {
		g.t.Errorf("paired: heard %v", heard)
	}
	if id := g.bus.Readers()[0].Status().Identity; id.Serial != 4711 {
		g.t.Errorf("the status names %v", id)
	}
	return heard
}

// goesAndComes takes the current of a reader that belongs there for a while.
func (g *rig) goesAndComes(r *osdptest.Reader) {
	g.t.Helper()
	r.SetDead(true)
	g.expect(15*time.Second, "offline no_answer")
	r.SetDead(false)
	g.expect(5*time.Second, "online")
}

// TestExchangePaired: a reader in the place of another is told until it is paired,
// and then belongs there: the next one is told again.
func TestExchangePaired(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g, first, second := exchange(t)
		g.run()
		defer g.stop()
		g.expect(time.Second, "online")
		first.SetDead(true)
		g.expect(15*time.Second, "offline no_answer")
		second.SetDead(false)
		time.Sleep(5 * time.Second)
		if heard := g.heard(); !slices.Contains(heard, "seen other_reader") {
			t.Errorf("another reader: heard %v", heard)
		}
		if heard := g.pairs(); !slices.Contains(heard, "cleared other_reader") {
			t.Errorf("paired: heard %v", heard)
		}
		g.goesAndComes(second)
		second.SetDead(true)
		g.expect(15*time.Second, "offline no_answer")
		first.SetDead(false)
		time.Sleep(5 * time.Second)
		if heard := g.heard(); !slices.Contains(heard, "seen other_reader") || slices.Contains(heard, "online") {
			t.Errorf("the first one again: heard %v", heard)
		}
	})
}

// TestQuickExchangePaired: so does one that came so fast that nobody asked who it
// is, until it was paired.
func TestQuickExchangePaired(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g, first, second := exchange(t)
		g.run()
		defer g.stop()
		g.expect(time.Second, "online")
		first.SetDead(true)
		second.SetDead(false)
		time.Sleep(time.Minute)
		g.pairs()
		g.goesAndComes(second)
	})
}
