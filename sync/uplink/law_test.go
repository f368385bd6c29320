package uplink

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/wire"
)

// step is something that happens to the world.
type step struct {
	name string
	n    int
	bad  faultnet.Misdeeds
}

// drawPlan draws what happens, before the bubble: rapid may not be called in it.
func drawPlan(t *rapid.T) (plan []step) {
	p := rapid.SampledFrom([]float64{0, 0.05, 0.3, 0.7})
	names := rapid.SampledFrom([]string{"append", "append", "append", "sleep", "sleep", "misdeeds", "cut", "restore",
		"kill gateway", "lose cursor", "old cursor", "kill registry", "silence", "window"})
	for range rapid.IntRange(3, 14).Draw(t, "steps") {
		s := step{name: names.Draw(t, "step"), n: rapid.IntRange(1, 40).Draw(t, "n")}
		if s.name == "misdeeds" {
			s.bad = faultnet.Misdeeds{Drop: p.Draw(t, "drop"), Duplicate: p.Draw(t, "twice"), Reorder: p.Draw(t, "reorder"),
				Replay: p.Draw(t, "replay"), Delay: time.Duration(rapid.IntRange(0, 3000).Draw(t, "delay")) * time.Millisecond}
		}
		plan = append(plan, s)
	}
	return plan
}

// do lets it happen.
func (w *world) do(s step) {
	switch s.name {
	case "append":
		w.append(s.n)
	case "sleep":
		time.Sleep(time.Duration(s.n*s.n) * 100 * time.Millisecond)
	case "misdeeds":
		w.broker.Set(s.bad)
	case "cut":
		w.link.Cut()
	case "restore":
		w.link.Restore()
	case "kill gateway", "lose cursor", "old cursor":
		path := filepath.Join(w.dir, "hints")
		old, err := os.ReadFile(path)
		w.stop()
		switch {
		case s.name == "lose cursor":
			_ = os.Remove(path)
		case s.name == "old cursor" && err == nil:
			_ = os.WriteFile(path, old, 0o600)
		}
		w.startGateway()
	case "kill registry":
		w.reg.kill()
		time.Sleep(time.Duration(s.n) * time.Second)
		w.reg.start()
	case "silence":
		w.reg.mu.Lock()
		w.reg.silent = !w.reg.silent
		w.reg.mu.Unlock()
	case "window":
		w.reg.mu.Lock()
		w.reg.window, w.reg.retry = uint16(s.n%5), uint16(s.n)
		w.reg.mu.Unlock()
	}
}

// heal makes everybody honest again.
func (w *world) heal() {
	w.broker.Set(faultnet.Misdeeds{})
	w.reg.mu.Lock()
	w.reg.silent, w.reg.window = false, 4
	w.reg.mu.Unlock()
	w.link.Restore()
}

// cursorIsCommitted: nobody may delete what is not at the registry.
func (w *world) cursorIsCommitted() string {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	for what, p := range map[string]struct{ Epoch, Sequence uint64 }{
		"cursor on disk": w.journal.Acked(), "cursor": w.uplink.Status().Stored} {
		if have := uint64(len(w.reg.store.epochs[p.Epoch])); p.Sequence > have {
			return fmt.Sprintf("%s at %d, the registry has %d", what, p.Sequence, have)
		}
	}
	return ""
}

// eachOnce checks that every entry that this gateway ever wrote stands once in
// the registry's store.
func (w *world) eachOnce() string {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	seen := map[string]int{}
	for _, list := range w.reg.store.epochs {
		for _, l := range list {
			if h, err := wire.DecodeHeader([]byte(l.header)); err == nil && h.Kind == wire.KindAccess {
				seen[l.header]++
			}
		}
	}
	for _, n := range seen {
		if n > 1 {
			return "an entry is stored twice"
		}
	}
	if len(seen) != w.sent {
		return fmt.Sprintf("%d entries made, %d stored", w.sent, len(seen))
	}
	return ""
}

// TestExactlyOnce: whatever the broker does, and however often either end is
// killed, in the end the registry has exactly the journal's entries in order.
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		plan, seed := drawPlan(r), rapid.Uint64().Draw(r, "seed")
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = exactlyOnce(t, plan, seed) })
		if fault != "" {
			r.Fatalf("%s\n%+v", fault, plan)
		}
	})
}

func exactlyOnce(t *testing.T, plan []step, seed uint64) string {
	w := newWorld(t, seed)
	for i, s := range plan {
		w.do(s)
		time.Sleep(time.Duration(rand.N(50)) * time.Millisecond)
		if fault := w.cursorIsCommitted(); fault != "" {
			return fmt.Sprintf("after step %d: %s", i, fault)
		}
	}
	w.heal()
	if !w.settle(15 * time.Minute) {
		return fmt.Sprintf("never in step: %+v, journal %+v", w.uplink.Status(), w.journal.Status())
	}
	for _, law := range []func() string{w.same, w.eachOnce, w.cursorIsCommitted} {
		if fault := law(); fault != "" {
			return fault
		}
	}
	if n := len(w.reg.store.epochs); n != 1 {
		return fmt.Sprintf("%d epochs where nothing was rolled back", n)
	}
	return ""
}
