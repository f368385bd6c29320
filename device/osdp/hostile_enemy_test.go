package osdp_test

import (
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// The attacks on OSDP that Bishop Fox showed in 2023 ("Badge of Shame"), and
// what else somebody at the cable can do without a key. The law is always the
// same: no card becomes an event, and the reason is told.

// attack is what a reader at a secured address is or does.
type attack struct {
	reader func(*osdptest.Config)
	panel  func(*osdp.ReaderConfig)
	mishap osdptest.Mishap
	faults []fault.Code // one of them is told
	shakes bool         // the handshake may succeed
}

func attacks() map[string]attack {
	return map[string]attack{
		"a reader that knows clear text only": {
			reader: func(c *osdptest.Config) { c.Key, c.Enforce = nil, false },
			faults: []fault.Code{fault.Downgrade, fault.ClearText, fault.WrongKey},
		},
		"PDCAP and CHLNG edited in flight": {
			mishap: osdptest.Mishap{Fault: osdptest.Downgrade},
			faults: []fault.Code{fault.Downgrade, fault.WrongKey},
		},
		"a reader with the default key, outside the window": {
			reader: func(c *osdptest.Config) { c.Key, c.Install, c.Enforce = nil, true, false },
			faults: []fault.Code{fault.DefaultKey, fault.WrongKey, fault.Downgrade},
		},
		"a reader with the default key, and no key here": {
			reader: func(c *osdptest.Config) { c.Key, c.Install, c.Enforce = nil, true, false },
			panel:  func(c *osdp.ReaderConfig) { c.Keys = &store{} },
			faults: []fault.Code{fault.NoKey},
		},
		"a reader with another key": {
			reader: func(c *osdptest.Config) { c.Key = &[16]byte{1, 2, 4, 8, 3}; c.Enforce = false },
			faults: []fault.Code{fault.WrongKey},
		},
		"the default key stored as if it were a key": {
			reader: func(c *osdptest.Config) { c.Key, c.Install = nil, true },
			panel: func(c *osdp.ReaderConfig) {
				key := protocol.Key([]byte("0123456789:;<=>?"))
				c.Keys = &store{keys: osdp.Keys{Current: &key}}
			},
			faults: []fault.Code{fault.WeakKey},
		},
		"BUSY for ever":      {mishap: osdptest.Mishap{Fault: osdptest.Busy}, faults: []fault.Code{fault.NoAnswer}},
		"everything refused": {mishap: osdptest.Mishap{Fault: osdptest.Refuse}, faults: []fault.Code{fault.Refused, fault.WrongKey, fault.Downgrade, fault.NoAnswer}},
		"a forged card instead of each answer to POLL": {
			mishap: osdptest.Mishap{Fault: osdptest.ClearCard, Card: device.CardOf(0x3FFFFFF, 26)},
			faults: []fault.Code{fault.ClearText}, shakes: true,
		},
		"each MAC wrong": {
			mishap: osdptest.Mishap{Fault: osdptest.BadMAC},
			faults: []fault.Code{fault.BadMAC}, shakes: true,
		},
	}
}

// TestEnemy: at a reader that must be secured, none of these brings a card.
func TestEnemy(t *testing.T) {
	for name, c := range attacks() {
		play(t, 1, func(p *plan) {
			if c.reader != nil {
				c.reader(&p.readers[0])
			}
			if c.panel != nil {
				c.panel(&p.panel[0])
			}
			p.readers[0].KeepCards = true // whenever it may tell, it does
		}, func(t *testing.T, r *rig) {
			if c.mishap.Fault != 0 {
				r.readers[0].Misbehave(c.mishap)
			}
			for range 60 {
				r.readers[0].Present(r.card())
				time.Sleep(time.Second)
			}
			if n := r.cards(); n != 0 {
				t.Errorf("%s: %d cards", name, n)
			}
			told := false
			for _, f := range c.faults {
				told = told || r.faults(f) > 0
			}
			if !told {
				t.Errorf("%s: not told:%s", name, r.story())
			}
			if s := r.readers[0].State(); s.Sessions > 0 && !c.shakes {
				t.Errorf("%s: %d sessions", name, s.Sessions)
			} else if s.Key == nil != (r.plan.readers[0].Key == nil) {
				t.Errorf("%s: somebody gave the reader a key", name)
			}
			if n := len(r.all()); n > 200 {
				t.Errorf("%s: %d events in a minute", name, n)
			}
		})
	}
}

// TestEnemyForgesOnce: one forged card inside a session is refused and told, and
// the reader's own next card is read within a second.
func TestEnemyForgesOnce(t *testing.T) {
	play(t, 2, nil, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		for range 10 {
			forged := r.card()
			r.misbehave(0, osdptest.Mishap{Fault: osdptest.ClearCard, Card: forged})
			r.swipe(0, time.Second)
			r.swipe(1, time.Second)
			if r.read(0, forged) {
				t.Fatal("a forged card was read")
			}
			time.Sleep(3 * time.Second) // several in a row make the reader one that can't be used
		}
		if r.faults(fault.ClearText) == 0 {
			t.Errorf("not told:%s", r.story())
		}
	})
}

