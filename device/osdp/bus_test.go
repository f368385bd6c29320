package osdp

import (
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// TestPolls: a reader in the clear and a secured one come online, and their cards
// and PINs come through.
func TestPolls(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
		bubble(t, name, func(t *testing.T) {
			g := build(t, p).run()
			defer g.stop()
			g.expect(time.Second, "online")
			g.peers[0].Present(testCard(7))
			g.expect(200*time.Millisecond, "card")
			g.peers[0].Press("47")
			g.peers[0].Press("11#")
			g.expect(300*time.Millisecond, "PIN")
			g.peers[0].Press("9") // of somebody who went away
			time.Sleep(time.Second)
			g.peers[0].Present(testCard(7))
			time.Sleep(time.Second)
			g.peers[0].Press("4711#")
			time.Sleep(time.Second)
			g.mu.Lock()
			if last := g.got[len(g.got)-1]; last.PIN.Digits() != "4711" {
				t.Errorf("a key before the card spoils the PIN: %d digits", last.PIN.Len())
			}
			g.mu.Unlock()
			g.expect(0, "card", "PIN")
			g.peers[0].SetTamper(true)
			g.expect(300*time.Millisecond, "seen tamper")
			g.peers[0].SetPowerFailure(true)
			g.peers[0].SetTamper(false)
			g.expect(300*time.Millisecond, "cleared tamper", "seen reader_power")
			s := g.bus.Readers()[0].Status()
			if !s.Online || s.Secure != (name == "secure") || s.Tamper || !s.PowerFailure || s.Identity.Serial != 1 || len(s.Capabilities) == 0 {
				t.Errorf("status %+v", s)
			}
			if st := g.peers[0].State(); st.Secure != (name == "secure") || st.Repeats > 0 || st.BadChecks > 0 {
				t.Errorf("reader %+v", st)
			}
		})
	}
}

// TestRecovers: after one of each mishap the reader is back within a second, no
// card is lost, and none is read twice.
func TestRecovers(t *testing.T) {
	for _, fault := range osdptest.Faults() {
		switch fault {
		case osdptest.WrongKey, osdptest.Downgrade, osdptest.ClearCard, osdptest.Replay,
			osdptest.Flood, osdptest.Refuse, osdptest.ClearStatus, osdptest.ClearReport:
			continue // of the tests below
		}
		for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
			bubble(t, fault.String()+" "+name, func(t *testing.T) {
				g := build(t, p).run()
				defer g.stop()
				g.expect(2*time.Second, "online")
				for n := range rounds(6, 2) {
					g.peers[0].Misbehave(osdptest.Mishap{Fault: fault, Times: 1})
					if fault != osdptest.Reboot { // which forgets the card
						g.peers[0].Present(testCard(n))
					}
					time.Sleep(time.Second)
					g.peers[0].Behave()
					if fault == osdptest.Reboot {
						g.peers[0].Present(testCard(n))
						time.Sleep(time.Second)
					}
					s := g.bus.Readers()[0].Status()
					heard := g.heard()
					if !s.Online || cards(heard) != 1 && fault != osdptest.BadMAC {
						t.Fatalf("time %d: heard %v, status %+v", n, heard, s)
					}
					time.Sleep(20 * time.Second)
					g.heard()
				}
			})
		}
	}
}

// TestSilence: a reader that is gone is told after 8 s, and once; it is back soon
// after it answers again.
func TestSilence(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
		bubble(t, name, func(t *testing.T) {
			g := build(t, p).run()
			defer g.stop()
			g.expect(time.Second, "online")
			g.peers[0].SetDead(true)
			g.expect(7 * time.Second)
			g.expect(2*time.Second, "offline no_answer")
			g.expect(time.Hour)
			g.peers[0].SetDead(false)
			g.expect(3*time.Second, "online")
		})
	}
}

// TestNeverThere: a reader that never answers is told, too.
func TestNeverThere(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1))
		g.peers[0].SetDead(true)
		g.run()
		defer g.stop()
		g.expect(10*time.Second, "offline no_answer")
		g.peers[0].SetDead(false)
		g.expect(3*time.Second, "online")
	})
}

