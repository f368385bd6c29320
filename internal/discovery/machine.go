package discovery

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

// Machine is the access to the machine that is inspected.
type Machine struct {
	Root     string // "/", and another directory in tests: proc and dev are looked for below it
	Look     func(ports []string) site.Found
	Port     func(device.PortConfig) (device.Port, error)
	Lines    func(device.LinesConfig) (device.Lines, error)
	Profiles profile.Set
	Log      zerolog.Logger
}

// Request says what to look for.
type Request struct {
	Board  string        // the profile's name; empty: detect
	Ports  []string      // only these ports; none: all of the machine
	Listen time.Duration // how long to listen for cards where nothing answers; 0: not at all
	// Cards makes it listen also at readers that answered, to see to which a card is held.
	Cards bool
	// Told is called with messages for people, by one goroutine at a time; nil: unused.
	Told func(string)
	// Seen is called with the findings whenever there are more, by one goroutine at a time; nil:
	// unused.
	Seen func(Found)
}

// consumer is our name as the user of a line, for the kernel.
const consumer = "gatehouse-setup"

// Discover inspects the machine: where it does not listen, some seconds a port. It listens until
// every place has shown a card, Listen is over, or ctx ends. What can't be inspected is a problem
// in the result. For one goroutine.
func (m Machine) Discover(ctx context.Context, req Request) Found {
	look := &look{Machine: m, ctx: ctx, told: req.Told, seen: req.Seen}
	look.found.Model = m.text("proc/device-tree/model")
	paths := req.Ports
	if len(paths) == 0 {
		paths = m.ports()
	}
	look.found.Machine = m.Look(paths)
	if look.found.Board = req.Board; req.Board == "" {
		look.found.Board = m.boardOf(look.found.Machine.Chips)
	}
	board, _ := m.Profiles.Board(look.found.Board) // none is known: one without wiring
	if len(req.Ports) == 0 {
		look.boardPorts(board)
	}
	if board.Wiring != nil {
		look.inputs(board.Wiring)
	}
	look.show()
	deaf := look.ask()
	if req.Listen > 0 {
		look.listen(req.Listen, deaf, board.Wiring, req.Cards)
	}
	return look.result(deaf)
}

// look is one run of Discover.
type look struct {
	Machine
	ctx context.Context

	mu    sync.Mutex
	told  func(string)
	seen  func(Found)
	found Found
}

// show passes the present findings on.
func (l *look) show() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.showLocked()
}

func (l *look) showLocked() {
	if l.seen == nil {
		return
	}
	f := l.found
	f.Readers, f.Inputs, f.Problems = slices.Clone(f.Readers), slices.Clone(f.Inputs), slices.Clone(f.Problems)
	l.seen(f)
}

// heard adds a reader that answered.
func (l *look) heard(all ...Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found.Readers = append(l.found.Readers, all...)
	for _, r := range all {
		if l.told != nil {
			l.told(fmt.Sprintf("%s%s", r, r.more()))
		}
	}
	if len(all) > 0 {
		l.showLocked()
	}
}

// held notes that a card was held to a found reader.
func (l *look) held(r Reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.found.Readers, func(f Reader) bool { return f.Type == r.Type && place(f) == place(r) })
	if i < 0 || l.found.Readers[i].Card {
		return
	}
	l.found.Readers[i].Card = true
	if l.told != nil {
		l.told(fmt.Sprintf("%s: a card was held to it", r))
	}
	l.showLocked()
}

func (l *look) problem(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found.Problems = append(l.found.Problems, fmt.Sprintf(format, args...))
}

// result sorts the findings, so that the order is the same each time.
func (l *look) result(deaf []string) Found {
	for _, path := range deaf {
		if !slices.ContainsFunc(l.found.Readers, func(r Reader) bool { return r.Port == path }) {
			l.found.Silent = append(l.found.Silent, path)
		}
	}
	slices.SortStableFunc(l.found.Readers, func(a, b Reader) int { return strings.Compare(place(a), place(b)) })
	slices.Sort(l.found.Problems)
	l.found.Problems = slices.Compact(l.found.Problems)
	return l.found
}

// place returns where a reader is connected; those on lines come first.
func place(r Reader) string {
	if r.D0 != nil {
		return fmt.Sprintf(" %04d", *r.D0)
	}
	address := 0
	if r.Address != nil {
		address = *r.Address
	}
	return fmt.Sprintf("%s %04d", r.Port, address)
}

