package profile

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/strict"
)

// Board describes a gateway's board.
type Board struct {
	Name     string            `toml:"name" json:"name"`
	Title    string            `toml:"title" json:"title"`
	Tried    bool              `toml:"tried" json:"tried"` // somebody ran Gatehouse on the real board
	Notes    []string          `toml:"notes" json:"notes,omitempty"`
	Sources  map[string]string `toml:"sources" json:"sources"`
	Trees    []string          `toml:"compatible" json:"compatible,omitempty"` // the first word of "compatible" in its device tree
	Chips    []Chip            `toml:"chip" json:"chips,omitempty"`
	Headers  []Header          `toml:"header" json:"headers,omitempty"`
	Relays   []RelayLine       `toml:"relay" json:"relays,omitempty"`
	Outputs  []Outputs         `toml:"outputs" json:"outputs,omitempty"`
	Ports    []SerialPort      `toml:"serial" json:"serial,omitempty"`
	Levels   *Levels           `toml:"levels" json:"levels,omitempty"`
	Clock    *HardwareClock    `toml:"clock" json:"clock,omitempty"`
	Watchdog *Watchdog         `toml:"watchdog" json:"watchdog,omitempty"`
	Wiring   *Wiring           `toml:"wiring" json:"wiring,omitempty"`
}

// Chip is one GPIO chip. The first of a board is the one that its relays are on.
type Chip struct {
	Label   string      `toml:"label" json:"label"`               // as gpiodetect prints it in brackets
	Devices []string    `toml:"devices" json:"devices,omitempty"` // names under /dev that mean this chip and no other
	Lines   int         `toml:"lines" json:"lines"`
	Pulls   []PullRange `toml:"pull" json:"pulls,omitempty"`
	Source  []string    `toml:"source" json:"source"`
}

// PullRange is the level of a range of lines while nobody drives it, from power-on on.
type PullRange struct {
	From   int      `toml:"from" json:"from"`
	To     int      `toml:"to" json:"to"`
	Level  string   `toml:"level" json:"level"` // up or down
	Source []string `toml:"source" json:"source"`
}

// Header is a connector: the pins and their lines.
type Header struct {
	Name   string         `toml:"name" json:"name"`
	Chip   string         `toml:"chip" json:"chip"` // label
	Pins   map[string]int `toml:"pins" json:"pins"` // pin number: line
	Source []string       `toml:"source" json:"source"`
}

// RelayLine is a line that suits a relay: while nobody drives it, the relay is de-energised.
type RelayLine struct {
	Chip   string `toml:"chip" json:"chip"`
	Line   int    `toml:"line" json:"line"`
	Active string `toml:"active" json:"active"` // high or low
	Note   string `toml:"note" json:"note,omitempty"`
}

// Outputs says what happens to a driven line when the program that holds it ends.
type Outputs struct {
	With   string   `toml:"with" json:"with"`               // the system for which this is true
	After  string   `toml:"after_exit" json:"after_exit"`   // pull or kept
	Remedy string   `toml:"remedy" json:"remedy,omitempty"` // what makes "kept" a "pull"
	Source []string `toml:"source" json:"source"`
}

// SerialPort is a UART on the board.
type SerialPort struct {
	Device string   `toml:"device" json:"device"`
	Names  []string `toml:"names" json:"names,omitempty"` // others that mean a UART on the same lines
	Chip   string   `toml:"chip" json:"chip,omitempty"`   // label; with lines
	Lines  []int    `toml:"lines" json:"lines,omitempty"` // TX, RX; none: not on lines of ours
	Pins   string   `toml:"pins" json:"pins,omitempty"`   // where TX and RX are
	Needs  []string `toml:"needs" json:"needs,omitempty"`
	Note   string   `toml:"note" json:"note,omitempty"`
	Source []string `toml:"source" json:"source"`
}

// Levels are the voltages of the lines.
type Levels struct {
	Volts        float64  `toml:"volts" json:"volts"`
	FiveTolerant bool     `toml:"five_volt_tolerant" json:"five_volt_tolerant"`
	Source       []string `toml:"source" json:"source"`
}

// HardwareClock says whether the board knows the time after a power failure.
type HardwareClock struct {
	Present bool     `toml:"present" json:"present"`
	Battery string   `toml:"battery" json:"battery,omitempty"` // what keeps it going
	Source  []string `toml:"source" json:"source"`
}

// Watchdog is the hardware that resets a hanging board.
type Watchdog struct {
	Driver     string   `toml:"driver" json:"driver"`
	MaxSeconds int      `toml:"max_seconds" json:"max_seconds"` // longest time-out that the hardware has
	Note       string   `toml:"note" json:"note,omitempty"`
	Source     []string `toml:"source" json:"source"`
}

// PullOf returns "up", "down", or "" where the profile does not know, for a line of a chip as a
// site file names it.
func (b Board) PullOf(chip string, line int) string {
	c, _ := b.ChipOf(chip)
	for _, r := range c.Pulls {
		if r.From <= line && line <= r.To {
			return r.Level
		}
	}
	return ""
}

// ChipOf finds a chip by its name in a site file: the label or a name under /dev, with or without
// that.
func (b Board) ChipOf(chip string) (Chip, bool) {
	chip = strings.TrimPrefix(chip, "/dev/")
	for _, c := range b.Chips {
		if c.Label == chip || slices.Contains(c.Devices, chip) {
			return c, true
		}
	}
	return Chip{}, false
}

