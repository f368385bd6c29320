package uplink

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/journal"
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
	copyDirectory(t, w.dir, image)
	w.startGateway()
	w.append(between)
	if !w.settle(time.Minute) {
		t.Fatal("not in step")
	}
	w.stop()
	copyDirectory(t, image, w.dir)
	link := w.client("g")
	link.Cut() // before the gateway can say that it is back
	w.startOn(link)
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

// TestGap: a file of entries that were never sent is gone. What follows it goes
// into a new epoch, since no registry can take it in the old one.
func TestGap(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(10)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.link.Cut()
		for range 6 {
			w.append(20)
			time.Sleep(time.Second)
		}
		w.stop()
		files, err := filepath.Glob(filepath.Join(w.dir, "*-0000*.db"))
		if err != nil || len(files) < 3 {
			t.Fatalf("%d files of entries: %v", len(files), err)
		}
		if err := os.Remove(files[1]); err != nil {
			t.Fatal(err)
		}
		w.startGateway()
		if !w.settle(10 * time.Minute) {
			t.Fatalf("not in step: %+v", w.uplink.Status())
		}
		if fault := w.same(); fault != "" {
			t.Fatal(fault)
		}
		if n := len(w.reg.store.epochs); n != 2 {
			t.Errorf("%d epochs at the registry", n)
		}
		if n := w.count(func(h wire.Header) bool { return h.Kind == wire.KindUplink }); n != 0 {
			t.Errorf("%d alarms of the uplink: the registry did nothing wrong", n)
		}
	})
}

// TestLargestEntries: batches stay within their size, whatever is in them.
func TestLargestEntries(t *testing.T) {
	bubble(t, func(w *world) {
		w.link.Cut()
		for i := range 1500 {
			id, c := wire.ID{byte(i), byte(i >> 8)}, wire.CredentialID{1}
			h := granted()
			h.Door, h.Source = strings.Repeat("d", 32), strings.Repeat("s", 32)
			h.Count, h.Ref, h.Detail = 1<<60, &wire.Ref{Boot: 1 << 60, Counter: 1 << 60}, make([]byte, 64)
			w.journal.Queue(h, wire.Who{Credential: &c, Grant: &id, Tenancy: &id})
		}
		w.sent += 1500
		time.Sleep(time.Second)
		w.link.Restore()
		if !w.settle(time.Minute) {
			t.Fatalf("not in step: %+v", w.uplink.Status())
		}
		if fault := w.same(); fault != "" {
			t.Fatal(fault)
		}
	})
}

// TestListWithoutAJournal: a disk that gives no journal is no reason to do
// without the registry's list.
func TestListWithoutAJournal(t *testing.T) {
	bubble(t, func(w *world) {
		w.stop()
		j, err := journal.Open(journal.Options{Dir: filepath.Join(t.TempDir(), "none"), Clock: w.stamp, Ballast: -1, Log: w.log()})
		if err != nil {
			t.Fatal(err)
		}
		u, err := New(Options{Link: w.client("g"), Place: w.place, Journal: j, Keyring: w.ring, Key: w.keys.gateway, Clock: w.stamp, Log: w.log()})
		if err != nil {
			t.Fatal(err)
		}
		w.publishList(4, 0, 1, false)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { _ = u.Run(ctx); close(ended) }()
		time.Sleep(time.Minute)
		if v := w.ring.Lists().Version; v != 4 {
			t.Errorf("version %d active", v)
		}
		stop()
		<-ended
	})
}

// TestEndOfEpochLost: the gateway has begun a new epoch, of which the registry has nothing yet, when the registry comes
// back from a backup that lacks the end of the epoch before; the gateway, too, starts again.
func TestEndOfEpochLost(t *testing.T) {
	plan := []step{{name: "append", n: 1}, {name: "old cursor"}, {name: "append", n: 4}, {name: "copy registry"}, {name: "sleep", n: 7}, {name: "append", n: 2},
		{name: "sleep", n: 3}, {name: "copy card"}, {name: "put card back"}, {name: "put registry back"}, {name: "old cursor"}}
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			if fault := setBacks(t, plan); fault != "" {
				t.Error(fault)
			}
		})
	}
}

// TestNothingIsLostBySetBacks: whatever is put back from a copy, the gateway's
// card or the registry's store, in the end the registry has the journal as it
// is, and everything that was written on a card that is still there.
func TestNothingIsLostBySetBacks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SampledFrom([]string{"append", "append", "sleep", "copy card", "put card back", "copy registry", "put registry back", "cut", "restore", "kill gateway", "old cursor"})
		var plan []step
		for range rapid.IntRange(3, 14).Draw(r, "steps") {
			plan = append(plan, step{name: names.Draw(r, "step"), n: rapid.IntRange(1, 40).Draw(r, "n")})
		}
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = setBacks(t, plan) })
		if fault != "" {
			r.Fatalf("%s\n%+v", fault, plan)
		}
	})
}

func setBacks(t *testing.T, plan []step) string {
	w := newWorld(t, 1)
	card, backup := "", store{}.clone()
	for _, s := range plan {
		switch s.name {
		case "copy card":
			w.stop()
			card = filepath.Join(t.TempDir(), "card")
			copyDirectory(t, w.dir, card)
			w.startGateway()
		case "put card back":
			if card == "" {
				continue
			}
			w.stop()
			copyDirectory(t, card, w.dir)
			w.startGateway()
		case "copy registry":
			w.reg.mu.Lock()
			backup = w.reg.store.clone()
			w.reg.mu.Unlock()
		case "put registry back":
			w.reg.kill()
			w.reg.store = backup.clone()
			w.reg.start()
		default:
			w.do(s)
		}
		time.Sleep(time.Second)
	}
	w.heal()
	time.Sleep(greetEvery + time.Minute) // a registry that was rolled back in silence shows at the next hello
	if !w.settle(48 * time.Hour) {       // new epochs are rationed
		return fmt.Sprintf("never in step: %+v, journal %+v", w.uplink.Status(), w.journal.Status())
	}
	w.reg.mu.Lock()
	w.reg.forks = 0 // contradictions are what this is about
	w.reg.mu.Unlock()
	return w.same()
}