// text reads a file of the device tree; empty where there is none.
func (m Machine) text(path string) string {
	raw, _ := os.ReadFile(filepath.Join(m.Root, path))
	return strings.Trim(string(raw), "\x00")
}

// boardOf finds the profile of the board: by its name in the device tree, or else by a chip that
// only one profile has.
func (m Machine) boardOf(chips []site.FoundChip) string {
	trees := strings.Split(m.text("proc/device-tree/compatible"), "\x00")
	all, _ := m.Profiles.List() // a directory that can't be read has no profile for us
	var byTree, byChip []string
	for _, e := range all {
		b, err := m.Profiles.Board(e.Name)
		if e.Kind != profile.Boards || err != nil {
			continue
		}
		if slices.ContainsFunc(b.Trees, func(t string) bool { return slices.Contains(trees, t) }) {
			byTree = append(byTree, e.Name)
		}
		if slices.ContainsFunc(chips, func(c site.FoundChip) bool { return slices.Contains(b.Labels(), c.Label) }) {
			byChip = append(byChip, e.Name)
		}
	}
	switch {
	case len(byTree) > 0:
		return byTree[0]
	case len(byChip) == 1:
		return byChip[0]
	}
	return ""
}

// portPatterns are the names of serial ports, those that stay the same first.
var portPatterns = []string{"dev/serial/by-id/*", "dev/serial/by-path/*", "dev/ttyAMA*", "dev/ttyUSB*", "dev/ttyACM*"}

// ports lists each serial port once, by its best name.
func (m Machine) ports() (list []string) {
	seen := map[string]bool{}
	for _, pattern := range portPatterns {
		names, _ := filepath.Glob(filepath.Join(m.Root, pattern)) // the patterns are right
		for _, name := range names {
			real, err := filepath.EvalSymlinks(name)
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			list = append(list, name)
		}
	}
	return list
}

// boardPorts adds the UARTs that the board's profile names and no pattern does.
func (l *look) boardPorts(b profile.Board) {
	known := map[string]bool{}
	for _, p := range l.found.Machine.Ports {
		known[p.TTY] = true
	}
	var more []string
	for _, p := range b.Ports {
		path := filepath.Join(l.Root, p.Device)
		if _, err := os.Stat(path); err == nil && !known[filepath.Base(path)] {
			more = append(more, path)
		}
	}
	if len(more) > 0 {
		l.found.Machine.Ports = append(l.found.Machine.Ports, l.Look(more).Ports...)
	}
}

// inputs reads the levels of the lines that the wiring has as inputs.
func (l *look) inputs(w *profile.Wiring) {
	i := slices.IndexFunc(l.found.Machine.Chips, func(c site.FoundChip) bool { return c.Label == w.Chip })
	if i < 0 {
		l.problem("no GPIO chip with the label %q is here: call it by sudo, or see whether the kernel has the driver: ls /dev/gpiochip*", w.Chip)
		return
	}
	for _, in := range w.Inputs() {
		high, err := l.level(w.Chip, in.Line)
		if err != nil {
			l.problem("%s: %v", in.Name, err)
			continue
		}
		l.found.Inputs = append(l.found.Inputs, Input{Name: in.Name, Chip: w.Chip, Line: in.Line, High: high})
	}
}

// ExitButton is the place of an exit button.
type ExitButton struct {
	Name string // as profile.Wiring names it
	site.Input
}

// ExitButtons returns those of the wiring of a board's profile; none where this machine has not its chip,
// or the board is not known. board is the profile's name; empty: as it is detected.
func (m Machine) ExitButtons(board string) (all []ExitButton) {
	chips := m.Look(nil).Chips
	if board == "" {
		board = m.boardOf(chips)
	}
	known, err := m.Profiles.Board(board)
	if err != nil || known.Wiring == nil || !slices.ContainsFunc(chips, func(c site.FoundChip) bool { return c.Label == known.Wiring.Chip }) {
		return nil
	}
	for i, d := range known.Wiring.Doors {
		all = append(all, ExitButton{fmt.Sprintf("door %d exit", i+1), site.ExitAt(known.Wiring.Chip, d.Exit)})
	}
	return all
}

// level reads one line, pulled up as it will be.
func (l *look) level(chip string, line int) (bool, error) {
	lines, err := l.Lines(device.LinesConfig{Chip: chip, Offsets: []int{line}, Bias: device.BiasPullUp, BothEdges: true, Consumer: consumer})
	if err != nil {
		return false, err
	}
	defer lines.Close()
	var high [1]bool
	if err := lines.Levels(high[:]); err != nil {
		return false, err
	}
	return high[0], nil
}
