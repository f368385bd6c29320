package uplink

import (
	"path/filepath"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// TestRestoredImage: the SD card's image of an hour ago comes back. What was
// written since is at the registry and stays there, what is written from now on
// comes in a new epoch, and somebody is told.
func TestRestoredImage(t *testing.T) {
	for name, c := range map[string]struct {
		before, between, after int
		why                    wire.Reason
	}{
		"registry ahead": {30, 40, 0, wire.ReasonAhead},
		"other root":     {30, 3, 50, wire.ReasonOtherRoot},
		"grows past it":  {5, 1, 3, wire.ReasonOtherRoot},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) { restoreImage(t, w, c.before, c.between, c.after, c.why) })
		})
	}
}

func restoreImage(t *testing.T, w *world, before, between, after int, why wire.Reason) {
	image := filepath.Join(t.TempDir(), "image")
	w.append(before)
	if !w.settle(time.Minute) {
		t.Fatal("not in step")
	}
	w.stop()
	copyFolder(t, w.dir, image)
	w.startGateway()
	w.append(between)
	if !w.settle(time.Minute) {
		t.Fatal("not in step")
	}
	w.stop()
	copyFolder(t, image, w.dir)
	w.link.Cut()
	w.startGateway()
	w.link.Cut()
	w.append(after)
	time.Sleep(time.Second)
	w.link.Restore()
	if !w.settle(10 * time.Minute) {
		t.Fatalf("not in step: %+v", w.uplink.Status())
	}
	if fault := w.same(); fault != "" {
		t.Fatal(fault)
	}
	if n := len(w.reg.store.epochs); n != 2 {
		t.Errorf("%d epochs at the registry, want the old and the new", n)
	}
	for _, outcome := range []wire.Outcome{wire.OutcomeActive, wire.OutcomeIdle} {
		if n := w.count(is(wire.KindUplink, outcome, why)); n != 1 {
			t.Errorf("%d entries that %s is %s", n, why, outcome)
		}
	}
	stored := map[string]bool{}
	for _, list := range w.reg.store.epochs {
		for _, l := range list {
			if h, err := wire.DecodeHeader([]byte(l.header)); err == nil && h.Kind == wire.KindAccess {
				stored[l.header] = true
			}
		}
	}
	if len(stored) != w.sent {
		t.Errorf("%d entries were made, the registry has %d: both versions are kept", w.sent, len(stored))
	}
}

// TestRestoredRegistry: the registry comes back from a backup, or with nothing.
// The gateway still has the entries and sends them again.
func TestRestoredRegistry(t *testing.T) {
	for name, backup := range map[string]bool{"from a backup": true, "with nothing": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				saved := store{epochs: map[uint64][]leaf{}, records: map[uint64][]string{}}
				w.append(10)
				if !w.settle(time.Minute) {
					t.Fatal("not in step")
				}
				if backup {
					saved = w.reg.store.clone()
				}
				w.append(30)
				if !w.settle(time.Minute) {
					t.Fatal("not in step")
				}
				w.reg.kill()
				w.reg.store = saved
				w.reg.start()
				w.append(3)
				if !w.settle(10 * time.Minute) {
					t.Fatalf("not in step: %+v", w.uplink.Status())
				}
				for _, law := range []func() string{w.same, w.eachOnce} {
					if fault := law(); fault != "" {
						t.Fatal(fault)
					}
				}
			})
		})
	}
}
