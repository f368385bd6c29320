package site

import (
	"fmt"
	"os"
	"reflect"

	"gatehouse/device/serialcard"
	"gatehouse/internal/profile"
	"gatehouse/internal/strict"
)

// Load reads a site file strictly.
func Load(path string) (*Site, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read site file: %w", err)
	}
	s, err := Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("site file %s: %w", path, err)
	}
	return s, nil
}

// Parse reads the text of a site file. The error for a wrong file lists every fault found, each
// with its place and what to do.
func Parse(raw []byte) (*Site, error) {
	s := &Site{raw: raw}
	if err := strict.Read(raw, s, examples); err != nil {
		return nil, err
	}
	s.defaults()
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

const aLine = `a table, like {chip = "gpiochip0", line = 17}`

// examples are the notations of the values of a site file.
var examples = map[reflect.Type]string{
	reflect.TypeFor[[]string]():            `a list, like ["H10301"]`,
	reflect.TypeFor[Relay]():               aLine,
	reflect.TypeFor[Input]():               aLine,
	reflect.TypeFor[Signal]():              aLine,
	reflect.TypeFor[Journal]():             "a table, like {max_mb = 512}",
	reflect.TypeFor[Keypad]():              `a table, like {kind = "key4"}`,
	reflect.TypeFor[serialcard.Settings](): `a table, like {base = "dec"}`,
	reflect.TypeFor[[]Door]():              "tables: each door begins with a line [[door]]",
	reflect.TypeFor[[]Reader]():            "tables: each reader begins with a line [[door.reader]], after its door",
}

func (s *Site) defaults() {
	set(&s.State, defaultState)
	set(&s.Socket, DefaultSocket)
	set(&s.Profiles, profile.DefaultDir)
	set(&s.TimeZone, "Asia/Shanghai")
	set(&s.Journal.BudgetMS, defaultBudget)
	set(&s.Journal.MaxMB, defaultMaxMB)
	set(&s.Journal.WhoDays, defaultWhoDays)
	for i := range s.Doors {
		d := &s.Doors[i]
		set(&d.ReleaseSeconds, defaultRelease)
		set(&d.HeldSeconds, new(float64(defaultHeld)))
		set(&d.Relay.Active, "high")
		if d.Signal != nil {
			set(&d.Signal.Active, "high")
		}
		for j := range d.Readers {
			set(&d.Readers[j].ID, fmt.Sprintf("reader-%d", j+1))
			d.Readers[j].defaults(s.profiles())
		}
		d.Exit.defaults(defaultExitFilter)
		d.Contact.defaults(defaultContactFilter)
	}
	if s.Fire != nil {
		set(&s.Fire.Bias, "pull-up") // what means fire must be said
	}
}

// ExitAt is an exit button at a line, as in a site file that says no more of it.
func ExitAt(chip string, line int) Input {
	in := Input{Chip: chip, Line: &line}
	in.defaults(defaultExitFilter)
	return in
}

func (in *Input) defaults(filter int) {
	if in == nil {
		return
	}
	set(&in.Active, "low")
	set(&in.Bias, "pull-up")
	set(&in.FilterMS, &filter)
}
