package osdp_test

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/osdptest"
)

// TestBusReadsAll: each of 4 and of 16 readers reads its cards and keys, at the
// slowest rate and a fast one.
func TestBusReadsAll(t *testing.T) {
	for _, n := range []int{4, 16} {
		for _, baud := range []int{9600, 115200} {
			play(t, n, func(p *plan) { p.baud = baud }, func(t *testing.T, r *rig) {
				r.online(10 * time.Second)
				for range 3 {
					cards := make([]device.Card, n)
					for i := range n {
						cards[i] = r.card()
						if !r.readers[i].Present(cards[i]) {
							t.Errorf("reader %d drops a card", i)
						}
					}
					r.until("reading one card at each reader", 2*time.Second, func() bool {
						for i, c := range cards {
							if !r.read(i, c) {
								return false
							}
						}
						return true
					})
				}
				r.readers[n-1].Press("4711#")
				r.until("a PIN", 2*time.Second, func() bool { return r.count(device.PINEntered, fault.None) == 1 })
				if got := r.cards(); got != 3*n {
					t.Errorf("%d readers: %d cards of %d", n, got, 3*n)
				}
				for i, x := range r.readers {
					if s := x.State(); s.Sessions != 1 || s.Repeats != 0 || s.BadMACs != 0 {
						t.Errorf("reader %d of %d: %d sessions, %d repeats", i, n, s.Sessions, s.Repeats)
					}
				}
			})
		}
	}
}

// TestBusDeadReader: one reader that is silent, or babbles, costs the others
// little, and not their sessions; it comes back by itself.
func TestBusDeadReader(t *testing.T) {
	play(t, 4, nil, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		polls := func() int {
			before := r.readers[0].State().Commands[0x60]
			time.Sleep(20 * time.Second)
			return r.readers[0].State().Commands[0x60] - before
		}
		alone := polls()
		r.readers[3].SetDead(true)
		r.until("offline", 15*time.Second, func() bool { return !r.bus.Readers()[3].Status().Online })
		if got := polls(); got < alone*8/10 {
			t.Errorf("%d polls in 20 s beside a dead reader, %d without", got, alone)
		}
		for range 20 {
			r.swipe(1, 700*time.Millisecond)
		}
		r.readers[3].SetDead(false)
		r.online(5 * time.Second)
		r.swipe(3, time.Second)
		for i := range 3 {
			if s := r.readers[i].State(); s.Sessions != 1 {
				t.Errorf("reader %d had %d sessions", i, s.Sessions)
			}
		}
	})
}

// TestBusRecovers: after one mishap of each sort, whatever it hits, the next card
// is read within a second.
func TestBusRecovers(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	for _, m := range []osdptest.Mishap{
		{Fault: osdptest.Deaf}, {Fault: osdptest.Drop}, {Fault: osdptest.Corrupt}, {Fault: osdptest.Truncate},
		{Fault: osdptest.Length}, {Fault: osdptest.Duplicate}, {Fault: osdptest.Late},
		{Fault: osdptest.Late, Delay: 205 * time.Millisecond}, {Fault: osdptest.Late, Delay: 600 * time.Millisecond},
		{Fault: osdptest.Trickle}, {Fault: osdptest.Trickle, Delay: 30 * time.Millisecond},
		{Fault: osdptest.OtherReply}, {Fault: osdptest.WrongNumber}, {Fault: osdptest.NumberZero},
		{Fault: osdptest.Busy}, {Fault: osdptest.Refuse}, {Fault: osdptest.BadMAC}, {Fault: osdptest.Reboot},
		{Fault: osdptest.Replay},
	} {
		play(t, 2, nil, func(t *testing.T, r *rig) {
			r.online(5 * time.Second)
			r.swipe(0, time.Second) // something to replay
			worst, rounds := time.Duration(0), rounds
			if m.Fault == osdptest.BadMAC || m.Fault == osdptest.Replay {
				rounds = 4 // a fifth in a minute is no accident, and the bus waits
			}
			for range rounds {
				r.misbehave(0, m)
				worst = max(worst, r.swipe(0, time.Second))
				r.swipe(1, time.Second)
				time.Sleep(3 * time.Second) // a reader that loses its session again and again counts as away
			}
			t.Logf("after %v %v: %v", m.Fault, m.Delay, worst)
			if s := r.readers[1].State(); s.Sessions != 1 {
				t.Errorf("%v at one reader: %d sessions at the other", m.Fault, s.Sessions)
			}
		})
	}
}