// TestEnemyReplays: the records of sessions before, handshakes and cards, never
// make a card again, in the same session or a later one.
func TestEnemyReplays(t *testing.T) {
	play(t, 1, func(p *plan) { p.baud = 115200 }, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		for range 20 {
			r.swipe(0, time.Second)
		}
		before := r.cards()
		r.readers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Replay, Chance: 0.3})
		time.Sleep(30 * time.Second)
		r.restart()
		time.Sleep(30 * time.Second)
		r.readers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Replay})
		time.Sleep(60 * time.Second)
		if n := r.cards(); n != before {
			t.Errorf("%d cards by replay", n-before)
		}
		r.readers[0].Behave()
		r.online(15 * time.Second)
		r.swipe(0, time.Second)
	})
}

// TestEnemyGuesses: 10,000 wrong MACs in the answers that carry cards: no card,
// alarms that do not drown the rest, and the session comes back.
func TestEnemyGuesses(t *testing.T) {
	guesses := 10_000
	if testing.Short() {
		guesses = 200
	}
	play(t, 1, func(p *plan) { p.baud = 115200 }, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		r.readers[0].Misbehave(osdptest.Mishap{Fault: osdptest.BadMAC, Times: guesses, Command: 0x60})
		start := time.Now()
		for r.readers[0].Misbehaves() {
			r.readers[0].Present(r.card())
			time.Sleep(500 * time.Millisecond)
			if time.Since(start) > 24*time.Hour {
				t.Fatal("still guessing after a day")
			}
		}
		took := time.Since(start)
		if n := r.cards(); n > 1 { // the one that came just when the guesses ended
			t.Errorf("%d cards", n)
		}
		faults, minutes := r.faults(fault.BadMAC), int(took/time.Minute)+1
		t.Logf("%d guesses in %v, %d alarms", guesses, took, faults)
		if faults == 0 || faults > 70*minutes {
			t.Errorf("%d alarms in %d minutes", faults, minutes)
		}
		r.online(30 * time.Second)
		r.swipe(0, time.Second)
	})
}

// TestEnemyTakesTheReader: the reader is exchanged for another one that has the
// default key, while a session is up.
func TestEnemyTakesTheReader(t *testing.T) {
	play(t, 2, nil, func(t *testing.T, r *rig) {
		r.online(5 * time.Second)
		r.readers[0].SetKey(nil, true)
		r.readers[0].Reboot()
		for range 30 {
			r.readers[0].Present(r.card())
			time.Sleep(time.Second)
		}
		if s := r.readers[0].State(); r.cards() != 0 || s.Key != nil || s.Secure {
			t.Errorf("%d cards, key given: %v", r.cards(), s.Key != nil)
		}
		if r.faults(fault.DefaultKey)+r.faults(fault.WrongKey)+r.faults(fault.Downgrade) == 0 {
			t.Errorf("not told:%s", r.story())
		}
		r.swipe(1, time.Second)
	})
}
