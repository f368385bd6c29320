package gateway

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// coil is an output line that can fail.
type coil struct {
	on, closed bool
	err        error
}

func (c *coil) Set(on bool) error {
	if c.err == nil {
		c.on = on
	}
	return c.err
}
func (c *coil) Close() error { c.closed = true; return nil }

// TestRelay: which act is current depends on the lock; a line that fails is
// asked for anew; the end takes the current away.
func TestRelay(t *testing.T) {
	for _, failSafe := range []bool{true, false} {
		var opened []*coil
		r := &relay{failSafe: failSafe, open: func(device.OutputConfig) (device.Output, error) {
			opened = append(opened, &coil{})
			return opened[len(opened)-1], nil
		}}
		if err := r.request(); err != nil || len(opened) != 1 || opened[0].on {
			t.Fatalf("request: %v, %d lines", err, len(opened))
		}
		if err := r.Secure(); err != nil || opened[0].on != failSafe {
			t.Errorf("fail-safe %v: secured with current %v (%v)", failSafe, opened[0].on, err)
		}
		if err := r.Release(); err != nil || opened[0].on == failSafe {
			t.Errorf("fail-safe %v: released with current %v (%v)", failSafe, opened[0].on, err)
		}
		opened[0].err = errors.New("line is gone")
		if r.Secure() == nil || !opened[0].closed {
			t.Error("a line that fails is kept")
		}
		if err := r.Secure(); err != nil || len(opened) != 2 || opened[1].on != failSafe {
			t.Errorf("the line is not asked for anew: %v", err)
		}
		opened[1].on = true
		if err := r.close(); err != nil || opened[1].on || !opened[1].closed {
			t.Errorf("after the end: current %v, closed %v (%v)", opened[1].on, opened[1].closed, err)
		}
	}
}

// wire1 is one input line whose level a test sets.
type wire1 struct {
	mu     sync.Mutex
	active bool
	err    error
	late   func() // called before a level is read: what happens while we have no turn
	edges  chan device.Edge
	closed chan struct{}
}

func newWire1() *wire1 { return &wire1{edges: make(chan device.Edge, 16), closed: make(chan struct{})} }

func (w *wire1) set(active bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = active
	w.edges <- device.Edge{Active: active}
}

func (w *wire1) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	select {
	case dst[0] = <-w.edges:
		return 1, nil
	case <-w.closed:
		return 0, os.ErrClosed
	case <-time.After(timeout):
		return 0, os.ErrDeadlineExceeded
	}
}

func (w *wire1) Levels(dst []bool) error {
	if w.late != nil {
		w.late()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	dst[0] = w.active
	return w.err
}
func (w *wire1) Close() error { close(w.closed); return nil }

// TestInput: the first state is told, a press at once, its end when the contact
// has settled, and a change whose edge was lost at the next look.
func TestInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line, events := newWire1(), make(chan device.Event, 64)
		in := input{source: "exit", open: func(device.LinesConfig) (device.Lines, error) { return line, nil },
			send: func(e device.Event) { events <- e }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { in.run(ctx); close(done) }()
		told := func(wait time.Duration) (got []device.Event) {
			time.Sleep(wait)
			synctest.Wait()
			for len(events) > 0 {
				got = append(got, <-events)
			}
			return got
		}
		if got := told(0); len(got) != 2 || got[0].Kind != device.CameOnline || got[1].Kind != device.InputChanged || got[1].Active {
			t.Fatalf("at the start: %+v", got)
		}
		line.set(true)
		if got := told(0); len(got) != 1 || !got[0].Active {
			t.Errorf("a press: %+v, want it told at once", got)
		}
		time.Sleep(time.Second)
		for _, level := range []bool{false, true, false, true, false} { // it bounces
			line.set(level)
		}
		if got := told(settle / 2); len(got) != 0 {
			t.Errorf("while it bounces: %+v", got)
		}
		if got := told(settle); len(got) != 1 || got[0].Active {
			t.Errorf("the end of the press: %+v", got)
		}
		line.mu.Lock()
		line.active = true // and the edge is lost
		line.mu.Unlock()
		if got := told(lookEvery + settle); len(got) != 1 || !got[0].Active {
			t.Errorf("a lost edge: %+v", got)
		}
		cancel()
		<-done
	})
}

// TestFlappingInput: a line that opens and can't be read does not fill the log.
func TestFlappingInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		in := input{source: "exit", send: func(device.Event) { n++ }, open: func(device.LinesConfig) (device.Lines, error) {
			w := newWire1()
			w.err = errors.New("no level")
			return w, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		in.run(ctx)
		if n > 2*60*60/int(retryMost/time.Second)+20 {
			t.Errorf("%d events in an hour", n)
		}
	})
}

// TestFire: what sets the latch, what keeps it, and what may reset it.
func TestFire(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fire.latch")
	line := newWire1()
	line.active = true
	open := func(device.LinesConfig) (device.Lines, error) { return line, nil }
	f := newFire(path, true)
	f.input.open = open
	if s, _ := f.Now(); !s.Blind || s.Latched {
		t.Fatalf("before the line was read: %+v", s)
	}
	f.readLine()
	if s, _ := f.Now(); s.Blind || !s.Active || !s.Latched {
		t.Fatalf("a line that is active at the start: %+v", s)
	}
	if err := f.keep(); err != nil {
		t.Fatal(err)
	}
	if err := f.reset(); !errors.Is(err, ErrFireActive) {
		t.Errorf("reset while active: %v", err)
	}
	f.saw(device.Event{Kind: device.WentOffline})
	if err := f.reset(); !errors.Is(err, ErrFireActive) {
		t.Errorf("reset while it can't be read: %v", err)
	}
	f.saw(device.Event{Kind: device.InputChanged})
	f.saw(device.Event{Kind: device.WentOffline})
	if err := f.reset(); !errors.Is(err, ErrFireActive) {
		t.Errorf("reset while it can't be read, and was idle before: %v", err)
	}
	f.saw(device.Event{Kind: device.InputChanged})
	if s, _ := newFire(path, false).Now(); !s.Latched {
		t.Error("the latch is not on disk")
	}
	if err := f.reset(); err != nil {
		t.Fatal(err)
	}
	if s, _ := newFire(path, false).Now(); s.Latched {
		t.Error("the reset is not on disk")
	}
	f.saw(device.Event{Kind: device.InputChanged, Active: true})
	f.saw(device.Event{Kind: device.InputChanged, Active: true})
	f.saw(device.Event{Kind: device.InputChanged})
	f.path = filepath.Join(path, "no", "such", "directory")
	if f.keep() == nil {
		t.Error("a latch that can't be written is no error")
	}
	if f.reset() == nil {
		t.Error("a reset that can't be written is no error")
	}
	if s, err := f.Now(); !s.Latched || err == nil {
		t.Errorf("after a reset that could not be written: %+v, %v", s, err)
	}
	f.path = path
	if err := f.keep(); err != nil {
		t.Errorf("the latch is not tried again: %v", err)
	}
}

// TestBusyInput: a line that another program has is told as that.
func TestBusyInput(t *testing.T) {
	if f := faultOf(device.ErrLineBusy); f != fault.LineBusy || f.Hint() == "" {
		t.Error(f)
	}
}
