package site

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Remarks returns what is no fault of a site file, but should be known by whoever wires the
// building: what the board does when the daemon is gone, which readers' keys can't be used, and
// which readers' lines are not protected.
func (s *Site) Remarks() []string {
	list := append(s.boardRemarks(), s.uartRemarks()...)
	var open []string
	for door, r := range s.readers() {
		list = append(list, s.readerRemarks(door, r)...)
		if r.about == nil && (r.Type != TypeOSDP && r.Type != TypeCode || r.Security == SecurityNone) {
			open = append(open, r.Name(door))
		}
	}
	if len(open) > 0 {
		list = append(list, "nothing protects the lines of these readers, whoever reaches the wires can read cards and send them again: "+strings.Join(open, ", "))
	}
	return list
}

func (s *Site) boardRemarks() (list []string) {
	b := s.board()
	for _, o := range b.Outputs {
		if o.After != "kept" {
			continue
		}
		remedy := cmp.Or(o.Remedy, "no remedy is known but the service manager's")
		list = append(list, fmt.Sprintf("%s with %s keeps a relay as it is when the daemon dies: %s. Let the service manager run gatehoused secure after a stop", b.Title, o.With, remedy))
	}
	return list
}

// readerRemarks returns the warnings of a reader's profile, and what is wrong with its key, which a
// user without read permission is not told.
func (s *Site) readerRemarks(door string, r *Reader) (list []string) {
	if r.about != nil {
		for _, w := range r.about.Warnings {
			list = append(list, fmt.Sprintf("reader %s (%s): %s", r.Name(door), r.about.Title, w))
		}
	}
	if r.Keypad != nil && r.PIN == "" && r.Direction == "in" {
		list = append(list, fmt.Sprintf("reader %s has keys, and nothing uses them: write pin = %q in its [[door.reader]], which asks for card and PIN, or pin = %q, which takes one-time codes, and name its formats, or leave keypad out; until then keys are ignored", r.Name(door), PINWithCard, PINOnly))
	}
	if !r.hasKey() {
		return list
	}
	if err := s.KeyFile(door, r).Problem(); err != nil && !errors.Is(err, fs.ErrPermission) {
		list = append(list, fmt.Sprintf("reader %s: mend its key file, or remove it and pair the reader again: %v", r.Name(door), err))
	}
	return list
}

// Found is what was found on this machine of the things that a site file names.
type Found struct {
	Ports    []FoundPort `json:"ports,omitempty"`
	Consoles []string    `json:"consoles,omitempty"` // the kernel's names of the terminals that its console is on
	Chips    []FoundChip `json:"chips,omitempty"`
}

// FoundChip is a GPIO chip.
type FoundChip struct {
	Names []string       `json:"names"` // under /dev, its own first
	Label string         `json:"label"`
	Lines int            `json:"lines"`
	Users map[int]string `json:"users,omitempty"` // by line: what the kernel calls who uses it
}

func (c FoundChip) String() string { return fmt.Sprintf("%s [%s]", c.Names[0], c.Label) }

// FoundPort is a serial port and the other programs that have it open.
type FoundPort struct {
	Path    string       `json:"path"` // as the site file has it
	TTY     string       `json:"tty"`  // the kernel's name of it, as ttyAMA0
	Holders []PortHolder `json:"holders,omitempty"`
	Hidden  bool         `json:"hidden,omitempty"`  // only root can see whether there are more
	NoPort  bool         `json:"no_port,omitempty"` // it is a file, a directory or another device, and no serial port
}

// PortHolder is a program that has a port open.
type PortHolder struct {
	Command string `json:"command"` // as ps has it
	PID     int    `json:"pid"`
}

// Against returns the differences between the site file and this machine, each with what to do.
func (s *Site) Against(found Found) (list []string) {
	list = s.againstChips(found.Chips)
	hidden, ttys := false, map[string]string{}
	for _, p := range found.Ports {
		if other, ok := ttys[p.TTY]; ok && !p.NoPort {
			list = append(list, fmt.Sprintf("ports %s and %s are the same one, %s: each reader needs its own; readers of one OSDP bus name it by one path", other, p.Path, p.TTY))
		}
		if !p.NoPort {
			ttys[p.TTY] = p.Path
		}
		list = append(list, found.PortProblems(p)...)
		hidden = hidden || p.Hidden
	}
	if hidden {
		list = append(list, "only root may see which other programs have the ports open: sudo gatehoused check")
	}
	return list
}

