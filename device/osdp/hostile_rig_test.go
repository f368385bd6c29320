package osdp_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// store is a KeyStore in memory, which outlives the bus as a disk does.
type store struct {
	mu   sync.Mutex
	keys osdp.Keys
}

func (s *store) Load() (osdp.Keys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, nil
}

func (s *store) Save(k osdp.Keys) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = k
	return nil
}

func (s *store) has() osdp.Keys { k, _ := s.Load(); return k }

// plan is what a rig is made of; reader i has the address i and the source
// "reader-i".
type plan struct {
	baud    int
	poll    time.Duration
	instant bool // bytes take no time: more than a wire carries
	readers []osdptest.Config
	panel   []osdp.ReaderConfig
}

// rig is a bus with readers at its far end, in virtual time.
type rig struct {
	t       *testing.T
	plan    plan
	line    *osdptest.Line
	readers []*osdptest.Reader
	stores  []*store
	bus     *osdp.Bus
	stop    func()

	events chan device.Event
	mu     sync.Mutex
	seen   []device.Event
	number uint64
}

// play runs a test with n readers, whose keys both sides know unless edit
// changes that, at 9600 baud with exact times.
func play(t *testing.T, n int, edit func(*plan), test func(*testing.T, *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, plan: plan{baud: 9600}, events: make(chan device.Event, 64)}
		for i := range n {
			key := protocol.NewKey()
			s := &store{keys: osdp.Keys{Current: &key}}
			raw := [16]byte(key)
			r.stores = append(r.stores, s)
			r.plan.readers = append(r.plan.readers, osdptest.Config{
				Address: byte(i), Key: &raw, Enforce: true, Serial: uint32(i), Outputs: 1, Seed: uint64(i),
			})
			r.plan.panel = append(r.plan.panel, osdp.ReaderConfig{
				Source: fmt.Sprintf("reader-%d", i), Address: byte(i), Keys: s, Events: r.events,
			})
		}
		if edit != nil {
			edit(&r.plan)
		}
		for _, c := range r.plan.readers {
			if c.Baud == 0 {
				c.Baud = r.plan.baud
			}
			r.readers = append(r.readers, osdptest.NewReader(c))
		}
		r.line = osdptest.NewLine(r.readers...)
		r.line.WireTime = !r.plan.instant
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = r.line.Run(ctx) })
		running.Go(func() { r.listen(ctx) })
		r.start()
		test(t, r)
		r.stop()
		cancel()
		running.Wait()
	})
}

func (r *rig) listen(ctx context.Context) {
	for {
		select {
		case e := <-r.events:
			r.mu.Lock()
			r.seen = append(r.seen, e)
			r.mu.Unlock()
		case <-ctx.Done():
			return
		}
	}
}

// start runs a new bus, as a new daemon would.
func (r *rig) start() {
	r.bus = osdp.New(osdp.BusConfig{Baud: r.plan.baud, Poll: r.plan.poll, Readers: r.plan.panel, Log: zerolog.Nop()},
		func() (device.Port, error) { return r.line.Open(r.plan.baud) })
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.bus.Run(ctx); !errors.Is(err, context.Canceled) {
			r.t.Errorf("bus: %v", err)
		}
	}()
	r.stop = func() { cancel(); <-done }
}

// restart is the daemon's death and its next life.
func (r *rig) restart() { r.stop(); r.start() }

// all returns the events seen so far.
func (r *rig) all() []device.Event {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]device.Event(nil), r.seen...)
}

// forget drops the events seen so far.
func (r *rig) forget() {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// count counts events of a kind; of a fault, if that is not fault.None.
func (r *rig) count(kind device.EventKind, found fault.Code) int {
	n := 0
	for _, e := range r.all() {
		if e.Kind == kind && (found == fault.None || e.Fault == found) {
			n++
		}
	}
	return n
}

func (r *rig) faults(f fault.Code) int {
	return r.count(device.FaultSeen, f) + r.count(device.WentOffline, f)
}

// until waits for a condition and returns how long that took.
func (r *rig) until(what string, limit time.Duration, ok func() bool) time.Duration {
	r.t.Helper()
	start := time.Now()
	for {
		synctest.Wait()
		if ok() {
			return time.Since(start)
		}
		if time.Since(start) > limit {
			r.t.Fatalf("not %s after %v; events: %s", what, limit, r.story())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// story is the events in a line.
func (r *rig) story() string {
	s := ""
	for _, e := range r.all() {
		s += fmt.Sprintf(" %s:%d", e.Source, e.Kind)
		if e.Fault != fault.None {
			s += "=" + e.Fault.String()
		}
	}
	return s
}

// online waits until all readers are there and secure.
func (r *rig) online(limit time.Duration) time.Duration {
	r.t.Helper()
	return r.until("online", limit, func() bool {
		for _, x := range r.bus.Readers() {
			if s := x.Status(); !s.Online || !s.Secure {
				return false
			}
		}
		return true
	})
}

// settle waits until all readers are there and were told and asked what there is
// at the start.
func (r *rig) settle(limit time.Duration) {
	r.t.Helper()
	r.online(limit)
	time.Sleep(5 * time.Second)
}

// card returns another card each time.
func (r *rig) card() device.Card {
	r.number++
	return device.CardOf(0x2000000|r.number, 26)
}

// swipe holds a card up at a reader and waits for its event. A reader that is
// just rebooting takes the card as soon as it can.
func (r *rig) swipe(i int, limit time.Duration) time.Duration {
	r.t.Helper()
	card := r.card()
	start := time.Now()
	r.until("taking a card", limit, func() bool { return r.readers[i].Present(card) })
	r.until("reading a card", limit-time.Since(start), func() bool { return r.read(i, card) })
	return time.Since(start)
}

func (r *rig) read(i int, card device.Card) bool {
	for _, e := range r.all() {
		if e.Kind == device.CardRead && e.Card == card && e.Source == r.plan.panel[i].Source {
			return true
		}
	}
	return false
}

// cards tells how many cards were read.
func (r *rig) cards() int { return r.count(device.CardRead, fault.None) }

// misbehave strikes once, and waits until it did.
func (r *rig) misbehave(i int, m osdptest.Mishap) {
	r.t.Helper()
	if m.Times == 0 {
		m.Times = 1
	}
	r.readers[i].Misbehave(m)
	r.until("struck by "+m.Fault.String(), 3*time.Second, func() bool { return !r.readers[i].Misbehaves() })
}
