package door_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// TestHeldCard: a card that stays on the reader for ten seconds is one entry.
func TestHeldCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		for range 200 {
			b.swipe("in", known)
			time.Sleep(50 * time.Millisecond)
		}
		if n := len(b.book.only(wire.KindAccess)); n != 1 {
			t.Errorf("%d entries for one held card", n)
		}
		time.Sleep(2 * time.Second)
		b.swipe("in", known)
		if n := len(b.book.only(wire.KindAccess)); n != 2 {
			t.Errorf("%d entries after it came back, want 2", n)
		}
	})
}

// TestHeldCardThatEnds: a card on the reader whose key is ended is told so.
func TestHeldCardThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := &changing{ring: ring{oneGrant(t)}}
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Keys = keys })
		b.swipe("in", known)
		time.Sleep(time.Second)
		keys.end(t)
		b.swipe("in", known)
		e := b.book.only(wire.KindAccess)
		if len(e) != 2 || e[1].Outcome != wire.OutcomeDenied || e[1].Reason != wire.ReasonUnknown {
			t.Errorf("entries %+v, want granted, then denied", e)
		}
	})
}

// changing is a ring whose grants can end.
type changing struct {
	ring
	mu sync.Mutex
}

func (c *changing) Grants() *access.Grants {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grants
}

func (c *changing) end(t *testing.T) {
	t.Helper()
	none, err := access.NewGrants(access.Doors{}, 0, make([]*access.Bucket, 1))
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grants = none
}

// TestTapsAgain: who taps each second is answered at a reader that tells of each
// tap, as soon as the door is secured again (here 5 s after the release); at one
// that repeats a card that rests there, and where people leave, that is one
// presentation.
func TestTapsAgain(t *testing.T) {
	for name, c := range map[string]struct {
		reader string
		once   bool
		disk   time.Duration
		taps   int // the sixth comes 5.1 s after the first
		want   int
	}{
		"tells of each tap":    {"in", true, time.Millisecond, 6, 2},
		"released a bit later": {"in", true, 240 * time.Millisecond, 6, 1},
		"repeats":              {"in", false, time.Millisecond, 60, 1},
		"way out":              {"out", true, time.Millisecond, 60, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, func(cfg *door.Config, _ *door.Parts) { cfg.Readers[0].Once, cfg.Readers[1].Once = c.once, c.once })
				b.book.delay = c.disk
				for range c.taps {
					b.swipe(c.reader, known)
					time.Sleep(1020 * time.Millisecond)
				}
				if n := len(b.book.only(wire.KindAccess)); n != c.want {
					t.Errorf("%d entries, want %d", n, c.want)
				}
			})
		})
	}
}

// TestComesBackSoon: a card that was away for longer than its reader's driver waits is answered. That
// driver tells of it once, so a door that took it for one that rests there would not answer at all.
func TestComesBackSoon(t *testing.T) {
	for apart, want := range map[bool]int{true: 2, false: 1} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, func(c *door.Config, _ *door.Parts) { c.Readers[0].Once, c.Readers[0].Apart = true, apart })
			b.swipe("in", known)
			time.Sleep(500 * time.Millisecond)
			b.input(device.InputContact, true)
			b.input(device.InputContact, false)
			time.Sleep(520 * time.Millisecond)
			b.swipe("in", known)
			if n := len(b.book.only(wire.KindAccess)); n != want {
				t.Errorf("%d entries, want %d, where the driver tells presentations apart: %t", n, want, apart)
			}
		})
	}
}

// TestAskedAnewWhileReleased: a door that is released for somebody else does not
// keep a card from being asked for its PIN.
func TestAskedAnewWhileReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(c *door.Config, p *door.Parts) {
			withPIN(pins{true, 0}, s)(c, p)
			c.Readers[0].Once = true
		})
		b.swipe("in", known)
		b.input(device.InputExit, true)
		b.input(device.InputExit, false)
		time.Sleep(2 * time.Second)
		b.swipe("in", known)
		s.wants(t, "in enter_pin", "in enter_pin")
	})
}

// TestEachPresentationIsKept: who comes hours later is another entry, whatever
// keeps the door released, and whatever the reader tells of.
func TestEachPresentationIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		reader string
		fire   door.Fire
		button bool // request to exit, just before the card
	}{
		"way out":              {"out", door.Fire{}, false},
		"while fire releases":  {"in", door.Fire{Latched: true}, false},
		"somebody leaves just": {"in", door.Fire{}, true},
	} {
		for _, once := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, func(cfg *door.Config, _ *door.Parts) {
					cfg.Fire, cfg.Readers[0].Once, cfg.Readers[1].Once = c.fire, once, once
				})
				for range 3 {
					b.input(device.InputExit, c.button)
					b.input(device.InputExit, false)
					b.swipe(c.reader, known)
					time.Sleep(9 * time.Hour)
				}
				if n := len(b.book.only(wire.KindAccess)); n != 3 {
					t.Errorf("%s, told once %t: %d entries, want 3", name, once, n)
				}
			})
		}
	}
}

// TestDeniedTapsAreAnswered: also while the door is released for somebody else.
func TestDeniedTapsAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(c *door.Config, p *door.Parts) { c.Readers[0].Once, p.Show = true, s.show })
		b.swipe("in", known)
		for range 2 {
			b.swipe("in", stranger)
			time.Sleep(2 * time.Second)
		}
		s.wants(t, "in denied", "in denied")
	})
}
