package osdp

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// TestClearCard: a card in the clear is never a card, in a session or before one, and keys are no
// PIN.
func TestClearCard(t *testing.T) {
	bubble(t, "in a session", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.ClearCard, Times: 1, Card: testCard(9)})
		g.expect(time.Second, "seen clear_text")
		g.peers[0].Present(testCard(1))
		g.expect(time.Second, "card")
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.ClearCard, Card: testCard(9)})
		time.Sleep(10 * time.Minute)
		heard := g.heard()
		if cards(heard) > 0 || !slices.Contains(heard, "offline clear_text") || len(heard) > 400 {
			t.Errorf("%d events: %v", len(heard), heard)
		}
	})
	bubble(t, "with the right MAC, as are keys", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		for _, c := range []struct {
			report func() bool
			taken  string
		}{
			{func() bool { return g.peers[0].Present(testCard(9)) }, "card"},
			{func() bool { return g.peers[0].Press("1234#") }, "PIN"},
		} {
			g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.ClearReport, Times: 1})
			c.report()
			g.expect(10*time.Second, "seen clear_text")
			c.report()
			g.expect(time.Second, c.taken)
			time.Sleep(10 * time.Minute) // clear text is told again
			g.heard()
		}
	})
	bubble(t, "from a reader that knows no secure channel", func(t *testing.T) {
		p := bare(1)
		p.panel.ClearText, p.panel.Keys = false, keyed(1).panel.Keys
		g := build(t, p).run()
		defer g.stop()
		for n := range 100 {
			time.Sleep(time.Second)
			g.peers[0].Present(testCard(n))
		}
		heard := g.heard()
		if cards(heard) > 0 || heard[0] != "seen downgrade" || !slices.Contains(heard, "offline downgrade") {
			t.Errorf("heard %v", heard)
		}
	})
}

// TestDowngrade: what PDCAP says never decides about encryption.
func TestDowngrade(t *testing.T) {
	bubble(t, "only in PDCAP", func(t *testing.T) {
		p := keyed(1)
		p.peer.Capabilities = []osdptest.Capability{{Function: 9}}
		g := build(t, p).run()
		defer g.stop()
		g.expect(time.Minute, "seen downgrade", "online", "cleared downgrade")
		if !g.bus.Readers()[0].Status().Secure {
			t.Error("not secure")
		}
	})
	bubble(t, "in flight", func(t *testing.T) {
		g := build(t, keyed(1))
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Downgrade})
		g.run()
		defer g.stop()
		g.expect(time.Minute, "seen downgrade", "offline downgrade")
		g.peers[0].Behave()
		g.expect(10*time.Second, "online", "cleared downgrade")
	})
}

// TestBadMACs: one is an accident, five in a minute are not, and nobody can try
// often.
func TestBadMACs(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.BadMAC, Times: 1})
		g.expect(time.Second, "seen bad_mac")
		if !g.bus.Readers()[0].Status().Secure {
			t.Error("not back within a second")
		}
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.BadMAC})
		time.Sleep(10 * time.Minute)
		heard := g.heard()
		s := g.bus.Readers()[0].Status()
		if s.BadMACs > 10*40 || !slices.Contains(heard, "offline bad_mac") {
			t.Errorf("%d bad MACs, heard %v", s.BadMACs, heard)
		}
		g.peers[0].Behave()
		time.Sleep(15 * time.Second)
		g.heard()
		g.peers[0].Present(testCard(1))
		g.expect(time.Second, "card")
	})
}

// TestBadMACsApart: five that are spread over more than a minute are accidents.
func TestBadMACsApart(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		for range 8 {
			g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.BadMAC, Times: 1})
			g.expect(time.Second, "seen bad_mac")
			if !g.bus.Readers()[0].Status().Secure {
				t.Fatal("not back within a second")
			}
			time.Sleep(macMinute / 4)
		}
	})
}

// TestReplay: cards of an older session are no cards.
func TestReplay(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		for n := range 5 {
			g.peers[0].Present(testCard(n))
			time.Sleep(time.Second)
		}
		if n := cards(g.heard()); n != 5 {
			t.Fatalf("%d cards", n)
		}
		g.peers[0].Reboot()
		time.Sleep(time.Second)
		g.heard()
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Replay})
		time.Sleep(5 * time.Minute)
		if heard := g.heard(); cards(heard) > 0 || !slices.Contains(heard, "seen bad_mac") {
			t.Errorf("heard %v", heard)
		}
	})
}

// TestClearStatus: a reader that leaves the answers to status questions in the
// clear, under the right MAC, is good enough; not so for a card.
func TestClearStatus(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1))
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.ClearStatus})
		g.run()
		defer g.stop()
		g.expect(time.Minute, "online")
		if n := g.peers[0].State().Commands[protocol.CmdLStat]; n < 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestSessionLife: a session is made anew each day, and nobody notices.