// Labels returns the labels of the chips.
func (b Board) Labels() (list []string) {
	for _, c := range b.Chips {
		list = append(list, c.Label)
	}
	return list
}

// Is reports whether a path names this UART.
func (p SerialPort) Is(path string) bool { return path == p.Device || slices.Contains(p.Names, path) }

// ParseBoard reads a profile strictly. The error lists every fault, each with what to do.
func ParseBoard(raw []byte) (Board, error) {
	var b Board
	if err := parse(raw, &b); err != nil {
		return Board{}, err
	}
	var f strict.Faults
	checkHead(&f, b.Name, b.Title)
	s := newSources(&f, b.Sources)
	chips := map[string]Chip{}
	for _, c := range b.Chips {
		f.If(chips[c.Label].Label != "", "chip %q stands twice", c.Label)
		chips[c.Label] = c
		c.check(&f, s)
	}
	for _, h := range b.Headers {
		h.check(&f, s, chips)
	}
	for _, r := range b.Relays {
		r.check(&f, b)
	}
	b.checkSystem(&f, s)
	b.checkWiring(&f)
	s.done()
	return b, sorted(f)
}

func checkHead(f *strict.Faults, name, title string) {
	f.If(!validName(name), "name = %q: want 1 to 48 of a-z, 0-9 and -, as the file is named", name)
	f.If(title == "", "title is missing: the maker's name of it")
}

func (c Chip) check(f *strict.Faults, s *sources) {
	at := fmt.Sprintf("chip %q", c.Label)
	f.If(c.Label == "", "chip: label is missing: gpiodetect prints it in brackets")
	f.Within(at+": lines", c.Lines, 1, 1024)
	s.cite(at, c.Source...)
	last := -1
	for _, r := range c.Pulls {
		what := fmt.Sprintf("%s: pull of lines %d to %d", at, r.From, r.To)
		f.If(r.From <= last || r.To < r.From || r.To >= c.Lines,
			"%s: ranges must rise, not overlap, and stay below lines = %d", what, c.Lines)
		f.OneOf(what+": level", r.Level, "up", "down")
		s.cite(what, r.Source...)
		last = r.To
	}
}

func (h Header) check(f *strict.Faults, s *sources, chips map[string]Chip) {
	at := fmt.Sprintf("header %q", h.Name)
	c, ok := chips[h.Chip]
	f.If(h.Name == "" || !ok, "%s: chip %q: give a name, and the label of a [[chip]]", at, h.Chip)
	f.If(len(h.Pins) == 0, "%s: pins is missing: {11 = 17} says that pin 11 is line 17", at)
	lines := map[int]bool{}
	for pin, line := range h.Pins {
		f.If(!pinNumber(pin), "%s: pin %q: pins are numbered from 1", at, pin)
		f.If(line < 0 || ok && line >= c.Lines || lines[line],
			"%s: pin %s: line %d: each line of the chip, 0 to %d, is at one pin", at, pin, line, c.Lines-1)
		lines[line] = true
	}
	s.cite(at, h.Source...)
}

func pinNumber(s string) bool {
	return len(s) > 0 && len(s) <= 3 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

// check refuses a relay that the board would energise while nobody drives the
// line: from power-on to start, and after a crash.
func (r RelayLine) check(f *strict.Faults, b Board) {
	at := fmt.Sprintf("relay at %s line %d", r.Chip, r.Line)
	f.OneOf(at+": active", r.Active, "high", "low")
	switch pull := b.PullOf(r.Chip, r.Line); {
	case pull == "":
		f.Add("%s: no [[chip.pull]] says what the line does while nobody drives it: a relay there may release a door at power-on", at)
	case (r.Active == "high") != (pull == "down"):
		f.Add("%s: active = %q with pull %q would energise the relay at power-on and after a crash: name a line with the other pull", at, r.Active, pull)
	}
}

func (p SerialPort) check(f *strict.Faults, b Board) {
	c, ok := b.ChipOf(p.Chip)
	f.If((p.Chip != "" || len(p.Lines) > 0) && (!ok || len(p.Lines) != 2),
		"serial %s: chip and lines: want the label of a [[chip]] and the lines of TX and RX", p.Device)
	for _, line := range p.Lines {
		f.If(ok && (line < 0 || line >= c.Lines), "serial %s: line %d: chip %q has lines 0 to %d", p.Device, line, c.Label, c.Lines-1)
	}
}

func (b Board) checkSystem(f *strict.Faults, s *sources) {
	for _, o := range b.Outputs {
		f.OneOf("outputs: after_exit", o.After, "pull", "kept")
		f.If(o.With == "", "outputs: with is missing: the system that this is true of")
		s.cite("outputs", o.Source...)
	}
	for _, p := range b.Ports {
		f.If(!strings.HasPrefix(p.Device, "/dev/"), "serial: device = %q: want a path under /dev", p.Device)
		p.check(f, b)
		s.cite("serial "+p.Device, p.Source...)
	}
	if l := b.Levels; l != nil {
		f.If(!(l.Volts >= 1 && l.Volts <= 24), "levels: volts = %v: want 1 to 24", l.Volts)
		s.cite("levels", l.Source...)
	}
	if b.Clock != nil {
		s.cite("clock", b.Clock.Source...)
	}
	if w := b.Watchdog; w != nil {
		f.If(w.Driver == "", "watchdog: driver is missing: the kernel's name of it")
		f.Within("watchdog: max_seconds", w.MaxSeconds, 1, 1<<20)
		s.cite("watchdog", w.Source...)
	}
}
