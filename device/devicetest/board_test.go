package devicetest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// lock is wired fail-safe: the board pulls the line high, low holds the door.
var lines = []devicetest.Line{
	{Name: "d0", Offset: 23, PullUp: true, ActiveLow: true},
	{Name: "d1", Offset: 24, PullUp: true, ActiveLow: true},
	{Name: "contact", Offset: 5},
	{Name: "lock", Offset: 17, Output: true, PullUp: true, ActiveLow: true},
	{Name: "strike", Offset: 18, Output: true, PullUp: true},
}

// changes collects what a board says of its outputs.
type changes struct {
	mu   sync.Mutex
	list []devicetest.Change
}

func (c *changes) add(ch devicetest.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, ch)
}

func (c *changes) take() []devicetest.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

type fatal interface {
	Helper()
	Fatal(...any)
	Error(...any)
}

// connect makes a board and a daemon's side that run until stop.
func connect(t fatal, c *changes) (b *devicetest.Board, r *devicetest.Remote, stop func()) {
	t.Helper()
	config := devicetest.BoardConfig{Chip: "sim0", Lines: lines}
	if c != nil {
		config.Changed = c.add
	}
	b, err := devicetest.NewBoard(config)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	r = devicetest.NewRemote(far)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.Serve(ctx, near); err != nil && !errors.Is(err, context.Canceled) {
			t.Error("board:", err)
		}
	})
	running.Go(func() {
		if err := r.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error("remote:", err)
		}
	})
	return b, r, func() { cancel(); running.Wait() }
}

func readers(both bool) device.LinesConfig {
	return device.LinesConfig{Chip: "sim0", Offsets: []int{23, 24}, ActiveLow: true, BothEdges: both, Consumer: "test"}
}

