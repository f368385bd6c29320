package osdp_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// fresh is a reader out of its box, and a panel that has no key for it.
func fresh(p *plan) {
	for i := range p.readers {
		p.readers[i].Key, p.readers[i].Install = nil, true
		p.panel[i].Keys.(*store).keys = osdp.Keys{}
	}
}

// paired checks that reader i and its store have the same key, and nothing else.
func (r *rig) paired(i int) {
	r.t.Helper()
	s, k := r.readers[i].State(), r.stores[i].has()
	switch {
	case s.Key == nil || k.Current == nil || *k.Current != protocol.Key(*s.Key):
		r.t.Errorf("reader %d and its panel do not have the same key", i)
	case k.Next != nil:
		r.t.Errorf("reader %d: a key that is not proved yet", i)
	case s.Install || s.Default:
		r.t.Errorf("reader %d still takes the default key", i)
	}
}

// TestPairing: the window's story, for one reader of two.
func TestPairing(t *testing.T) {
	play(t, 2, fresh, func(t *testing.T, r *rig) {
		time.Sleep(5 * time.Second)
		if r.faults(fault.NoKey) == 0 {
			t.Errorf("not told that there is no key:%s", r.story())
		}
		r.forget()
		if err := r.bus.Readers()[0].Install(11 * time.Minute); err == nil {
			t.Error("a window of 11 minutes")
		}
		if err := r.bus.Readers()[0].Install(10 * time.Minute); err != nil {
			t.Fatal(err)
		}
		r.swipeInstalled(0)
		r.paired(0)
		var story []device.EventKind
		for _, e := range r.all() {
			if e.Source == "reader-0" && (e.Kind == device.InstallOpened || e.Kind == device.KeySent || e.Kind == device.KeyProved || e.Kind == device.InstallClosed) {
				story = append(story, e.Kind)
			}
		}
		want := []device.EventKind{device.InstallOpened, device.KeySent, device.KeyProved, device.InstallClosed}
		if len(story) != len(want) || story[0] != want[0] || story[1] != want[1] || story[2] != want[2] || story[3] != want[3] {
			t.Errorf("told %v, want %v", story, want)
		}
		if s := r.readers[1].State(); s.Sessions != 0 || s.Key != nil || !s.Install {
			t.Error("the other reader was touched")
		}
		r.restart()
		r.swipeInstalled(0)
	})
}

