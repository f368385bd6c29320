package wiegand

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
)

// wires is a fake request of two lines.
type wires struct {
	mu     sync.Mutex
	queue  []device.Edge
	levels [2]bool
	err    error
	closed bool
	kick   chan struct{}
	seq    uint32
	stall  func() // the scheduler, before and after a read
}

func newWires() *wires { return &wires{kick: make(chan struct{}, 1), stall: func() {}} }

func (w *wires) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *wires) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	w.stall()
	defer w.stall()
	var late <-chan time.Time
	if timeout >= 0 {
		t := time.NewTimer(timeout)
		defer t.Stop()
		late = t.C
	}
	for {
		w.mu.Lock()
		n, err, closed := copy(dst, w.queue), w.err, w.closed
		w.queue = w.queue[n:]
		w.mu.Unlock()
		switch {
		case closed:
			return 0, os.ErrClosed
		case n > 0:
			return n, nil
		case err != nil:
			return 0, err
		}
		select {
		case <-w.kick:
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
}

func (w *wires) Levels(dst []bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	copy(dst, w.levels[:])
	return w.err
}

func (w *wires) Close() error {
	w.change(func() { w.closed = true })
	return nil
}

// rig runs one Reader on fake wires in a synctest bubble.
type rig struct {
	t      *testing.T
	events chan device.Event
	start  time.Time
	stop   func() error

	mu     sync.Mutex
	wires  *wires // what open gives; nil: no chip
	opened []time.Duration
}

func newRig(t *testing.T, w *wires, formats ...string) *rig {
	var cfg Config
	for _, name := range formats {
		cfg.Formats = append(cfg.Formats, format(t, name))
	}
	return newRigOf(t, w, cfg)
}

func newRigOf(t *testing.T, w *wires, cfg Config) *rig {
	g := &rig{t: t, events: make(chan device.Event, 1000), start: time.Now(), wires: w}
	cfg.Source = "front"
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- New(cfg, g.open, g.events).Run(ctx) }()
	g.stop = func() error { cancel(); return <-ended }
	return g
}

func (g *rig) open() (device.Lines, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = append(g.opened, time.Since(g.start))
	if g.wires == nil {
		return nil, os.ErrNotExist
	}
	return g.wires, nil
}

func (g *rig) plug(w *wires) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wires = w
}

// end stops the reader and checks that it closed its lines.
func (g *rig) end() {
	g.t.Helper()
	if err := g.stop(); !errors.Is(err, context.Canceled) {
		g.t.Errorf("Run: %v, want context.Canceled", err)
	}
	if w := g.wires; w != nil && !w.closed {
		g.t.Error("lines left open")
	}
}

// pulse sends one bit now.
func (g *rig) pulse(w *wires, line uint8) {
	w.change(func() {
		w.seq++
		w.queue = append(w.queue, device.Edge{Line: line, Active: true, At: time.Since(g.start), Seq: w.seq})
	})
}

func (g *rig) swipe(w *wires, c device.Card, interval time.Duration) {
	for i := range c.Len() {
		if i > 0 {
			time.Sleep(interval)
		}
		g.pulse(w, c.Bit(i))
	}
}

// keys types on a keypad of kind key4.
func (g *rig) keys(w *wires, keys string) {
	for _, key := range keys {
		v := uint64(strings.IndexRune("0123456789*#", key))
		g.swipe(w, device.CardOf(v, 4), 2*ms)
		time.Sleep(100 * ms)
	}
	synctest.Wait()
}

// all takes all events so far.
func (g *rig) all() (list []device.Event) {
	synctest.Wait()
	for len(g.events) > 0 {
		list = append(list, <-g.events)
	}
	return list
}

// expect takes all events so far and compares them as kind/fault.
func (g *rig) expect(want ...string) []device.Event {
	g.t.Helper()
	got := g.all()
	var names []string
	for _, e := range got {
		names = append(names, nameOf(e))
		if e.Source != "front" {
			g.t.Errorf("source %q", e.Source)
		}
	}
	if !slices.Equal(names, want) {
		g.t.Errorf("at %v: events %v, want %v", time.Since(g.start), names, want)
	}
	return got
}

func nameOf(e device.Event) string {
	switch e.Kind {
	case device.CardRead:
		return "card"
	case device.PINEntered:
		return "PIN " + e.PIN.Digits()
	case device.WentOffline:
		return "offline " + e.Fault.String()
	case device.CameOnline:
		return "online"
	}
	return e.Fault.String()
}