func open(t fatal, r *devicetest.Remote, c device.LinesConfig) device.Lines {
	t.Helper()
	l, err := r.Lines(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// read waits until n edges have come.
func read(t fatal, l device.Lines, n int) []device.Edge {
	t.Helper()
	var all []device.Edge
	for len(all) < n {
		buf := make([]device.Edge, 3)
		got, err := l.ReadEdges(buf, time.Minute)
		if err != nil {
			t.Fatal("after", len(all), "edges:", err)
		}
		all = append(all, buf[:got]...)
	}
	return all
}

// delivered returns when all edges of so far are at the daemon's side, or were
// lost on the way: an answer comes behind them.
func delivered(t fatal, l device.Lines) {
	t.Helper()
	if err := l.Levels(make([]bool, 2)); err != nil {
		t.Fatal(err)
	}
}

func TestEdges(t *testing.T) {
	b, r, stop := connect(t, nil)
	defer stop()
	active, both := open(t, r, readers(false)), open(t, r, device.LinesConfig{Chip: "sim0", Offsets: []int{5}, BothEdges: true})
	before := b.Now()
	steps := []devicetest.Step{
		{Line: "d1", Active: true, At: before},
		{Line: "d1", Active: true, At: before + 1}, // no change: no edge
		{Line: "contact", Active: true, At: before + 2},
		{Line: "d1", At: before + 3},
		{Line: "d0", Active: true, At: before + 4, Lost: true},
		{Line: "d0", At: before + 5},
		{Line: "contact", At: before + 6},
		{Line: "d0", Active: true, At: before + 7},
	}
	if err := b.Play(steps); err != nil {
		t.Fatal(err)
	}
	want := []device.Edge{{Line: 1, Active: true, At: before, Seq: 1}, {Line: 0, Active: true, At: before + 7, Seq: 3}}
	if got := read(t, active, 2); !slices.Equal(got, want) {
		t.Errorf("idle-to-active edges: %v, want %v", got, want)
	}
	want = []device.Edge{{Active: true, At: before + 2, Seq: 1}, {At: before + 6, Seq: 2}}
	if got := read(t, both, 2); !slices.Equal(got, want) {
		t.Errorf("both edges: %v, want %v", got, want)
	}
	levels := make([]bool, 2)
	if err := active.Levels(levels); err != nil || !levels[0] || levels[1] {
		t.Errorf("levels %v, %v", levels, err)
	}
	if err := active.Levels(make([]bool, 1)); err == nil {
		t.Error("levels of two lines fit into one")
	}
	if err := b.Play([]devicetest.Step{{Line: "d0", At: before}}); err == nil {
		t.Error("time went back")
	}
}

// TestPolarity: a daemon that was told the wrong polarity sees the inverse.
func TestPolarity(t *testing.T) {
	b, r, stop := connect(t, nil)
	defer stop()
	l := open(t, r, device.LinesConfig{Chip: "sim0", Offsets: []int{23, 5}, BothEdges: true})
	levels := make([]bool, 2)
	if err := l.Levels(levels); err != nil || !levels[0] || levels[1] {
		t.Errorf("idle: %v, %v", levels, err)
	}
	if err := b.Pulse("d0", time.Millisecond); err != nil {
		t.Fatal(err)
	}
	got := read(t, l, 2)
	if got[0].Active || !got[1].Active || got[1].At-got[0].At < time.Millisecond {
		t.Errorf("a low pulse read as active-high: %v", got)
	}
	if now := b.Now(); got[1].At > now || now-got[1].At > time.Minute {
		t.Errorf("an edge at %v, now is %v", got[1].At, now)
	}
}

func TestReadEdgesContract(t *testing.T) {
	b, r, stop := connect(t, nil)
	defer stop()
	l := open(t, r, readers(true))
	buf := make([]device.Edge, 4)
	for _, d := range []time.Duration{0, 20 * time.Millisecond} {
		before := time.Now()
		if n, err := l.ReadEdges(buf, d); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(before) < d {
			t.Errorf("nothing within %v: %d, %v after %v", d, n, err, time.Since(before))
		}
	}
	if _, err := l.ReadEdges(nil, -1); err == nil {
		t.Error("read into no room")
	}
	time.AfterFunc(20*time.Millisecond, func() { _ = b.Set("d0", true) })
	if n, err := l.ReadEdges(buf, -1); n != 1 || err != nil {
		t.Errorf("without limit: %d, %v", n, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { l.Close() })
	if n, err := l.ReadEdges(buf, -1); n != 0 || !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed in a blocked read: %d, %v", n, err)
	}
	if _, err := l.ReadEdges(buf, 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
	if err := l.Levels(make([]bool, 2)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("levels after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	open(t, r, readers(true)) // the lines are free again
}

func TestBoardGone(t *testing.T) {
	b, r, stop := connect(t, nil)
	l := open(t, r, readers(true))
	o, err := r.Output(device.OutputConfig{Chip: "sim0", Offset: 17})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Set("d0", true); err != nil {
		t.Fatal(err)
	}
	delivered(t, l)
	stopped := make(chan struct{})
	time.AfterFunc(20*time.Millisecond, func() { stop(); close(stopped) })
	defer func() { <-stopped }()
	buf := make([]device.Edge, 4)
	if n, err := l.ReadEdges(buf, -1); n != 1 || err != nil {
		t.Errorf("an edge from before: %d, %v", n, err)
	}
	if _, err := l.ReadEdges(buf, -1); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("read edges: %v", err)
	}
	if err := l.Levels(make([]bool, 2)); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("levels: %v", err)
	}
	if err := o.Set(true); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("set: %v", err)
	}
	if _, err := r.Lines(readers(true)); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("request: %v", err)
	}
	if err := l.Close(); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("close: %v", err)
	}
}

