package gateway_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/listening"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// withoutKeys takes back the list of the house: nobody has a key yet.
func (h *house) withoutKeys() {
	must(h.t, os.RemoveAll(filepath.Join(h.dir, "state", "grants")))
}

// decides says who is to decide at the doors, and plays whoever runs the gateway.
func (h *house) decides(days int) control.Status {
	h.t.Helper()
	type answer struct {
		status control.Status
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		s, err := control.Takeover{Daemon: h.client}.SetListening(h.t.Context(), control.ListeningRequest{Days: days})
		done <- answer{s, err}
	}()
	h.eventually("the run is over", h.gateway.Decider.Changed)
	if err := h.ended(); err != nil {
		h.t.Fatalf("gateway ended: %v", err)
	}
	h.start()
	a := <-done
	must(h.t, a.err)
	return a.status
}

// driven reports whether a relay's line was asked for.
func (h *house) driven() bool {
	return h.board.Requested("front-relay") || h.board.Requested("yard-relay")
}

// learned writes the list of unknown cards down and counts them.
func (h *house) learned() int {
	h.gateway.Keyring.Adopt.Tend()
	b, _ := os.ReadFile(filepath.Join(h.dir, "state", "grants", "adopt.json"))
	return strings.Count(string(b), `"bits"`)
}

// TestListening: while the old controller decides, no relay's line is asked for, whatever
// comes; cards are told by their days, without door and time; then one switch over, with
// the cards as keys, and one back.
func TestListening(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.withoutKeys()
	h.time.Leap(-72 * time.Hour) // so that what is signed after three days is of today
	must(t, os.Remove(filepath.Join(h.dir, "state", "clock")))
	h.start()
	if !h.driven() {
		t.Fatal("a house that decides has no relay")
	}
	s := h.decides(7)
	if s.Listening == nil || s.Listening.Until == nil || s.Listening.Over || s.Doors[0].State != "listening" || !strings.Contains(h.problems(), "listening until ") {
		t.Fatalf("status %+v: %s", s.Listening, h.problems())
	}
	for day := range 3 {
		h.wiegand(123, 4567)
		h.serialAtOnce()
		must(t, h.board.Set("exit", true))
		must(t, h.board.Set("fire", true))
		must(t, h.board.Set("exit", false))
		if day == 0 {
			h.eventually("both readers are heard", func() bool { return h.learned() == 2 })
		}
		if a, err := (control.Takeover{Daemon: h.client}).Adopts(t.Context()); err != nil || !a.Listening || day == 0 && len(a.Cards) > 0 {
			t.Fatalf("told on the day itself: %+v, %v", a, err)
		}
		h.time.Pass(24 * time.Hour)
	}
	for what, try := range map[string]func() error{
		"release":    func() error { _, err := h.client.Release(t.Context(), "front"); return err },
		"fire reset": func() error { _, err := h.client.ResetFire(t.Context()); return err },
		"adopt on": func() error {
			_, err := control.Takeover{Daemon: h.client}.SetAdopt(t.Context(), control.AdoptRequest{Days: 1})
			return err
		},
		"teach": func() error {
			_, err := h.client.LearnFormat(t.Context(), "front", "in", control.LearnFormat{})
			return err
		},
		"test": func() error {
			return h.client.TestDoor(t.Context(), "front", control.DoorTest{Minutes: 1}, func() {}, func(control.LogEntry) error { return nil })
		},
	} {
		if err := try(); err == nil {
			t.Errorf("%s while the old controller decides", what)
		}
	}
	a, err := control.Takeover{Daemon: h.client}.Adopts(t.Context())
	must(t, err)
	must(t, h.ended()) // a stop ends no listening
	h.start()
	if len(a.Cards) != 2 {
		t.Fatalf("%d cards", len(a.Cards))
	}
	for _, c := range a.Cards {
		if c.Days < 1 || c.Days > 3 || c.Door != "" || c.Card.Door != "" || c.Card.Reader != "" || c.Count != 0 || !c.FirstSeen.IsZero() || !c.LastSeen.IsZero() {
			t.Errorf("told %+v", c)
		}
	}
	if h.driven() || h.timesReleased("front")+h.timesReleased("yard") > 4 { // 2 each of the first run, which decided
		t.Error("a relay was driven")
	}
	for name := range h.kinds() {
		if strings.Contains(name, "access") || strings.Contains(name, "opened") || strings.Contains(name, "exit") || strings.Contains(name, "released") && !strings.Contains(name, "start") {
			t.Errorf("entry %s", name)
		}
	}
	must(t, h.board.Set("fire", false))
	h.switchOver(a)
}

