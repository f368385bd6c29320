package site

import (
	"bytes"
	"fmt"
	"os"

	"github.com/pelletier/go-toml/v2"

	"gatehouse/internal/profile"
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

// Parse reads the text of a site file. A wrong file comes back as one error
// that lists every fault found, each with its place and what to do.
func Parse(raw []byte) (*Site, error) {
	s := &Site{raw: raw}
	text := bytes.TrimPrefix(raw, []byte("\ufeff")) // some editors put it there
	if err := encoding(text); err != nil {
		return nil, err
	}
	dec := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, explain(err, string(text))
	}
	s.defaults()
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Site) defaults() {
	set(&s.State, defaultState)
	set(&s.Socket, defaultSocket)
	set(&s.Profiles, profile.DefaultDir)
	set(&s.TimeZone, "Asia/Shanghai")
	set(&s.Journal.BudgetMS, defaultBudget)
	set(&s.Journal.MaxMB, defaultMaxMB)
	set(&s.Journal.WhoDays, defaultWhoDays)
	for i := range s.Doors {
		d := &s.Doors[i]
		set(&d.ReleaseSeconds, defaultRelease)
		if d.HeldSeconds == nil {
			d.HeldSeconds = new(float64)
			*d.HeldSeconds = defaultHeld
		}
		set(&d.Relay.Active, "high")
		if d.Signal != nil {
			set(&d.Signal.Active, "high")
		}
		for j := range d.Readers {
			if d.Readers[j].ID == "" {
				d.Readers[j].ID = fmt.Sprintf("reader-%d", j+1)
			}
			d.Readers[j].defaults(s.profiles())
		}
		d.Exit.defaults(defaultExitFilter)
		d.Contact.defaults(defaultContactFilter)
	}
	if s.Fire != nil {
		set(&s.Fire.Bias, "pull-up") // what means fire must be said
	}
}

func (in *Input) defaults(filter int) {
	if in == nil {
		return
	}
	set(&in.Active, "low")
	set(&in.Bias, "pull-up")
	if in.FilterMS == nil {
		in.FilterMS = &filter
	}
}