func TestSessionLife(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: a day of polls")
	}
	bubble(t, "", func(t *testing.T) {
		p := keyed(1)
		g := build(t, p)
		g.bus.cfg.Poll = time.Second // a day of polls is enough
		g.run()
		defer g.stop()
		g.expect(10*time.Second, "online")
		g.expect(25 * time.Hour)
		if n := g.peers[0].State().Sessions; n != 2 {
			t.Errorf("%d sessions in 25 hours", n)
		}
	})
}

// TestOldReader: one that knows checksums only.
func TestOldReader(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
		p.peer.ChecksumOnly = true
		bubble(t, name, func(t *testing.T) {
			g := build(t, p).run()
			defer g.stop()
			g.expect(3*time.Second, "online")
			g.peers[0].Present(testCard(1))
			g.expect(time.Second, "card")
		})
	}
}

// deaf is a port that loses some of what is written.
type deaf struct {
	device.Port
	to func(tx []byte) bool
}

func (p deaf) Write(tx []byte) (int, error) {
	if p.to(tx) {
		return len(tx), nil
	}
	return p.Port.Write(tx)
}

// hears has only what to is false for reach the readers of g.
func (g *rig) hears(to func(tx []byte) bool) {
	open := g.bus.open
	g.bus.open = func() (device.Port, error) {
		p, err := open()
		return deaf{p, to}, err
	}
}

// withCRC says that a command ends in a CRC.
func withCRC(tx []byte) bool { return tx[5]&0x04 != 0 }

// TestSilentToCRC: one that knows checksums only and says nothing to a CRC is found
// all the same, also after it was away.
func TestSilentToCRC(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
		p.peer.ChecksumOnly = true
		bubble(t, name, func(t *testing.T) {
			g := build(t, p)
			g.hears(withCRC)
			g.run()
			defer g.stop()
			g.expect(8*time.Second, "online")
			g.peers[0].Present(testCard(1))
			g.expect(time.Second, "card")
			g.peers[0].SetDead(true)
			g.expect(time.Minute, "offline no_answer")
			g.peers[0].SetDead(false)
			g.expect(8*time.Second, "online")
			g.peers[0].Present(testCard(1))
			g.expect(time.Second, "card")
		})
	}
}

// TestPollFirst: a reader that answers ID only after a POLL is found, also when it
// was away, and whether it knows a CRC or not.
func TestPollFirst(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1), "checksum": bare(1)} {
		p.peer.ChecksumOnly = name == "checksum"
		bubble(t, name, func(t *testing.T) {
			var polled atomic.Bool
			g := build(t, p)
			g.hears(func(tx []byte) bool {
				if name == "checksum" && withCRC(tx) {
					return true
				}
				if tx[6] == protocol.CmdPoll {
					polled.Store(true)
				}
				return !polled.Load()
			})
			g.run()
			defer g.stop()
			for range 2 {
				g.expect(8*time.Second, "online")
				g.peers[0].Present(testCard(1))
				g.expect(time.Second, "card")
				g.peers[0].SetDead(true)
				g.expect(time.Minute, "offline no_answer")
				polled.Store(false)
				g.peers[0].SetDead(false)
			}
		})
	}
}

// disturbed is a port whose reads another program disturbs.
type disturbed struct {
	device.Port
	by *atomic.Pointer[error]
}

func (p disturbed) Read(b []byte) (int, error) {
	if err := p.by.Swap(nil); err != nil {
		return 0, *err
	}
	return p.Port.Read(b)
}

// TestDisturbed: what another program does to the port is told to each door, and
// ends no session.
func TestDisturbed(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		var by atomic.Pointer[error]
		g := build(t, keyed(1))
		open := g.bus.open
		g.bus.open = func() (device.Port, error) {
			p, err := open()
			return disturbed{p, &by}, err
		}
		g.run()
		defer g.stop()
		g.expect(time.Second, "online")
		for err, want := range map[error]string{device.ErrPortSettings: "seen port_settings", device.ErrPortShared: "seen port_shared"} {
			by.Store(&err)
			g.expect(time.Second, want)
			g.peers[0].Present(testCard(1))
			g.expect(time.Second, "card")
		}
	})
}

// TestDeafToCRC: one that says nothing to a CRC, though by PDCAP it knows them, is
// found all the same, and no slower when it comes back.
func TestDeafToCRC(t *testing.T) {
	for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
		bubble(t, name, func(t *testing.T) {
			g := build(t, p)
			g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.DeafToCRC})
			g.run()
			defer g.stop()
			for range 3 {
				g.expect(8*time.Second, "online")
				g.peers[0].Present(testCard(1))
				g.expect(time.Second, "card")
				if s := g.bus.Readers()[0].Status(); s.Secure != (name == "secure") {
					t.Errorf("status %+v", s)
				}
				g.peers[0].SetDead(true)
				g.expect(time.Minute, "offline no_answer")
				g.peers[0].SetDead(false)
			}
		})
	}
}

