package gpio

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"gatehouse/device"
)

func open(t *testing.T, cfg device.LinesConfig) device.Lines {
	t.Helper()
	l, err := OpenLines(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestChipNames(t *testing.T) {
	c := newChip(t, "by-label")
	for _, name := range []string{c.DevPath(), c.ChipName(), "by-label"} {
		l, err := OpenLines(wires(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"/dev/gpiochip999", "gpiochip999", "no-such-label"} {
		if _, err := OpenLines(wires(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want fs.ErrNotExist", name, err)
		}
	}
	newChip(t, "by-label")
	if _, err := OpenLines(wires("by-label")); err == nil || !strings.Contains(err.Error(), "both") {
		t.Errorf("two chips of one label: %v", err)
	}
}

func TestRefused(t *testing.T) {
	c := newChip(t, "refused")
	open(t, wires(c.DevPath()))
	for name, cfg := range map[string]device.LinesConfig{
		"no chip":     {Offsets: []int{0}},
		"no chip dev": {Chip: "/dev/null", Offsets: []int{0}},
		"no lines":    {Chip: c.DevPath()},
		"65 lines":    {Chip: c.DevPath(), Offsets: make([]int, 65)},
		"negative":    {Chip: c.DevPath(), Offsets: []int{-1}},
		"too high":    {Chip: c.DevPath(), Offsets: []int{8}},
		"twice":       {Chip: c.DevPath(), Offsets: []int{1, 1}},
		"in use":      {Chip: c.DevPath(), Offsets: []int{d0}},
	} {
		if _, err := OpenLines(cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
		if len(cfg.Offsets) == 1 {
			if _, err := OpenOutput(device.OutputConfig{Chip: cfg.Chip, Offset: cfg.Offsets[0]}); err == nil {
				t.Errorf("%s: opened as output", name)
			}
		}
	}
}

// Polarity and bias: what is active, and at which change an edge is reported.
func TestInputs(t *testing.T) {
	for _, c := range []struct {
		name      string
		bias      device.Bias
		activeLow bool
		both      bool
		idle      bool // level of the wire at rest
		want      []bool
	}{
		{"contact to ground", device.BiasPullUp, true, true, true, []bool{true, false, true, false}},
		{"contact to plus", device.BiasPullDown, false, true, false, []bool{true, false, true, false}},
		{"pulses to ground", device.BiasPullUp, true, false, true, []bool{true, true}},
		{"pulses to plus", device.BiasPullDown, false, false, false, []bool{true, true}},
		{"no bias", device.BiasDisabled, true, true, true, []bool{true, false, true, false}},
		{"bias as it is", device.BiasAsIs, true, true, true, []bool{true, false, true, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			chip := newChip(t, "inputs")
			chip.set(relay, c.idle)
			l := open(t, device.LinesConfig{Chip: "inputs", Offsets: []int{relay}, ActiveLow: c.activeLow, Bias: c.bias, BothEdges: c.both})
			var got []device.Edge
			for range 2 {
				for _, up := range []bool{!c.idle, c.idle} {
					chip.set(relay, up)
					wantLevel(t, l, up != c.idle)
					got = append(got, drain(t, l)...)
				}
			}
			if len(got) != len(c.want) {
				t.Fatalf("%d edges, want %d", len(got), len(c.want))
			}
			for i, e := range got {
				if e.Active != c.want[i] || e.Line != 0 || e.Seq != uint32(i+1) || i > 0 && e.At <= got[i-1].At {
					t.Errorf("edge %d is %+v", i, e)
				}
			}
		})
	}
}

func wantLevel(t *testing.T, l device.Lines, want bool) {
	t.Helper()
	levels := []bool{!want}
	if err := l.Levels(levels); err != nil || levels[0] != want {
		t.Errorf("level %v, %v; want %v", levels[0], err, want)
	}
	if err := l.Levels(make([]bool, 2)); err == nil {
		t.Error("levels of more lines than there are")
	}
}

// drain takes what is there. The interrupt's thread may need a moment.
func drain(t *testing.T, l device.Lines) (got []device.Edge) {
	t.Helper()
	var buf [3]device.Edge
	for {
		n, err := l.ReadEdges(buf[:], 100*ms)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
}

func TestReadEdges(t *testing.T) {
	c := newChip(t, "waits")
	l := open(t, wires(c.DevPath()))
	var buf [64]device.Edge
	for _, timeout := range []time.Duration{0, 30 * ms} {
		start := time.Now()
		n, err := l.ReadEdges(buf[:], timeout)
		if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < timeout {
			t.Errorf("no edge, timeout %v: %d, %v after %v", timeout, n, err, time.Since(start))
		}
	}
	for _, offset := range []int{d1, d0, d1} {
		c.pulse(offset, ms)
	}
	nap(100 * ms)
	n, err := l.ReadEdges(buf[:], 0) // what waits is there without waiting
	if err != nil || n != 3 {
		t.Fatalf("%d edges, %v; want 3", n, err)
	}
	for i, line := range []uint8{1, 0, 1} {
		if e := buf[i]; e.Line != line || !e.Active || e.Seq != uint32(i+1) {
			t.Errorf("edge %d is %+v", i, e)
		}
	}
	if _, err := l.ReadEdges(nil, 0); err == nil {
		t.Error("read into nothing")
	}
}

func TestCloseFreesReader(t *testing.T) {
	c := newChip(t, "closing")
	l := open(t, wires(c.DevPath()))
	freed := make(chan error)
	go func() {
		_, err := l.ReadEdges(make([]device.Edge, 1), -1)
		freed <- err
	}()
	time.Sleep(50 * ms)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-freed; !errors.Is(err, os.ErrClosed) {
		t.Errorf("blocked read: %v, want os.ErrClosed", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := l.ReadEdges(make([]device.Edge, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := l.Levels(make([]bool, 2)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("levels after Close: %v", err)
	}
	open(t, wires(c.DevPath())) // free again
}

func TestLinesUnplugged(t *testing.T) {
	c := newChip(t, "going")
	l := open(t, wires("going"))
	c.unplug()
	if err := l.Levels(make([]bool, 2)); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("levels: %v, want ErrUnplugged", err)
	}
	if _, err := l.ReadEdges(make([]device.Edge, 1), ms); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("read: %v, want ErrUnplugged", err)
	}
}

// The chip goes while somebody waits: told no later than the timeout.
func TestUnpluggedWhileWaiting(t *testing.T) {
	c := newChip(t, "going")
	l := open(t, wires("going"))
	got := make(chan error)
	go func() {
		// Far longer than a busy machine needs to take the chip away.
		_, err := l.ReadEdges(make([]device.Edge, 1), 5*time.Second)
		got <- err
	}()
	time.Sleep(100 * ms)
	c.unplug()
	if err := <-got; !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("read: %v, want ErrUnplugged", err)
	}
}

// One line's thread may overtake another's: a batch comes out in the order of
// the interrupts, also when the sequence wraps.
func TestOrder(t *testing.T) {
	edges := []device.Edge{{Seq: 4294967294}, {Seq: 1}, {Seq: 4294967295}, {Seq: 0}, {Seq: 2}}
	order(edges)
	for i, want := range []uint32{4294967294, 4294967295, 0, 1, 2} {
		if edges[i].Seq != want {
			t.Errorf("place %d: %d, want %d", i, edges[i].Seq, want)
		}
	}
}
