package wiegand

import (
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// Of all frames of 26 bits exactly the quarter with right parity are cards: a
// slice of 2^18, another at each run; all 2^26 with GATEHOUSE_WIEGAND=full.
func TestQuarter(t *testing.T) {
	high, low := rand.Uint64N(256), 18
	if os.Getenv("GATEHOUSE_WIEGAND") == "full" {
		high, low = 0, 26
	}
	if testing.Short() {
		low = 14
	}
	var got Frame
	f := NewFramer(Config{Formats: h26}, func(x Frame) { got = x })
	f.Settle()
	p, passed := tape{}, 0
	for v := high << low; v < (high+1)<<low; v++ {
		p.edges, got = p.edges[:0], Frame{}
		c := device.CardOf(v&(1<<26-1), 26)
		p.frame(MinGap, c, ms)
		f.Edges(p.edges)
		f.Idle()
		right := bits.OnesCount64(v>>13&0x1fff)%2 == 0 && bits.OnesCount64(v&0x1fff)%2 == 1
		if right {
			passed++
		}
		if right != (got.Fault == fault.None) || right && got.Card != c {
			t.Fatalf("%026b: %v", v, got.Fault)
		}
	}
	if passed != 1<<(low-2) {
		t.Errorf("%d of %d passed, want a quarter", passed, 1<<low)
	}
}

// Swapped wires are told for every format whose checks an inverted card fails:
// for all of its cards or, where each check covers an even number of bits, for
// none. There, as with formats that check nothing, only a known card tells.
func TestSwappedFormats(t *testing.T) {
	isBlind := map[string]bool{}
	for _, x := range all() {
		isBlind[x.Name] = x.Check(inverse(oneCard(t, x))) == nil
		if isBlind[x.Name] && checked(x) {
			t.Logf("%s: swapped wires can't be told", x.Name)
		}
		rapid.Check(t, func(t *rapid.T) {
			c, err := x.Encode(drawFields(t, x))
			if err != nil {
				t.Fatal(err)
			}
			var p tape
			for range 3 {
				p.frame(300*ms, inverse(c), 2*ms)
			}
			want := []fault.Code{fault.Parity, fault.Parity, fault.Swapped}
			if isBlind[x.Name] {
				want = []fault.Code{none, none, none}
			}
			if got := faults(play(p.edges, x)); !slices.Equal(got, want) {
				t.Fatalf("%s: %v, want %v", x.Name, got, want)
			}
		})
	}
	for name, blind := range map[string]bool{"C15001": true, "Sie36": true, "BC40": true, "Avig56": true, "W32": true,
		"H10301": false, "H10306": false, "W34": false, "W66": false, "C1k35s": false, "H10304": false} {
		if isBlind[name] != blind {
			t.Errorf("%s: inverted cards pass: %t", name, !blind)
		}
	}
}

func oneCard(t *testing.T, x Format) (c device.Card) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		var err error
		if c, err = x.Encode(drawFields(t, x)); err != nil {
			t.Fatal(err)
		}
	})
	return c
}

// The lines go away after any edge of a frame and come back before the rest
// of it: no card, no PIN of half the keys, and the next card is read.
func TestUnplugAtAnyEdge(t *testing.T) {
	for cut := range 27 {
		synctest.Test(t, func(t *testing.T) {
			w := newWires()
			g := newRigOf(t, w, Config{Formats: h26, Keypad: Keypad{Kind: "key4"}})
			defer g.end()
			time.Sleep(time.Second)
			g.keys(w, "47")
			for i := range cut {
				g.pulse(w, a.Bit(i))
				time.Sleep(2 * ms)
			}
			again := newWires()
			g.plug(again)
			w.change(func() { w.err = device.ErrUnplugged })
			time.Sleep(1150 * ms)
			for i := cut; i < 26; i++ {
				g.pulse(again, a.Bit(i))
				time.Sleep(2 * ms)
			}
			time.Sleep(300 * ms)
			g.keys(again, "11#")
			time.Sleep(time.Second)
			cards := 0
			for _, e := range g.all() {
				if e.Kind == device.PINEntered {
					t.Errorf("cut at %d: a PIN of %d keys", cut, e.PIN.Len())
				}
				if e.Kind == device.CardRead {
					cards++
				}
			}
			if whole := cut == 0 || cut == 26; whole != (cards == 1) {
				t.Errorf("cut at %d: %d cards", cut, cards)
			}
			g.swipe(again, b, 2*ms)
			time.Sleep(100 * ms)
			g.keys(again, "4711#")
			if got := g.expect("card", "PIN 4711"); len(got) == 2 && got[0].Card != b {
				t.Error("another card")
			}
		})
	}
}

