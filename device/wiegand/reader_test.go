package wiegand

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
)

func TestSwipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(99 * ms)
		g.expect()
		time.Sleep(2 * ms)
		g.expect("online")
		c := card(t, "H10301", 123, 4567)
		g.swipe(w, c, 2*ms)
		at := time.Since(g.start)
		// The longest format needs no silence.
		if got := g.expect("card"); got[0].Card != c || got[0].At != at {
			t.Errorf("card at %v, want at %v", got[0].At, at)
		}
	})
}

func TestSilenceEndsFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301", "H10306")
		defer g.end()
		time.Sleep(200 * ms)
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
		time.Sleep(24 * ms)
		g.expect("online")
		time.Sleep(2 * ms)
		g.expect("card")
		g.swipe(w, device.CardOf(5, 30), 5*ms)
		time.Sleep(49 * ms) // ten times the interval
		g.expect()
		time.Sleep(2 * ms)
		g.expect("wrong_length")
	})
}

// The reader slept through two swipes: the kernel's times keep them apart.
func TestTwoWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(200 * ms)
		var p tape
		a, b := card(t, "H10301", 1, 1), card(t, "H10301", 2, 2)
		p.frame(0, a, ms)
		p.frame(30*ms, b, ms)
		w.change(func() { w.queue = p.edges })
		got := g.expect("online", "card", "card")
		if got[1].Card != a || got[2].Card != b {
			t.Error("not the two cards that were sent")
		}
	})
}

func TestFirstFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(80 * ms)
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms) // ends at 130 ms
		time.Sleep(50 * ms)
		g.expect("first_frame", "online")
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
		g.expect("card")
	})
}

// TestRequest: the lines settle before Run, what came on them meanwhile is no card, and the next swipe is
// one at once.
func TestRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := &rig{t: t, events: make(chan device.Event, 1000), start: time.Now(), wires: w}
		r := New(Config{Source: "front", Formats: []Format{format(t, "H10301")}}, g.open, g.events)
		r.Request()
		for _, at := range []time.Duration{30 * ms, 200 * ms} { // as they settle, and after it
			time.Sleep(at - time.Since(g.start))
			g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
		}
		time.Sleep(100 * ms)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		g.stop = func() error { cancel(); return <-ended }
		defer g.end()
		time.Sleep(10 * ms) // what came meanwhile is read
		g.expect("first_frame", "online")
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
		g.expect("card")
		if len(g.opened) != 1 {
			t.Errorf("opened at %v, want once", g.opened)
		}
	})
}

// TestRequestInVain: lines that are not there yet are left to Run, and who does not run lets go of them.
func TestRequestInVain(t *testing.T) {
	w := newWires()
	g := &rig{t: t}
	r := New(Config{Source: "front", Formats: []Format{format(t, "H10301")}}, g.open, nil)
	r.Request()
	if err := r.Close(); err != nil || len(g.opened) != 1 {
		t.Errorf("close without lines: %v, opened %d times", err, len(g.opened))
	}
	g.plug(w)
	r.Request()
	if err := r.Close(); err != nil || !w.closed {
		t.Errorf("close: %v, closed %v", err, w.closed)
	}
}

// A missing chip is told once and tried again ever more slowly; then it comes.
func TestMissingChip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, nil, "H10301")
		defer g.end()
		time.Sleep(100 * time.Second)
		g.expect("offline missing")
		want := []time.Duration{0, 1, 3, 7, 15, 31, 61, 91}
		for i := range want {
			want[i] *= time.Second
		}
		g.mu.Lock()
		if !slices.Equal(g.opened, want) {
			t.Errorf("opened at %v, want %v", g.opened, want)
		}
		g.mu.Unlock()
		w := newWires()
		g.plug(w)
		time.Sleep(22 * time.Second)
		g.expect("online")
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
		g.expect("card")
	})
}

// The chip goes in the middle of a frame: its rest after the return is no card,
// and the waiting time begins small again.
func TestUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(time.Minute)
		g.expect("online")
		c := card(t, "H10301", 123, 4567)
		for i := range 13 {
			g.pulse(w, c.Bit(i))
			time.Sleep(2 * ms)
		}
		again := newWires()
		g.plug(again)
		w.change(func() { w.err = device.ErrUnplugged })
		g.expect("offline unplugged")
		if !w.closed {
			t.Error("lines left open")
		}
		time.Sleep(1200 * ms)
		g.expect("online")
		for i := 13; i < 26; i++ {
			g.pulse(again, c.Bit(i))
			time.Sleep(2 * ms)
		}
		time.Sleep(time.Second)
		g.expect("wrong_length")
	})
}

func TestReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		w.err = errors.New("input/output error")
		g := newRig(t, w, "H10301")
		time.Sleep(time.Hour)
		g.expect("offline io_error")
		g.end()
	})
}

