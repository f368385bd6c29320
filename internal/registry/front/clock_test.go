package front

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// machine is the computer of a front: its clock can be set, its time since boot not.
type machine struct {
	mu     sync.Mutex
	wall   time.Time
	boot   time.Duration
	moved  time.Duration
	synced bool
}

func (m *machine) source() agreed.Source {
	get := func(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }
	return agreed.Source{BootID: "boot 1",
		Wall:   func() (t time.Time) { get(func() { t = m.wall.Add(m.moved) }); return t },
		Boot:   func() (d time.Duration) { get(func() { d = m.boot }); return d },
		Synced: func() (ok bool) { get(func() { ok = m.synced }); return ok }}
}

func (m *machine) set(moved, pass time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moved, m.wall, m.boot = moved, m.wall.Add(pass), m.boot+pass
}

// TestFrontDoubtsItsClock: 200 days ahead for a minute. Acks go on, their time is
// the one of before and is marked; lists are taken and sent; entries keep the time
// at which they came; the operator is told; a start does not launder it; and all is
// well when the clock is right again.
func TestFrontDoubtsItsClock(t *testing.T) {
	begin := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	m := &machine{wall: begin, boot: time.Hour}
	s := &scene{rig: newRig(t)}
	s.g = s.gateway("g1", 7)
	run := func() {
		link, make := newMemory()
		s.link = link
		s.front = s.start(Options{Link: make, Clock: m.source()})
	}
	run()
	if _, err := s.front.client.PutHouse(t.Context(), s.house(1, s.g)); err != nil {
		t.Fatal(err)
	}
	greet := func() wire.Ack2 {
		t.Helper()
		s.g.nonce[15]++
		s.link.receive(s.g.say(wire.TypeHello, wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2}}))
		for {
			envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
			s.must(err)
			payload, err := wire.PayloadOf(envelope)
			s.must(err)
			k, err := wire.DecodeAck(2, payload)
			s.must(err)
			if k.Nonce == s.g.nonce { // not that of a batch before
				return k
			}
		}
	}
	if k := greet(); k.NoTime || int64(k.Time) != begin.Unix() {
		t.Fatalf("a good clock: %+v", k)
	}
	m.set(200*24*time.Hour, time.Minute)
	for _, when := range []string{"stepped", "started again"} {
		if k := greet(); !k.NoTime || int64(k.Time) > begin.Add(time.Minute).Unix() {
			t.Errorf("%s: no time %v, %v", when, k.NoTime, time.Unix(int64(k.Time), 0))
		}
		if st, err := s.front.client.Status(t.Context()); err != nil || !strings.Contains(strings.Join(st.Problems, "\n"), "registryd clock confirm") {
			t.Errorf("%s: %v %v", when, st.Problems, err)
		}
		if when == "stepped" {
			s.must(s.front.clock.Save())
			s.front.stop()
			run()
		}
	}
	if p, err := s.front.client.PutList(t.Context(), s.list(1, 3)); err != nil || p.Version != 1 {
		t.Errorf("a list in doubt: %+v %v", p, err)
	}
	s.pass(begin.Add(30*time.Second), 0, wire.ClockNTP, time.Hour)
	s.link.receive(s.g.say(wire.TypeBatch, s.g.batch(0, 1)))
	s.until("the entry is stored", func() bool { return len(s.entries(api.EntryFilter{})) == 1 })
	if e := s.entries(api.EntryFilter{From: begin, To: begin.Add(time.Hour)}); len(e) != 1 || e[0].Unsure || e[0].Received.After(begin.Add(time.Hour)) {
		t.Errorf("the entry of that minute: %+v", e)
	}
	m.set(0, time.Minute)
	if k := greet(); k.NoTime || int64(k.Time) != begin.Add(2*time.Minute).Unix() {
		t.Errorf("right again: %+v", k)
	}
	m.set(-30*24*time.Hour, time.Minute)
	if k := greet(); !k.NoTime {
		t.Errorf("a month back: %+v", k)
	}
	if r, err := s.front.client.ConfirmClock(t.Context()); err != nil || r.Doubt != agreed.None {
		t.Errorf("the operator's word: %+v %v", r, err)
	}
	if k := greet(); k.NoTime || time.Unix(int64(k.Time), 0).After(begin) {
		t.Errorf("after the operator's word: %+v", k)
	}
}

// TestFrontHearsGateways: clocks of gateways with time servers, of five buildings,
// raise doubt; those that rest on the registry's own time say nothing.
func TestFrontHearsGateways(t *testing.T) {
	s := &scene{rig: newRig(t)}
	m := &machine{wall: time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC), boot: time.Hour}
	link, make := newMemory()
	s.link = link
	s.front = s.start(Options{Link: make, Clock: m.source()})
	say := func(building int, wall time.Time, clock wire.ClockQuality, nonce byte) {
		t.Helper()
		g := s.gateway("g1", 7)
		g.place.Building = fmt.Sprint("b", building)
		if _, err := s.front.client.PutHouse(t.Context(), s.house(uint64(nonce)+1, g)); err != nil {
			t.Fatal(err)
		}
		g.nonce[15] = nonce
		h := g.hello()
		h.Wall, h.Clock = wall.UnixMilli(), clock
		link.receive(g.say(wire.TypeHello, h))
		_, err := link.next(g.place.Down(wire.TypeAck), timeout)
		s.must(err)
	}
	month := m.wall.AddDate(0, 1, 0)
	for b := range 6 {
		say(b, month, wire.ClockRegistry, 1)
	}
	if r := s.front.clock.Report(); r.Doubt != agreed.None || r.Voters != 0 {
		t.Errorf("by clocks that rest on the registry's: %+v", r)
	}
	for b := range 4 {
		say(b, month, wire.ClockNTP, 2)
	}
	if r := s.front.clock.Report(); r.Doubt != agreed.None || r.Voters != 4 {
		t.Errorf("by four buildings: %+v", r)
	}
	say(4, month, wire.ClockNTP, 2)
	if r := s.front.clock.Report(); r.Doubt != agreed.Outvoted {
		t.Errorf("by five buildings: %+v", r)
	}
}
