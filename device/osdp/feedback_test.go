package osdp

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// TestShow: what people see and hear, for how long, and what is left after it.
func TestShow(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		g.expect(time.Second, "online")
		r := g.bus.Readers()[0]
		led := func() osdptest.Color { return g.peers[0].State().LEDs[0].Color }
		if led() != osdptest.Red {
			t.Errorf("at rest: colour %d", led())
		}
		r.Show(device.FeedbackGranted)
		time.Sleep(200 * time.Millisecond)
		if s := g.peers[0].State(); led() != osdptest.Green || s.Beeps != 1 {
			t.Errorf("granted: colour %d, %d beeps", led(), s.Beeps)
		}
		time.Sleep(3 * time.Second)
		if led() != osdptest.Red {
			t.Errorf("after granted: colour %d", led())
		}
		r.Show(device.FeedbackHeld)
		r.Show(device.FeedbackDenied) // what lasts is not lost by what passes
		time.Sleep(300 * time.Millisecond)
		if s := g.peers[0].State(); !s.LEDs[0].Temporary || s.Buzzer.Count != 3 {
			t.Errorf("denied: %+v %+v", s.LEDs[0], s.Buzzer)
		}
		time.Sleep(3 * time.Second)
		if s := g.peers[0].State(); s.LEDs[0].Temporary || s.LEDs[0].Blink.On == 0 {
			t.Errorf("held: %+v", s.LEDs[0])
		}
		r.Show(device.FeedbackIdle)
		time.Sleep(300 * time.Millisecond)
		if s := g.peers[0].State(); led() != osdptest.Red || s.Buzzer.Tone != 1 {
			t.Errorf("idle: colour %d, %+v", led(), s.Buzzer)
		}
		g.expect(time.Second)
	})
}

// TestShowAfterAbsence: what lasts is shown when the reader is back, what passed
// is not.
func TestShowAfterAbsence(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		g := build(t, keyed(1)).run()
		defer g.stop()
		r := g.bus.Readers()[0]
		time.Sleep(time.Second)
		g.peers[0].SetDead(true)
		time.Sleep(20 * time.Second)
		r.Show(device.FeedbackEnterPIN)
		r.Show(device.FeedbackGranted)
		time.Sleep(20 * time.Second)
		g.peers[0].SetDead(false)
		time.Sleep(4 * time.Second)
		if s := g.peers[0].State(); s.LEDs[0].Temporary || s.LEDs[0].Blink.On == 0 || s.Beeps > 0 {
			t.Errorf("shows %+v, %d beeps", s.LEDs[0], s.Beeps)
		}
	})
}

// TestProfile: a profile's own lights, sounds and texts.
func TestProfile(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		p := bare(1)
		p.panel.Indications = map[device.Feedback]protocol.Indication{
			device.FeedbackGranted: {
				LEDs:   []protocol.LED{{LED: 0, OnColour: protocol.Blue, For: time.Second}, {LED: 1, OnColour: protocol.Cyan}},
				Buzzer: []protocol.Buzzer{{On: time.Second, Count: 2}},
				Text:   []protocol.Text{{Text: "WELCOME", For: 2 * time.Second}},
			},
		}
		g := build(t, p).run()
		defer g.stop()
		time.Sleep(time.Second)
		g.bus.Readers()[0].Show(device.FeedbackGranted)
		time.Sleep(500 * time.Millisecond)
		s := g.peers[0].State()
		if s.LEDs[0].Color != osdptest.Blue || s.LEDs[1].Color != osdptest.Cyan || s.Beeps != 2 || s.Text != "WELCOME" {
			t.Errorf("shows %+v, %d beeps, %q", s.LEDs, s.Beeps, s.Text)
		}
		time.Sleep(2 * time.Second)
		if s := g.peers[0].State(); s.Text != "" {
			t.Errorf("still shows %q", s.Text)
		}
	})
}

// TestConfigure: a reader moves to another address, also when its answer is lost.
func TestConfigure(t *testing.T) {
	for _, fault := range []osdptest.Fault{0, osdptest.Drop, osdptest.Deaf, osdptest.Corrupt} {
		for _, times := range []int{1, 10} {
			for name, p := range map[string]pair{"clear": bare(1), "secure": keyed(1)} {
				bubble(t, name+" "+fault.String(), func(t *testing.T) {
					g := build(t, p).run()
					defer g.stop()
					r := g.bus.Readers()[0]
					time.Sleep(time.Second)
					if fault != 0 {
						g.peers[0].Misbehave(osdptest.Mishap{Fault: fault, Times: times, Command: protocol.CmdComSet})
					}
					err := r.Configure(t.Context(), 5, testBaud)
					if err == nil && g.peers[0].State().Address != 5 || err != nil && fault == 0 {
						t.Errorf("%d times: %v", times, err)
					}
					time.Sleep(40 * time.Second)
					s := r.Status()
					if at := g.peers[0].State().Address; !s.Online || s.Address != at {
						t.Errorf("%d times: %v, reader at %d, status %+v", times, err, at, s)
					}
					g.heard()
					g.peers[0].Present(testCard(1))
					g.expect(time.Second, "card")
				})
			}
		}
	}
	for fault, at := range map[osdptest.Fault]byte{osdptest.Deaf: 1, osdptest.Drop: 5} {
		for _, dark := range []time.Duration{time.Second, 12 * time.Second, time.Hour} {
			bubble(t, fmt.Sprintf("%v and dead for %v", fault, dark), func(t *testing.T) {
				g := build(t, keyed(1)).run()
				defer g.stop()
				time.Sleep(time.Second)
				g.peers[0].Misbehave(osdptest.Mishap{Fault: fault, Command: protocol.CmdComSet})
				time.AfterFunc(300*time.Millisecond, func() { g.peers[0].SetDead(true) })
				if err := g.bus.Readers()[0].Configure(t.Context(), 5, testBaud); err == nil {
					t.Error("lost and not told")
				}
				time.Sleep(dark)
				g.peers[0].SetDead(false)
				time.Sleep(15 * time.Second)
				if s := g.bus.Readers()[0].Status(); !s.Online || s.Address != at {
					t.Errorf("reader at %d: %+v", at, s)
				}
			})
		}
	}
	bubble(t, "refused", func(t *testing.T) {
		g := build(t, bare(1)).run()
		defer g.stop()
		r := g.bus.Readers()[0]
		if err := r.Configure(t.Context(), 5, testBaud); !errors.Is(err, ErrOffline) {
			t.Errorf("told a reader that is not there: %v", err)
		}
		if err := r.Configure(t.Context(), 5, 12345); err == nil || errors.Is(err, ErrOffline) {
			t.Errorf("a rate that OSDP has not: %v", err)
		}
		time.Sleep(time.Second)
		if r.Configure(t.Context(), protocol.ConfigAddress, testBaud) == nil || r.Configure(t.Context(), 5, 0) == nil {
			t.Error("takes what no reader has")
		}
		g.peers[0].Misbehave(osdptest.Mishap{Fault: osdptest.Refuse, Command: protocol.CmdComSet})
		if err := r.Configure(t.Context(), 5, testBaud); err == nil {
			t.Error("refused and not told")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g.peers[0].SetDead(true)
		if err := r.Configure(ctx, 5, testBaud); err == nil {
			t.Error("dead and not told")
		}
	})
}
