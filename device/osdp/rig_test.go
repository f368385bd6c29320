package osdp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/osdptest"
	"gatehouse/device/osdp/protocol"
)

// store is a KeyStore in memory that can fail.
type store struct {
	mu    sync.Mutex
	keys  Keys
	saves int
	load  error
	fail  func(n int) error // before save n, from 1
}

func (s *store) Load() (Keys, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.load
}

func (s *store) Save(k Keys) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves++
	if s.fail != nil {
		if err := s.fail(s.saves); err != nil {
			return err
		}
	}
	s.keys = k
	return nil
}

func (s *store) now() Keys { k, _ := s.Load(); return k }

// testKey is a made-up key, another for each n.
func testKey(n byte) protocol.Key {
	return protocol.Key{0x7A, 0x0C, 0x55, 0xE1, 0x93, 0x0F, 0x4B, 0x22, 0x88, 0xD6, 0x1C, 0xA9, 0x7E, 0x33, 0x41, n}
}

func wired(k protocol.Key) *[16]byte { raw := [16]byte(k); return &raw }

func testCard(n int) device.Card { return device.CardOf(uint64(n)<<1|1, 26) }

// rig is a bus with its readers and all that it told.
type rig struct {
	t      testing.TB
	line   *osdptest.Line
	peers  []*osdptest.Reader
	bus    *Bus
	events chan device.Event
	cancel context.CancelFunc
	done   sync.WaitGroup
	ended  error

	mu  sync.Mutex
	got []device.Event
}

// pair is a reader and what the bus knows of it.
type pair struct {
	peer  osdptest.Config
	panel ReaderConfig
}

// keyed is a reader that has its key, and the panel has it too.
func keyed(address byte) pair {
	key := testKey(address)
	return pair{
		osdptest.Config{Address: address, Key: wired(key), Enforce: true, Serial: uint32(address)},
		ReaderConfig{Source: fmt.Sprintf("reader %d", address), Address: address, Keys: &store{keys: Keys{Current: &key}}},
	}
}

// bare is a reader without secure channel that is configured so.
func bare(address byte) pair {
	p := keyed(address)
	p.peer.Key, p.peer.Enforce = nil, false
	p.panel.ClearText, p.panel.Keys = true, nil
	return p
}

// boxed is a reader as it leaves the box, and a panel without key.
func boxed(address byte) pair {
	p := keyed(address)
	p.peer.Key, p.peer.Install = nil, true
	p.panel.Keys = &store{}
	return p
}

const testBaud = 9600

// build makes a rig; run starts it.
func build(t testing.TB, pairs ...pair) *rig {
	g := &rig{t: t, events: make(chan device.Event, 64)}
	c := BusConfig{Baud: testBaud}
	for _, p := range pairs {
		p.peer.Baud = testBaud
		g.peers = append(g.peers, osdptest.NewReader(p.peer))
		if p.panel.Events == nil {
			p.panel.Events = g.events
		}
		c.Readers = append(c.Readers, p.panel)
	}
	g.line = osdptest.NewLine(g.peers...)
	g.line.WireTime = true
	g.bus = New(c, func() (device.Port, error) { return g.line.Open(testBaud) })
	return g
}

func (g *rig) run() *rig {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	g.done.Go(func() { _ = g.line.Run(ctx) })
	g.done.Go(func() { g.ended = g.bus.Run(ctx) })
	g.done.Go(func() {
		for {
			select {
			case e := <-g.events:
				g.mu.Lock()
				g.got = append(g.got, e)
				g.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	})
	return g
}

// stop ends all and waits for it.
func (g *rig) stop() {
	g.cancel()
	g.done.Wait()
	if !errors.Is(g.ended, context.Canceled) {
		g.t.Errorf("the bus ended by %v", g.ended)
	}
}

// says names an event.
func says(e device.Event) string {
	names := map[device.EventKind]string{
		device.CardRead: "card", device.FaultSeen: "seen", device.WentOffline: "offline", device.CameOnline: "online",
		device.PINEntered: "PIN", device.FaultCleared: "cleared", device.InstallOpened: "opened",
		device.InstallClosed: "closed", device.KeySent: "sent", device.KeyProved: "proved", device.KeyFailed: "failed",
	}
	if e.Fault != fault.None {
		return names[e.Kind] + " " + e.Fault.String()
	}
	return names[e.Kind]
}

// heard returns what was told since the last call.
func (g *rig) heard() []string {
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, e := range g.got {
		all = append(all, says(e))
	}
	g.got = nil
	return all
}

// expect waits and wants just these events.
func (g *rig) expect(after time.Duration, want ...string) {
	g.t.Helper()
	time.Sleep(after)
	if got := g.heard(); !slices.Equal(got, want) {
		g.t.Errorf("heard [%s], want [%s]", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// cards counts the cards among what was told.
func cards(heard []string) (n int) {
	for _, h := range heard {
		if h == "card" {
			n++
		}
	}
	return n
}

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// rounds is how often a test repeats itself: an emulator of another machine, which
// runs the short tests, takes minutes for what takes a second here.
func rounds(all, short int) int {
	if testing.Short() {
		return short
	}
	return all
}
