package profile

import (
	"fmt"

	"gatehouse/internal/strict"
)

// Wiring is the wiring that setup proposes: a house that is wired like this needs no settings. Its
// lines are those of one chip.
type Wiring struct {
	Chip  string       `toml:"chip" json:"chip"` // label
	Fire  int          `toml:"fire" json:"fire"`
	Doors []DoorWiring `toml:"door" json:"doors"`
}

// DoorWiring has the lines of one door.
type DoorWiring struct {
	Relay   int `toml:"relay" json:"relay"`
	Exit    int `toml:"exit" json:"exit"`
	Contact int `toml:"contact" json:"contact"`
	D0      int `toml:"d0" json:"d0"`
	D1      int `toml:"d1" json:"d1"`
}

// NamedLine is a line and the device on it.
type NamedLine struct {
	Name string
	Line int
}

// Inputs returns the input lines of the wiring, the fire input first. Doors are counted from 1.
func (w *Wiring) Inputs() []NamedLine {
	all := []NamedLine{{"fire", w.Fire}}
	for i, d := range w.Doors {
		at := func(what string) string { return fmt.Sprintf("door %d %s", i+1, what) }
		all = append(all, NamedLine{at("exit"), d.Exit}, NamedLine{at("contact"), d.Contact}, NamedLine{at("d0"), d.D0}, NamedLine{at("d1"), d.D1})
	}
	return all
}

// checkWiring refuses lines that the chip does not have, that occur twice, or that a UART of the
// board has, and a relay whose pull is known to energise it.
func (b Board) checkWiring(f *strict.Faults) {
	w := b.Wiring
	if w == nil {
		return
	}
	c, ok := b.ChipOf(w.Chip)
	if !ok || len(w.Doors) == 0 {
		f.Add("wiring: chip = %q: want the label of a [[chip]], and at least one [[wiring.door]]", w.Chip)
		return
	}
	all := w.Inputs()
	for i, d := range w.Doors {
		all = append(all, NamedLine{fmt.Sprintf("door %d relay", i+1), d.Relay})
		if b.PullOf(w.Chip, d.Relay) == "up" {
			f.Add("wiring: door %d relay: line %d is pulled up, and would energise the relay at power-on and after a crash", i+1, d.Relay)
		}
	}
	used := map[int]string{}
	for _, p := range b.Ports {
		if port, ok := b.ChipOf(p.Chip); ok && port.Label == c.Label {
			for _, line := range p.Lines {
				used[line] = p.Device
			}
		}
	}
	for _, l := range all {
		if l.Line < 0 || l.Line >= c.Lines {
			f.Add("wiring: %s: line %d: chip %q has lines 0 to %d", l.Name, l.Line, c.Label, c.Lines-1)
		}
		if other := used[l.Line]; other != "" {
			f.Add("wiring: %s: line %d is used for %s", l.Name, l.Line, other)
		}
		used[l.Line] = l.Name
	}
}

// PinOf returns the place of a chip's line, as "pin 11 of the 40-pin header J8"; empty where the
// profile does not know.
func (b Board) PinOf(chip string, line int) string {
	c, _ := b.ChipOf(chip)
	for _, h := range b.Headers {
		for pin, at := range h.Pins {
			if h.Chip == c.Label && at == line {
				return fmt.Sprintf("pin %s of the %s", pin, h.Name)
			}
		}
	}
	return ""
}
