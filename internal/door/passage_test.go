package door_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/door"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// counted is a journal in a test's bubble that counts its syncs.
type counted struct {
	*journal.Journal
	t     *testing.T
	syncs atomic.Int64
	stop  func()
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	began := time.Now()
	c := &counted{t: t}
	j, err := journal.Open(journal.Options{Dir: t.TempDir(), Ballast: -1, Log: zerolog.Nop(), Sync: func() { c.syncs.Add(1) },
		Clock: func() journal.Stamp { return journal.Stamp{BootTime: uint64(time.Since(began))} }})
	if err != nil {
		t.Fatal(err)
	}
	c.Journal = j
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := j.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	c.stop = func() { cancel(); running.Wait() }
	t.Cleanup(c.stop)
	time.Sleep(time.Minute) // its own entries of the start are written
	return c
}

// headers reads what is durable.
func (c *counted) headers() (all []wire.Header) {
	c.t.Helper()
	entries, _, err := c.Entries(context.Background(), journal.Position{}, 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

func (c *counted) last(n int) (kinds []wire.Kind) {
	c.t.Helper()
	all := c.headers()
	for _, h := range all[max(0, len(all)-n):] {
		kinds = append(kinds, h.Kind)
	}
	return kinds
}

// TestPassageOnDisk: of what a passage writes the grant is synced at once, what follows within a
// second, in three syncs; the opening names its grant. An alarm waits for nothing and takes along
// what waits; the stop writes the rest.
func TestPassageOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCounted(t)
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Recorder = c })
		before, began := c.syncs.Load(), time.Now()
		b.swipe("in", known)
		if n := c.syncs.Load() - before; n != 1 || !b.lock.isReleased() || time.Since(began) > 0 {
			t.Fatalf("%d syncs, released %v after %v", n, b.lock.isReleased(), time.Since(began))
		}
		time.Sleep(800 * time.Millisecond)
		b.input(device.InputContact, true)
		time.Sleep(3 * time.Second)
		b.input(device.InputContact, false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := c.syncs.Load() - before; n != 3 {
			t.Errorf("a passage took %d syncs, want 3", n)
		}
		want := []wire.Kind{wire.KindAccess, wire.KindReleased, wire.KindOpened, wire.KindClosed, wire.KindSecured}
		if got := c.last(5); !slices.Equal(got, want) {
			t.Errorf("entries %v, want %v", got, want)
		}
		of := c.headers()[len(c.headers())-5:]
		if grant := (wire.Ref{Boot: of[0].Boot, Counter: of[0].Counter}); of[2].Ref == nil || *of[2].Ref != grant {
			t.Errorf("the opening refers to %v, want %v", of[2].Ref, grant)
		}

		b.swipe("in", known)
		b.input(device.InputContact, true)
		before = c.syncs.Load()
		b.events <- device.Event{Kind: device.WentOffline, Source: "in"}
		synctest.Wait()
		if got, want := c.last(4), []wire.Kind{wire.KindAccess, wire.KindReleased, wire.KindOpened, wire.KindOffline}; !slices.Equal(got, want) {
			t.Errorf("when a reader went off: %v, want %v", got, want)
		}
		b.input(device.InputContact, false)
		b.input(device.InputContact, true) // without a release
		if got, want := c.last(3), []wire.Kind{wire.KindClosed, wire.KindSecured, wire.KindForced}; !slices.Equal(got, want) {
			t.Errorf("when the door was forced: %v, want %v", got, want)
		}
		if n := c.syncs.Load() - before; n != 2 {
			t.Errorf("two alarms took %d syncs", n)
		}
		b.input(device.InputContact, false)
		time.Sleep(time.Minute)
		b.swipe("in", known)
		b.stop()
		<-b.done
		c.stop()
		if got, want := c.last(2), []wire.Kind{wire.KindAccess, wire.KindReleased}; !slices.Equal(got, want) {
			t.Errorf("at the stop: %v, want %v", got, want)
		}
	})
}