// Both lines down is told at the next look; one line after 10 ms. While it
// lasts there is no card and no second fault.
func TestCable(t *testing.T) {
	for _, levels := range [][2]bool{{true, true}, {true, false}, {false, true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWires()
			g := newRig(t, w, "H10301", "H10306")
			defer g.end()
			time.Sleep(200 * ms)
			g.expect("online")
			w.change(func() { w.levels = levels })
			time.Sleep(1100 * ms)
			g.expect("cable")
			g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
			time.Sleep(3 * time.Second)
			g.expect()
			w.change(func() { w.levels = [2]bool{} })
			time.Sleep(1100 * ms)
			g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
			time.Sleep(50 * ms)
			g.expect("card")
			w.change(func() { w.levels = levels })
			time.Sleep(1100 * ms)
			g.expect("cable")
		})
	}
}

// A frame at whose end a line is still down is no card, however right.
func TestHeldAtEndOfFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301", "H10306")
		defer g.end()
		time.Sleep(200 * ms)
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms)
		w.change(func() { w.levels[1] = true })
		time.Sleep(30 * ms)
		g.expect("online", "cable")
	})
}

// The look each second may fall into a pulse: no fault.
func TestLookIntoPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(1100*ms - us)
		w.change(func() { w.levels[0] = true })
		time.Sleep(100 * us)
		w.change(func() { w.levels[0] = false })
		time.Sleep(5 * time.Second)
		g.expect("online")
	})
}

func TestFaultsDoNotFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(200 * ms)
		bad := flip(card(t, "H10301", 123, 4567), 3)
		for range 30 {
			g.swipe(w, bad, ms)
			time.Sleep(75 * ms)
		}
		n := len(g.events)
		if n != 1+3 && n != 1+4 { // three seconds
			t.Errorf("%d events, want the start and one a second", n)
		}
		for n > 0 {
			<-g.events
			n--
		}
	})
}

// Nobody takes the events: Run still ends with ctx.
func TestStopWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		r := New(Config{Source: "front", Formats: h26}, func() (device.Lines, error) { return w, nil }, make(chan device.Event))
		go func() { ended <- r.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || !w.closed {
			t.Errorf("Run: %v, lines closed %t", err, w.closed)
		}
	})
}

func TestConfig(t *testing.T) {
	h := h26
	for _, c := range []struct {
		cfg Config
		ok  bool
	}{
		{Config{Formats: h}, true},
		{Config{Formats: h, Gap: 25 * ms}, true},
		{Config{Formats: h, Gap: 100 * ms}, true},
		{Config{Formats: h, Gap: 24 * ms}, false},
		{Config{Formats: h, Gap: 101 * ms}, false},
		{Config{Formats: h, Gap: -1}, false},
		{Config{}, false},
		{Config{Formats: []Format{{}}}, false},
	} {
		c.cfg.Source = "front"
		err := c.cfg.Validate()
		if (err == nil) != c.ok {
			t.Errorf("%d formats, gap %v: %v", len(c.cfg.Formats), c.cfg.Gap, err)
		}
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "front") {
			t.Errorf("%v does not name the reader", err)
		}
		if got := New(c.cfg, nil, nil).Run(t.Context()); got == nil || got.Error() != err.Error() {
			t.Errorf("Run: %v, want %v", got, err)
		}
	}
}

// However late and in whatever pieces the edges are read, also when the
// scheduler holds up the reader between a time-out and its use of it, every swipe is one
// card and nothing else is.
func TestLateReads(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWires()
			stalls := rand.New(rand.NewPCG(seed, 1))
			w.stall = func() {
				if stalls.IntN(4) == 0 {
					time.Sleep(time.Duration(stalls.IntN(60)) * ms)
				}
			}
			g := newRig(t, w, "H10301", "H10306")
			defer g.end()
			time.Sleep(time.Second)
			g.expect("online")
			var want []device.Card
			for range 20 {
				c := card(t, "H10301", rnd.Uint64N(256), rnd.Uint64N(65536))
				want = append(want, c)
				for i := range c.Len() {
					time.Sleep(time.Duration(200+rnd.IntN(3000)) * us)
					g.pulse(w, c.Bit(i))
				}
				time.Sleep(time.Duration(100+rnd.IntN(100)) * ms)
			}
			time.Sleep(time.Second)
			got := g.expect(slices.Repeat([]string{"card"}, len(want))...)
			for i := range got {
				if i < len(want) && got[i].Card != want[i] {
					t.Errorf("seed %d: card %d is another", seed, i)
				}
			}
		})
	}
}

// The scheduler holds the reader up right after a look found no edge, in the
// middle of a frame: the time that passed is no silence.
func TestStallInFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		start, look := time.Now(), 1100*ms // the levels are looked at then
		w.stall = func() {
			if at := time.Since(start); at >= look && at < look+ms {
				time.Sleep(30 * ms)
			}
		}
		g := newRig(t, w, "H10301")
		defer g.end()
		time.Sleep(look - 15*ms)
		g.swipe(w, card(t, "H10301", 123, 4567), 2*ms-us)
		time.Sleep(100 * ms)
		g.expect("online", "card")
	})
}