// Ten thousand edges a second for a minute: no card, at most one event of a
// fault and second, at most 250 reads a second; then a card is read.
func TestNoiseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		var reads atomic.Int64
		w.stall = func() { reads.Add(1) } // twice a read
		g := newRigOf(t, w, Config{Formats: h26, Keypad: Keypad{Kind: "key4"}})
		defer g.end()
		time.Sleep(200 * ms)
		g.expect("online")
		reads.Store(0)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 600_000 {
			time.Sleep(time.Duration(rnd.ExpFloat64() * 100_000))
			g.pulse(w, uint8(rnd.IntN(2)))
			if len(g.events) > 60*4 {
				t.Fatal("a flood of events")
			}
		}
		if n := reads.Load() / 2; n > 250*61 {
			t.Errorf("%d reads in a minute of noise", n)
		}
		for _, e := range g.all() {
			if e.Kind != device.FaultSeen {
				t.Errorf("noise made an event of kind %d", e.Kind)
			}
		}
		time.Sleep(6 * time.Second)
		g.all()
		g.swipe(w, a, 2*ms)
		time.Sleep(100 * ms)
		g.keys(w, "4711#")
		g.expect("card", "PIN 4711")
	})
}

// Somebody has typed 471 when something happens, and types on: a key that is
// lost or garbled costs the PIN, and the next is whole.
func TestSpoiledPIN(t *testing.T) {
	key4 := Keypad{Kind: "key4"}
	burst := func(v uint64, n int) func(*rig, *wires) {
		return func(g *rig, w *wires) { g.swipe(w, device.CardOf(v, n), 2*ms) }
	}
	for _, c := range []struct {
		name   string
		keypad Keypad
		spoil  func(*rig, *wires)
		then   string
		want   []string
	}{
		{"nothing", key4, func(*rig, *wires) {}, "1#4711#", []string{"PIN 4711", "PIN 4711"}},
		{"no # needed", Keypad{Kind: "key4", Length: 4}, func(*rig, *wires) {}, "1*4711", []string{"PIN 4711", "PIN 4711"}},
		{"9 bits of noise", key4, burst(3, 9), "1#4711#", []string{"wrong_keys", "PIN 4711"}},
		{"a value that is no key", key4, burst(14, 4), "1#4711#", []string{"wrong_keys", "PIN 4711"}},
		{"a spike", key4, burst(0, 1), "1#4711#", []string{"wrong_keys", "PIN 4711"}},
		{"a broken card", key4, burst(3, 20), "1#4711#", []string{"wrong_length", "PIN 4711"}},
		{"a lost edge", key4, func(g *rig, w *wires) { w.seq++; g.pulse(w, 0) }, "1#4711#", []string{"lost_edges", "PIN 4711"}},
		{"a card", key4, func(g *rig, w *wires) { g.swipe(w, a, 2*ms) }, "4711#", []string{"card", "PIN 4711"}},
		{"a pause", key4, func(*rig, *wires) { time.Sleep(6 * time.Second) }, "4711#", []string{"PIN 4711"}},
		{"a long pause that is allowed", Keypad{Kind: "key4", Pause: 10 * time.Second},
			func(*rig, *wires) { time.Sleep(6 * time.Second) }, "1#", []string{"PIN 4711"}},
		{"a line held", key4, func(g *rig, w *wires) {
			w.change(func() { w.levels[0] = true })
			time.Sleep(1200 * ms)
			g.keys(w, "9")
			w.change(func() { w.levels[0] = false })
			time.Sleep(1200 * ms)
		}, "1#4711#", []string{"cable", "PIN 4711"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWires()
			g := newRigOf(t, w, Config{Formats: h26, Keypad: c.keypad})
			defer g.end()
			time.Sleep(200 * ms)
			g.expect("online")
			g.keys(w, "471")
			c.spoil(g, w)
			time.Sleep(100 * ms)
			g.keys(w, c.then)
			if got := g.expect(c.want...); t.Failed() {
				t.Fatalf("%s: %d events", c.name, len(got))
			}
		})
	}
}

// What a reader sends is told bit by bit in format learning, of any length.
func TestLearnFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires()
		g := newRigOf(t, w, Config{LearnFormat: true, Keypad: Keypad{Kind: "key4"}})
		defer g.end()
		time.Sleep(200 * ms)
		g.expect("online")
		for _, n := range []int{24, 26, 37, 200, 256} {
			var c device.Card
			for i := range n {
				c, _ = c.Append(byte(i * i / 3 & 1))
			}
			g.swipe(w, c, 2*ms)
			time.Sleep(time.Second)
			if got := g.expect("card"); len(got) == 1 && got[0].Card != c {
				t.Errorf("another card of %d bits", n)
			}
		}
		g.swipe(w, device.CardOf(1, 23), 2*ms)
		time.Sleep(time.Second)
		g.expect("wrong_length")
		time.Sleep(6 * time.Second) // it may have been a key
		g.keys(w, "12#")
		g.expect("PIN 12")
	})
}
