package site

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/profile"
	"gatehouse/internal/strict"
)

type use struct {
	what string // "front relay"
	chip string // as the file names it, without /dev
	line int
}

// uses returns all lines, in the order of the file.
func (s *Site) uses() (all []use) {
	add := func(what, chip string, line *int) {
		if line != nil {
			all = append(all, use{what, strings.TrimPrefix(chip, "/dev/"), *line})
		}
	}
	input := func(what string, in *Input) {
		if in != nil {
			add(what, in.Chip, in.Line)
		}
	}
	input("fire", s.Fire)
	for _, d := range s.Doors {
		add(d.ID+" relay", d.Relay.Chip, d.Relay.Line)
		input(d.ID+" exit", d.Exit)
		input(d.ID+" contact", d.Contact)
		if d.Signal != nil {
			add(d.ID+" signal", d.Signal.Chip, d.Signal.Line)
		}
		for i := range d.Readers {
			r := &d.Readers[i]
			me := d.ID + " " + r.ID
			add(me+" d0", r.Chip, r.D0)
			add(me+" d1", r.Chip, r.D1)
			for _, o := range r.outputs() {
				add(me+" "+o.name, o.Chip, o.Line)
			}
		}
	}
	return all
}

// uartUses returns the lines of the board's UARTs that the site file names as ports or, with
// others, of those that it does not name.
func (s *Site) uartUses(b profile.Board, others bool) (all []use) {
	for _, p := range b.Ports {
		if slices.ContainsFunc(s.Ports(), p.Is) == others || len(p.Lines) != 2 {
			continue
		}
		for i, pin := range []string{"TX", "RX"} {
			all = append(all, use{fmt.Sprintf("the %s pin of %s", pin, p.Device), p.Chip, p.Lines[i]})
		}
	}
	return all
}

// checkLines refuses lines that the board does not have, and a line in two places, by whichever of
// its names.
func (s *Site) checkLines(f *strict.Faults) {
	b := s.board()
	all := s.uses()
	checkChips(f, b, all)
	type place struct {
		chip string
		line int
	}
	used := map[place]use{}
	for _, u := range append(all, s.uartUses(b, false)...) {
		at := place{u.chip, u.line}
		if c, ok := b.ChipOf(u.chip); ok {
			at.chip = c.Label
		}
		if other, ok := used[at]; ok {
			name := ""
			if other.chip != u.chip {
				name = fmt.Sprintf(" (the same chip as %s)", u.chip)
			}
			f.Add("%s line %d%s is used for %s and for %s: give one of them another line%s", other.chip, u.line, name, other.what, u.what, relayLines(b, other, u))
			continue
		}
		used[at] = u
	}
}

// relayLines describes the board's lines for relays, where one of the uses is a relay.
func relayLines(b profile.Board, uses ...use) string {
	var lines []string
	for _, r := range b.Relays {
		lines = append(lines, fmt.Sprint(r.Line))
	}
	isRelay := func(u use) bool { return strings.HasSuffix(u.what, " relay") }
	if len(lines) == 0 || !slices.ContainsFunc(uses, isRelay) {
		return ""
	}
	return fmt.Sprintf("; for a relay this board has %s", strings.Join(lines, ", "))
}

// sysfsBase is where the numbers of /sys/class/gpio begin on kernels since 6.6, for the first chip;
// the character device counts each chip's lines from 0.
const sysfsBase = 512

// checkChips refuses a chip that is not on the board's header, and a line that the chip lacks, as
// far as the profile knows.
func checkChips(f *strict.Faults, b profile.Board, all []use) {
	told := map[string]bool{}
	for _, u := range all {
		c, ok := b.ChipOf(u.chip)
		switch {
		case !ok && len(b.Headers) > 0 && strings.HasPrefix(u.chip, "gpiochip") && !told[u.chip]:
			told[u.chip] = true
			f.Add("%s: chip = %q: that name may mean another chip of a %s than the one of its header: write the chip's label, chip = %q, wherever it stands",
				u.what, u.chip, b.Title, strings.Join(b.Labels(), `" or "`))
		case ok && u.line >= c.Lines:
			hint := ""
			if n := u.line - sysfsBase; n >= 0 && n < c.Lines {
				hint = fmt.Sprintf("; %d is a number of /sys/class/gpio, %d + %d: write line = %d", u.line, sysfsBase, n, n)
			}
			f.Add("%s: line = %d: chip %q has lines 0 to %d%s", u.what, u.line, u.chip, c.Lines-1, hint)
		}
	}
}

// uartRemarks warns of outputs on the pins of a UART that the site file does not use: a console
// would write there.
func (s *Site) uartRemarks() (list []string) {
	b := s.board()
	uarts := s.uartUses(b, true)
	for _, u := range s.uses() {
		c, ok := b.ChipOf(u.chip)
		if !ok || !strings.HasSuffix(u.what, " relay") {
			continue
		}
		for _, p := range uarts {
			if p.chip == c.Label && p.line == u.line {
				list = append(list, fmt.Sprintf("%s is on %s: a console there, as many systems have it, would move it: give it another line%s, or see that nothing enables that UART", u.what, p.what, relayLines(b, u)))
			}
		}
	}
	return list
}

// Label returns the label of a GPIO chip by any name that the site file uses; empty where no
// profile knows it.
func (s *Site) Label(chip string) string {
	c, _ := s.board().ChipOf(chip)
	return c.Label
}