// PortProblems returns why no reader can be used at a port, each reason with what to do.
func (found Found) PortProblems(p FoundPort) (list []string) {
	if p.NoPort {
		return []string{fmt.Sprintf("port %s is no serial port: ls -l /dev/serial/by-id shows those that are plugged in", p.Path)}
	}
	if slices.Contains(found.Consoles, p.TTY) {
		list = append(list, fmt.Sprintf("port %s: the kernel's console is on it: take console=%s (or console=serial0) out of the kernel's command line and start the machine again", p.Path, p.TTY))
	}
	for _, h := range p.Holders {
		if cure := h.cure(p.TTY); cure != "" {
			list = append(list, fmt.Sprintf("port %s: %s (process %d) has it open, too, and takes what the reader sends: %s", p.Path, h.Command, h.PID, cure))
		}
	}
	return list
}

// cure returns how to end a program's use of a port; empty for the daemon, whose port it is.
func (h PortHolder) cure(tty string) string {
	switch h.Command {
	case "gatehoused":
		return ""
	case "agetty", "getty", "login":
		return fmt.Sprintf("it waits for somebody who logs in: sudo systemctl disable --now serial-getty@%s.service, and take console=%s (or console=serial0) out of the kernel's command line", tty, tty)
	case "ModemManager":
		return "it looks for modems: put packaging/udev/77-gatehouse.rules to /etc/udev/rules.d and start again, or sudo systemctl disable --now ModemManager"
	}
	return fmt.Sprintf("end it: sudo kill %d", h.PID)
}

// againstChips returns the lines of the site file that this machine does not have for us. A machine
// without any chip is not the gateway: nothing is reported.
func (s *Site) againstChips(chips []FoundChip) (list []string) {
	if len(chips) == 0 {
		return nil
	}
	told := map[string]bool{}
	add := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !told[text] {
			told[text] = true
			list = append(list, text)
		}
	}
	b := s.board()
	for _, u := range s.uses() {
		i := chipAt(chips, u.chip)
		if i < 0 {
			add("chip %q is not on this machine, which has %s: write the label of the right one, or mend board", u.chip, chipNames(chips))
			continue
		}
		c := chips[i]
		if want, ok := b.ChipOf(u.chip); ok && want.Label != c.Label {
			add("chip %q has the label %q here, and on a %s it has %q: write chip = %q, or mend board", u.chip, c.Label, b.Title, want.Label, want.Label)
		}
		if u.line >= c.Lines {
			add("%s: line %d: %s has lines 0 to %d here", u.what, u.line, c, c.Lines-1)
		}
		if user := c.Users[u.line]; user != "" && !strings.HasPrefix(user, consumerPrefix) {
			add("%s: %s line %d is used by %q: end that, or take what uses it out of the system's settings (dtoverlay in config.txt), or choose another line", u.what, c, u.line, user)
		}
	}
	return list
}

// AbsentChips returns the names of the site file's chips that this machine does not have, each once. A
// machine without any chip is not the gateway: nothing is absent there.
func (found Found) AbsentChips(s *Site) (names []string) {
	for _, u := range s.uses() {
		if len(found.Chips) > 0 && chipAt(found.Chips, u.chip) < 0 && !slices.Contains(names, u.chip) {
			names = append(names, u.chip)
		}
	}
	return names
}

// chipAt returns the index of the chip with this name or label; -1: there is none.
func chipAt(chips []FoundChip, name string) int {
	return slices.IndexFunc(chips, func(c FoundChip) bool { return c.Label == name || slices.Contains(c.Names, name) })
}

// consumerPrefix begins the kernel's name of the daemon as the user of a line.
const consumerPrefix = "gatehouse-"

func chipNames(chips []FoundChip) string {
	var names []string
	for _, c := range chips {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}