func TestRequestsRefused(t *testing.T) {
	_, r, stop := connect(t, nil)
	defer stop()
	open(t, r, readers(true))
	if _, err := r.Lines(device.LinesConfig{Chip: "gpiochip9", Offsets: []int{1}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a chip that is not there: %v", err)
	}
	for name, offsets := range map[string][]int{
		"busy": {24}, "unknown": {99}, "an output": {17}, "twice": {5, 5}, "none": {}, "one of two busy": {5, 23},
	} {
		if _, err := r.Lines(device.LinesConfig{Chip: "sim0", Offsets: offsets}); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	open(t, r, device.LinesConfig{Chip: "sim0", Offsets: []int{5}}) // refusals held nothing
	for _, offset := range []int{99, 23, -1} {
		if _, err := r.Output(device.OutputConfig{Chip: "sim0", Offset: offset}); err == nil {
			t.Errorf("output at line %d", offset)
		}
	}
}

func TestNewBoardRefused(t *testing.T) {
	for name, l := range map[string]devicetest.Line{
		"name twice": {Name: "d0", Offset: 1}, "offset twice": {Name: "x", Offset: 23},
		"no name": {Offset: 1}, "negative offset": {Name: "x", Offset: -1},
	} {
		if _, err := devicetest.NewBoard(devicetest.BoardConfig{Lines: append(slices.Clone(lines), l)}); err == nil {
			t.Error(name)
		}
	}
}

// TestOutput: an output goes from its pull to inactive with the request, and
// back with the close; there is no moment of another level.
func TestOutput(t *testing.T) {
	var c changes
	b, r, stop := connect(t, &c)
	defer stop()
	if driven, active := b.Output("strike"); driven || !active {
		t.Errorf("before any request: driven %v, active %v", driven, active)
	}
	o, err := r.Output(device.OutputConfig{Chip: "sim0", Offset: 18})
	if err != nil {
		t.Fatal(err)
	}
	if driven, active := b.Output("strike"); !driven || active {
		t.Errorf("requested: driven %v, active %v", driven, active)
	}
	for _, active := range []bool{true, true, false} {
		if err := o.Set(active); err != nil {
			t.Fatal(err)
		}
		if _, got := b.Output("strike"); got != active {
			t.Errorf("set to %v: %v", active, got)
		}
	}
	for range 2 {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := o.Set(true); !errors.Is(err, os.ErrClosed) {
		t.Errorf("set after close: %v", err)
	}
	var got []devicetest.Change
	for _, ch := range c.take() {
		ch.At = 0
		got = append(got, ch)
	}
	want := []devicetest.Change{
		{Line: "strike", Driven: true}, {Line: "strike", Driven: true, Active: true},
		{Line: "strike", Driven: true}, {Line: "strike", Active: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("the building saw %v, want %v", got, want)
	}
}

// TestConnectionEnds: every output falls to its pull, and another daemon can
// have the lines.
func TestConnectionEnds(t *testing.T) {
	var c changes
	b, r, stop := connect(t, &c)
	open(t, r, readers(true))
	for _, offset := range []int{17, 18} {
		o, err := r.Output(device.OutputConfig{Chip: "sim0", Offset: offset, ActiveLow: offset == 17})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Set(offset == 17); err != nil {
			t.Fatal(err)
		}
	}
	if _, active := b.Output("lock"); !active {
		t.Error("the lock is de-energised")
	}
	stop()
	for line, want := range map[string]bool{"lock": false, "strike": true} {
		if driven, active := b.Output(line); driven || active != want {
			t.Errorf("%s: driven %v, active %v, want its pull: %v", line, driven, active, want)
		}
	}
	if b.Requested("d0") {
		t.Error("d0 is still held")
	}
	near, far := net.Pipe()
	again := devicetest.NewRemote(far)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = b.Serve(ctx, near) })
	running.Go(func() { _ = again.Run(ctx) })
	open(t, again, readers(true))
	if !b.Requested("d0") || b.Requested("contact") {
		t.Error("Requested is wrong")
	}
	cancel()
	running.Wait()
}
