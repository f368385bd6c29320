package gpio

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/warthog618/go-gpiosim"
	"golang.org/x/sys/unix"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
)

const ms, us = time.Millisecond, time.Microsecond

// Offsets on the simulated chip.
const (
	d0, d1 = 2, 3
	relay  = 5
)

// missing ends a test that can't run here: it skips loudly, or fails where
// GATEHOUSE_REQUIRE names what is missing.
func missing(t testing.TB, part, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), part) {
		t.Fatalf("needs %s: %s", part, why)
	}
	t.Skipf("SKIP (needs %s): %s", part, why)
}

func needSim(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/config/gpio-sim"); err != nil {
		missing(t, "gpio", "no gpio-sim in this kernel; run with -exec internal/testkernel/run-in-uml")
	}
}

// needVirtualTime is for tests of exact times.
func needVirtualTime(t testing.TB) {
	t.Helper()
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(cmdline), "time-travel") {
		missing(t, "virtual-time", "sleeps are not exact; run with -exec \"internal/testkernel/run-in-uml -T\"")
	}
}

// chip is a simulated chip of 8 lines.
type chip struct {
	*gpiosim.Chip
	t    testing.TB
	sim  *gpiosim.Sim
	pull map[int]int // descriptors of the pull attributes
}

func newChip(t testing.TB, label string) *chip {
	t.Helper()
	needSim(t)
	s, err := gpiosim.NewSim(gpiosim.WithBank(gpiosim.NewBank(label, 8)))
	if err != nil {
		t.Fatal(err)
	}
	c := &chip{Chip: &s.Chips[0], t: t, sim: s, pull: make(map[int]int)}
	t.Cleanup(c.unplug)
	return c
}

// unplug takes the chip away; more than once does no harm.
func (c *chip) unplug() {
	for offset, fd := range c.pull {
		_ = unix.Close(fd)
		delete(c.pull, offset)
	}
	if c.sim != nil {
		c.sim.Close()
		c.sim = nil
	}
}

// set pulls a line up or down with one write.
func (c *chip) set(offset int, up bool) {
	fd, ok := c.pull[offset]
	if !ok {
		path := fmt.Sprintf("/sys/devices/platform/*/%s/sim_gpio%d/pull", c.ChipName(), offset)
		found, err := filepath.Glob(path)
		if err != nil || len(found) != 1 {
			c.t.Fatalf("%s: %v %v", path, found, err)
		}
		if fd, err = unix.Open(found[0], unix.O_WRONLY|unix.O_CLOEXEC, 0); err != nil {
			c.t.Fatal(err)
		}
		c.pull[offset] = fd
	}
	level := "pull-down"
	if up {
		level = "pull-up"
	}
	if _, err := unix.Pwrite(fd, []byte(level), 0); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chip) want(offset, level int, when string) {
	c.t.Helper()
	if got, err := c.Level(offset); err != nil || got != level {
		c.t.Errorf("%s: level %d, %v; want %d", when, got, err, level)
	}
}

// nap sleeps by the kernel's own timer: Go's rounds to milliseconds when idle.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&ts, &ts) == unix.EINTR {
	}
}

// pulse is one bit: the line falls for 50 us. A guest that was held up for so long
// that a frame may fall in two proves nothing; in virtual time that can't be.
func (c *chip) pulse(offset int, interval time.Duration) {
	c.t.Helper()
	c.bit(offset, false, interval)
}

// bit is one bit of a reader whose lines are down or up while it tells it.
func (c *chip) bit(offset int, active bool, interval time.Duration) {
	c.t.Helper()
	start := time.Now()
	c.set(offset, active)
	nap(50 * us)
	c.set(offset, !active)
	nap(interval - 50*us)
	if took := time.Since(start); took > wiegand.MinGap-2*ms { // the longest interval is 20 ms
		missing(c.t, "quiet", fmt.Sprintf("a bit of %v took the sender %v", interval, took))
	}
}

// frame sends a card on two lines.
func (c *chip) frame(card device.Card, zero, one int, interval time.Duration) {
	c.t.Helper()
	for i := range card.Len() {
		c.pulse([]int{zero, one}[card.Bit(i)], interval)
	}
}

// wires is how a site file would ask for D0 and D1.
func wires(chip string) device.LinesConfig {
	return device.LinesConfig{Chip: chip, Offsets: []int{d0, d1}, ActiveLow: true, Bias: device.BiasPullUp, Consumer: "gatehouse test"}
}

// reader is a running wiegand.Reader on the real lines of a chip. Its events
// are handed over one by one: while nobody takes them, edges wait in the kernel.
type reader struct {
	t      testing.TB
	events chan device.Event
}

func newReader(t testing.TB, cfg device.LinesConfig, formats ...string) *reader {
	t.Helper()
	var conf wiegand.Config
	for _, name := range formats {
		f, ok := wiegand.Lookup(name)
		if !ok {
			t.Fatalf("no format %s", name)
		}
		conf.Formats = append(conf.Formats, f)
	}
	return run(t, cfg, conf)
}

// run starts a reader, and ends it with the test.
func run(t testing.TB, cfg device.LinesConfig, conf wiegand.Config) *reader {
	t.Helper()
	// Real time in a guest may stretch any interval: the longest gap there is.
	conf.Source, conf.Gap = "front", wiegand.MaxGap
	r := &reader{t: t, events: make(chan device.Event)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	open := func() (device.Lines, error) { return OpenLines(cfg) }
	go func() { ended <- wiegand.New(conf, open, r.events).Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

// next takes one event and checks what it is.
func (r *reader) next(kind device.EventKind, found fault.Code) device.Event {
	r.t.Helper()
	select {
	case e := <-r.events:
		if e.Kind != kind || e.Fault != found {
			r.t.Fatalf("event %d %v, want %d %v", e.Kind, e.Fault, kind, found)
		}
		return e
	case <-time.After(20 * time.Second):
		r.t.Fatalf("no event, want %d %v", kind, found)
	}
	return device.Event{}
}

func (r *reader) card(want device.Card) {
	r.t.Helper()
	if e := r.next(device.CardRead, fault.None); e.Card != want {
		r.t.Errorf("another card than the one sent, of %d bits", e.Card.Len())
	}
}

func card(t testing.TB, format string, facility, number uint64) device.Card {
	t.Helper()
	f, ok := wiegand.Lookup(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	c, err := f.Encode(wiegand.Fields{Facility: facility, Card: number, HasFacility: facility > 0})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