// switchOver gives the learned cards keys, and has the gateway decide; then back, once.
func (h *house) switchOver(a control.AdoptState) {
	t := h.t
	h.edit(func(e *grantlist.Editor) error {
		for _, c := range a.Cards {
			if c.Card.Bits != 40 {
				continue // the same card
			}
			g := grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{"front", "yard"}, Label: "3B"}
			for _, text := range c.Card.Credentials {
				id, err := wire.ParseCredentialID(text)
				must(t, err)
				g.Credentials = append(g.Credentials, id)
			}
			if _, err := e.Add(g); err != nil {
				return err
			}
		}
		return nil
	})
	if s := h.decides(0); s.Listening != nil || !h.driven() || h.learned() != 0 {
		t.Fatalf("after the switch over: %+v, %d cards kept", s.Listening, h.learned())
	}
	h.wiegandOpens("a learned card opens")
	if s := h.decides(7); s.Listening == nil || h.driven() {
		t.Fatal("listening again")
	}
	h.decides(0)
	_, err := control.Takeover{Daemon: h.client}.SetListening(t.Context(), control.ListeningRequest{Days: 7})
	if err == nil || h.gateway.Decider.Changed() {
		t.Error("listened to a third time: who has a key is locked out")
	}
}

// TestListeningWithKeys: who has a key is not locked out by a house that only listens.
func TestListeningWithKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	_, err := control.Takeover{Daemon: h.client}.SetListening(t.Context(), control.ListeningRequest{Days: 7})
	if err == nil || !strings.Contains(err.Error(), "locked out") || !h.driven() || h.gateway.Decider.Changed() {
		t.Fatalf("a house with keys: %v", err)
	}
	h.wiegandOpens("the card goes on opening")
}

// TestOneDecides: through any order of switches, starts and power cuts no relay's line is
// asked for while the old controller decides by what is on the disk.
func TestOneDecides(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	h := newHouse(t)
	h.withoutKeys()
	parsed, err := site.Parse([]byte(h.site))
	must(t, err)
	state := filepath.Join(h.dir, "state")
	var asked atomic.Int64
	hw := gateway.Hardware{
		Lines:  func(device.LinesConfig) (device.Lines, error) { return nil, os.ErrNotExist },
		Output: func(device.OutputConfig) (device.Output, error) { asked.Add(1); return nil, os.ErrNotExist },
		Port:   func(device.PortConfig) (device.Port, error) { return nil, os.ErrNotExist },
	}
	now, backs := time.Now(), 0
	for step := range 40 {
		before := listening.Read(state)
		switch choice := random.IntN(4); choice {
		case 0:
			err := before.Begin(state, now, 7, random.IntN(2) == 0)
			if after := listening.Read(state); (err == nil) != after.Listening && !before.Listening {
				t.Fatalf("seed %d step %d: begin: %v, listening %v", seed, step, err, after.Listening)
			}
			if err == nil && !before.Listening && before != (listening.State{}) {
				backs++
			}
		case 1: // a power cut in the switch over, before its one rename
			if before.Listening {
				must(t, os.WriteFile(filepath.Join(state, listening.File+".new"), []byte(`{"until":`), 0o600))
			}
		case 2:
			if before.Listening {
				must(t, before.Over(state, now))
			}
		case 3:
			now = now.Add(24 * time.Hour)
		}
		asked.Store(0)
		g, err := gateway.New(gateway.Options{Site: parsed, Time: h.time.Source(), Log: zerolog.Nop(), Hardware: hw})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = g.Run(ctx)
		_ = gateway.LeaveSafe(parsed, hw)
		if on := listening.Read(state).Listening; on != (asked.Load() == 0) {
			t.Fatalf("seed %d step %d: listening %v, and %d lines asked for", seed, step, on, asked.Load())
		}
	}
	if backs > 1 {
		t.Errorf("seed %d: listened to again %d times", seed, backs)
	}
}