// TestUnplugged: the adapter is pulled out and comes back.
func TestUnplugged(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1), bare(2)).run()
		defer g.stop()
		g.expect(time.Second, "online", "online")
		if err := g.line.Unplug(); err != nil {
			t.Fatal(err)
		}
		g.expect(time.Minute, "offline unplugged", "offline unplugged")
		if err := g.line.Replug(); err != nil {
			t.Fatal(err)
		}
		g.expect(12*time.Second, "online", "online")
	})
	bubble(t, "missing from the start", func(t *testing.T) {
		g := build(t, keyed(1))
		if err := g.line.Unplug(); err != nil {
			t.Fatal(err)
		}
		g.run()
		defer g.stop()
		g.expect(time.Minute, "offline missing")
	})
}

// TestStale: a card that waited in a reader is never read, however it waited.
func TestStale(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
		p.peer.KeepCards = true
		bubble(t, name, func(t *testing.T) {
			g := build(t, p).run()
			defer g.stop()
			g.expect(time.Second, "online")
			g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Deaf})
			time.Sleep(time.Second)
			g.peers[0].Present(testCard(1))
			g.peers[0].Present(testCard(2))
			g.peers[0].Press("4711#")
			time.Sleep(3 * time.Second)
			g.peers[0].Behave()
			g.expect(2*time.Second, "seen stale_card")
			g.peers[0].Present(testCard(3))
			g.expect(time.Second, "card")
		})
		bubble(t, name+" before the first poll", func(t *testing.T) {
			g := build(t, p)
			g.peers[0].Present(testCard(1))
			g.run()
			defer g.stop()
			g.expect(2*time.Second, "online", "seen stale_card")
		})
	}
}

// TestDeaf: a door that takes no events stops nobody, and learns that cards were
// lost.
func TestDeaf(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		deaf := make(chan device.Event)
		p := keyed(1)
		p.panel.Events = deaf
		g := build(t, p, keyed(2)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		for n := range 100 {
			g.peers[0].Present(testCard(n))
			time.Sleep(100 * time.Millisecond)
		}
		g.peers[1].Present(testCard(1))
		g.expect(time.Second, "card")
		first := says(<-deaf)
		seen := map[string]int{}
		for range 32 {
			select {
			case e := <-deaf:
				seen[says(e)]++
			case <-time.After(time.Second):
			}
		}
		if first != "online" || seen["seen stale_card"] == 0 || seen["card"] > 20 {
			t.Errorf("first %s, then %v", first, seen)
		}
	})
}

func TestValidate(t *testing.T) {
	ok := func() BusConfig {
		return BusConfig{Baud: 9600, Readers: []ReaderConfig{{Source: "a", Address: 1, Keys: &store{}, Events: make(chan device.Event)}}}
	}
	for name, spoil := range map[string]func(*BusConfig){
		"no baud":      func(c *BusConfig) { c.Baud = 0 },
		"slow poll":    func(c *BusConfig) { c.Poll = time.Minute },
		"no reader":    func(c *BusConfig) { c.Readers = nil },
		"no keys":      func(c *BusConfig) { c.Readers[0].Keys = nil },
		"no events":    func(c *BusConfig) { c.Readers[0].Events = nil },
		"address":      func(c *BusConfig) { c.Readers[0].Address = 0x80 },
		"same address": func(c *BusConfig) { c.Readers = append(c.Readers, c.Readers[0]) },
		"everybody's": func(c *BusConfig) {
			c.Readers = append(c.Readers, c.Readers[0])
			c.Readers[1].Address = protocol.ConfigAddress
		},
		"no such light": func(c *BusConfig) {
			c.Readers[0].Indications = map[device.Feedback]protocol.Indication{0: {LEDs: []protocol.LED{{OnColour: 8}}}}
		},
	} {
		c := ok()
		spoil(&c)
		if err := New(c, nil).Run(t.Context()); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := ok().Validate(); err != nil {
		t.Error(err)
	}
}