// TestTwoWindowsAtOnce: two windows on one line are two pairings: each reader gets a key of its own, whichever
// window opens first, and no key of one is the other's.
func TestTwoWindowsAtOnce(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		play(t, 2, fresh, func(t *testing.T, r *rig) {
			for _, i := range order {
				if err := r.bus.Readers()[i].Install(10 * time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			for _, i := range order {
				r.swipeInstalled(i)
				r.paired(i)
			}
			if a, b := r.stores[0].has().Current, r.stores[1].has().Current; a == nil || b == nil || *a == *b {
				t.Error("two readers have one key")
			}
			for kind, want := range map[device.EventKind]int{device.InstallOpened: 2, device.KeySent: 2, device.KeyProved: 2, device.InstallClosed: 2} {
				if n := r.count(kind, fault.None); n != want {
					t.Errorf("%v told %d times, want %d", kind, n, want)
				}
			}
		})
	}
}

// swipeInstalled waits for the pairing, however long the bus takes to look at
// an unpaired reader again, and swipes.
func (r *rig) swipeInstalled(i int) {
	r.t.Helper()
	r.until("paired", 30*time.Second, func() bool {
		s := r.bus.Readers()[i].Status()
		return s.Online && s.Secure && r.stores[i].has().Next == nil
	})
	r.swipe(i, time.Second)
}

// TestPairingLosesAnswers: whatever is lost of KEYSET and of the proof after it,
// both sides have the same key in the end.
func TestPairingLosesAnswers(t *testing.T) {
	often := []int{1, 2, 3, 8, 20}
	if testing.Short() {
		often = []int{1, 3}
	}
	for _, command := range []byte{0x75, 0x76, 0x77, 0x60} {
		for _, found := range []osdptest.Fault{
			osdptest.Deaf, osdptest.Drop, osdptest.Corrupt, osdptest.Duplicate, osdptest.Late, osdptest.Reboot, osdptest.Busy, osdptest.BadMAC,
		} {
			for _, times := range often {
				play(t, 1, fresh, func(t *testing.T, r *rig) {
					r.readers[0].Misbehave(osdptest.Mishap{Fault: found, Times: times, Command: command})
					if err := r.bus.Readers()[0].Install(10 * time.Minute); err != nil {
						t.Fatal(err)
					}
					opened := 1
					r.until(fmt.Sprintf("paired in spite of %d times %v at %02X", times, found, command), 3*time.Minute, func() bool {
						if n := r.count(device.InstallClosed, fault.None); n == opened && r.stores[0].has().Current == nil {
							opened++ // it was told why, and somebody tries again
							if err := r.bus.Readers()[0].Install(10 * time.Minute); err != nil {
								t.Fatal(err)
							}
						}
						s := r.bus.Readers()[0].Status()
						return s.Online && s.Secure && r.stores[0].has().Next == nil
					})
					r.readers[0].Behave()
					r.paired(0)
					r.until("reading", 20*time.Second, func() bool { return r.readers[0].Present(device.CardOf(uint64(times), 26)) })
				})
			}
		}
	}
}

// TestPairingKilled: the daemon dies at any moment of the pairing. The next one
// has the key that the reader has, or the reader has none yet and takes one in
// another window.
func TestPairingKilled(t *testing.T) {
	step := 2 * time.Millisecond
	if testing.Short() {
		step = 40 * time.Millisecond
	}
	for after := time.Duration(0); after < 800*time.Millisecond; after += step {
		play(t, 1, fresh, func(t *testing.T, r *rig) {
			r.until("asked for a key", 10*time.Second, func() bool { return r.faults(fault.NoKey) > 0 })
			if err := r.bus.Readers()[0].Install(10 * time.Minute); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after)
			r.stop()
			time.Sleep(200 * time.Millisecond) // what was written still travels
			r.start()
			if r.readers[0].State().Key == nil {
				time.Sleep(5 * time.Second)
				if r.readers[0].State().Key != nil {
					t.Errorf("killed after %v: a key was given with no window open", after)
				}
				if err := r.bus.Readers()[0].Install(10 * time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			r.swipeInstalled(0)
			r.paired(0)
		})
	}
}

// TestRekeyKilled: likewise for a new key at a reader that has one: never is the
// reader lost.
func TestRekeyKilled(t *testing.T) {
	step := 2 * time.Millisecond
	if testing.Short() {
		step = 40 * time.Millisecond
	}
	changed := 0
	for after := time.Duration(0); after < 600*time.Millisecond; after += step {
		play(t, 1, nil, func(t *testing.T, r *rig) {
			r.online(5 * time.Second)
			old := *r.stores[0].has().Current
			if err := r.bus.Readers()[0].Rekey(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after)
			r.restart()
			r.swipeInstalled(0)
			r.paired(0)
			if *r.stores[0].has().Current != old {
				changed++
			}
		})
	}
	if changed == 0 {
		t.Error("no reader ever got its new key")
	}
}

// TestPairingEnds: the window ends by time, or by hand, and the reader that comes
// later gets nothing.
func TestPairingEnds(t *testing.T) {
	for _, byHand := range []bool{false, true} {
		play(t, 1, fresh, func(t *testing.T, r *rig) {
			r.readers[0].SetDead(true)
			if err := r.bus.Readers()[0].Install(time.Minute); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
			if byHand {
				r.bus.Readers()[0].CloseInstall()
			} else {
				time.Sleep(31 * time.Second)
			}
			r.until("closed", 5*time.Second, func() bool { return r.count(device.InstallClosed, fault.None) == 1 })
			r.readers[0].SetDead(false)
			time.Sleep(30 * time.Second)
			if s := r.readers[0].State(); s.Key != nil || s.Sessions != 0 {
				t.Error("the default key was used after the window")
			}
			if r.cards() != 0 {
				t.Error("a card")
			}
		})
	}
}

// TestAnotherAddress: a reader gets another address and rate, and is read there
// once the site file says so.
func TestAnotherAddress(t *testing.T) {
	for _, c := range []struct {
		address byte
		baud    int
	}{{9, 9600}, {0, 115200}, {9, 38400}} {
		play(t, 1, nil, func(t *testing.T, r *rig) {
			r.online(5 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := r.bus.Readers()[0].Configure(ctx, c.address, c.baud); err != nil {
				t.Fatal(err)
			}
			if s := r.readers[0].State(); s.Address != c.address || s.Baud != c.baud {
				t.Errorf("the reader is at address %d and %d baud", s.Address, s.Baud)
			}
			r.stop()
			r.plan.panel[0].Address, r.plan.baud = c.address, c.baud
			r.start()
			r.online(5 * time.Second)
			r.swipe(0, time.Second)
		})
	}
}

// TestStaleCard: a card that waited in the reader while nobody asked is no card
// any more, and the next one is.
func TestStaleCard(t *testing.T) {
	play(t, 2, func(p *plan) { p.readers[0].KeepCards = true }, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		away := map[string]func(){
			"the daemon restarts": func() { r.stop(); time.Sleep(20 * time.Second); r.readers[0].Present(r.card()); r.start() },
			"the reader is away": func() {
				r.readers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Deaf})
				time.Sleep(15 * time.Second)
				r.readers[0].Present(r.card())
				r.readers[0].Behave()
			},
			"the adapter is unplugged": func() {
				if err := r.line.Unplug(); err != nil {
					t.Error(err)
				}
				r.readers[0].Present(r.card())
				time.Sleep(12 * time.Second)
				if err := r.line.Replug(); err != nil {
					t.Error(err)
				}
			},
		}
		for name, leave := range away {
			r.forget()
			leave()
			time.Sleep(20 * time.Second)
			if n := r.cards(); n != 0 {
				t.Errorf("%s: %d stale cards", name, n)
			}
			if r.faults(fault.Stale) != 1 {
				t.Errorf("%s: not told:%s", name, r.story())
			}
			r.swipe(0, time.Second)
			r.swipe(1, time.Second)
		}
	})
}