// TestBusNoisyLine: with every tenth answer spoiled in some way for a minute, no
// card is read that nobody showed, and none twice.
func TestBusNoisyLine(t *testing.T) {
	play(t, 4, func(p *plan) { p.baud = 38400 }, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		for _, x := range r.readers {
			for _, f := range []osdptest.Fault{
				osdptest.Deaf, osdptest.Drop, osdptest.Corrupt, osdptest.Truncate, osdptest.Length,
				osdptest.Duplicate, osdptest.Late, osdptest.WrongNumber, osdptest.Busy, osdptest.OtherReply,
			} {
				x.Misbehave(osdptest.Mishap{Fault: f, Chance: 0.01})
			}
		}
		shown := map[device.Card]int{}
		for range 60 {
			for i, x := range r.readers {
				if c := r.card(); x.Present(c) {
					shown[c] = i + 1
				}
			}
			time.Sleep(time.Second)
		}
		read := 0
		for _, e := range r.all() {
			if e.Kind != device.CardRead {
				continue
			}
			if i := shown[e.Card]; i == 0 || e.Source != r.plan.panel[i-1].Source {
				t.Errorf("%s reads a card that was not shown there, or again", e.Source)
			}
			delete(shown, e.Card)
			read++
		}
		t.Logf("%d of 240 cards read", read)
		if read < 120 {
			t.Errorf("only %d cards of 240", read)
		}
		for i, x := range r.readers {
			x.Behave()
			r.swipe(i, time.Second)
		}
	})
}

// TestBusEcho: an adapter that hears itself changes nothing.
func TestBusEcho(t *testing.T) {
	play(t, 4, nil, func(t *testing.T, r *rig) {
		r.line.SetEcho(true)
		r.online(5 * time.Second)
		for i := range r.readers {
			r.swipe(i, time.Second)
		}
		if n := r.count(device.FaultSeen, fault.None); n != 0 {
			t.Errorf("faults because of the echo:%s", r.story())
		}
	})
}

// TestBusBusy: BUSY is no failure: the session stays, the card comes.
func TestBusBusy(t *testing.T) {
	play(t, 2, nil, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		r.readers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Busy, Times: 3})
		r.swipe(0, 3*time.Second)
		r.swipe(1, time.Second)
		if s := r.readers[0].State(); s.Sessions != 1 {
			t.Errorf("%d sessions", s.Sessions)
		}
	})
}

// TestBusUnplug: the adapter goes away after any byte, of the handshake and
// after it, and everything is back once it is.
func TestBusUnplug(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 17
	}
	play(t, 1, func(p *plan) { p.baud = 115200 }, func(t *testing.T, r *rig) {
		for n := 1; n <= 260; n += step {
			r.line.CutAfter(n)
			r.restart()
			r.until("unplugged", 5*time.Second, func() bool { _, err := r.line.Open(0); return errors.Is(err, os.ErrNotExist) })
			time.Sleep(300 * time.Millisecond)
			if err := r.line.Replug(); err != nil {
				t.Fatal(err)
			}
			r.online(15 * time.Second)
			r.swipe(0, time.Second)
		}
	})
}

// TestBusFlood: 10,000 malformed frames a second for a minute take no memory,
// and the next card after them is read within a second.
func TestBusFlood(t *testing.T) {
	seconds := 60
	if testing.Short() {
		seconds = 3
	}
	play(t, 4, func(p *plan) { p.baud, p.instant = 115200, true }, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		r.readers[1].Misbehave(osdptest.Mishap{Fault: osdptest.Flood})
		time.Sleep(2 * time.Second)
		before := heap()
		time.Sleep(time.Duration(seconds) * time.Second)
		if after := heap(); after > before+1<<20 {
			t.Errorf("the heap grew from %d to %d bytes", before, after)
		}
		for i, x := range r.readers {
			x.Behave()
			if took := r.swipe(i, time.Second); took > time.Second {
				t.Errorf("reader %d took %v", i, took)
			}
		}
		if r.cards() != len(r.readers) {
			t.Errorf("%d cards of %d", r.cards(), len(r.readers))
		}
	})
}