// TestCRCProved: a reader that was away at first, and then answered a CRC, is
// spoken to with CRC for as long as it is there, whatever it does not hear.
func TestCRCProved(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		var crc atomic.Int64
		g := build(t, keyed(1))
		g.hears(func(tx []byte) bool {
			if withCRC(tx) {
				crc.Add(1)
			}
			return false
		})
		g.peers[0].SetDead(true)
		g.run()
		defer g.stop()
		for range 20 { // until it is asked with a checksum
			before := crc.Load()
			time.Sleep(time.Second)
			if crc.Load() == before {
				break
			}
		}
		g.heard()
		g.peers[0].SetDead(false)
		g.expect(3*time.Second, "online")
		g.peers[0].Reboot()
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Deaf, Times: 4, Command: protocol.CmdChallenge})
		g.expect(5 * time.Second)
		before := crc.Load()
		time.Sleep(time.Second)
		if crc.Load() == before || !g.bus.Readers()[0].Status().Secure {
			t.Error("no CRC any more")
		}
	})
}

// TestChecksumGuessed: a reader that was only away is spoken to with CRC again,
// whenever it comes back.
func TestChecksumGuessed(t *testing.T) {
	for away := range 12 {
		bubble(t, "", func(t *testing.T) {
			crc := false
			g := build(t, bare(1))
			g.hears(func(tx []byte) bool { crc = withCRC(tx); return false })
			g.peers[0].SetDead(true)
			g.run()
			defer g.stop()
			time.Sleep(time.Duration(away) * time.Second)
			g.heard()
			g.peers[0].SetDead(false)
			time.Sleep(3 * time.Second)
			if heard := g.heard(); !slices.Contains(heard, "online") || !crc {
				t.Errorf("%d s away: %v, CRC %v", away, heard, crc)
			}
		})
	}
}

// TestBusyForEver: a reader that is always busy can't be used.
func TestBusyForEver(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Busy})
		g.expect(time.Hour, "offline no_answer")
		g.peers[0].Behave()
		g.expect(20*time.Second, "online")
	})
}

// TestRefuses: a reader that refuses everything, or one thing, ends in no loop.
func TestRefuses(t *testing.T) {
	bubble(t, "light and sound", func(t *testing.T) {
		g := build(t, bare(1))
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Refuse, Command: protocol.CmdLED})
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Refuse, Command: protocol.CmdBuzzer})
		g.run()
		defer g.stop()
		g.expect(2*time.Second, "online", "seen refused", "seen refused")
		for range 100 {
			g.bus.Readers()[0].Show(device.FeedbackDenied)
			time.Sleep(time.Second)
		}
		g.expect(time.Second)
	})
	bubble(t, "everything", func(t *testing.T) {
		for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
			g := build(t, p)
			g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Refuse})
			g.run()
			time.Sleep(10 * time.Minute)
			heard := g.heard()
			if len(heard) > 20 || g.bus.Readers()[0].Status().Online || g.bus.Readers()[0].Status().Commands > 1000 {
				t.Errorf("%s: %d commands, heard %v", name, g.bus.Readers()[0].Status().Commands, heard)
			}
			g.stop()
		}
	})
}

// TestOtherReader: another reader in the place of the first.
func TestOtherReader(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		first, second := bare(1), bare(1)
		second.peer.Serial = 4711
		g := build(t, first)
		other := osdptest.NewReader(second.peer)
		line := osdptest.NewLine(g.peers[0], other)
		line.WireTime = true
		g.line = line
		other.SetDead(true)
		g.run()
		defer g.stop()
		g.expect(2*time.Second, "online")
		g.peers[0].SetDead(true)
		g.expect(10*time.Second, "offline no_answer")
		other.SetDead(false)
		g.expect(3*time.Second, "seen other_reader", "online")
	})
}

// TestEcho: an adapter that hears itself.
func TestEcho(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1), bare(2))
		g.line.SetEcho(true)
		g.run()
		defer g.stop()
		g.expect(time.Second, "online", "online")
		for n := range 20 {
			g.peers[n%2].Present(testCard(n))
			g.expect(300*time.Millisecond, "card")
		}
		for _, r := range g.bus.Readers() {
			if s := r.Status(); s.Retries > 0 || s.BadFrames > 0 {
				t.Errorf("status %+v", s)
			}
		}
	})
}
