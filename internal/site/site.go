// Package site reads the site file, the wiring of one building: what it says is
// explained, completed from the profiles of boards and readers, and checked for what
// would hurt somebody, before anything is driven.
//
// It opens no line and no port: whoever has looked at the machine asks Against.
package site

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"gatehouse/device"
	"gatehouse/internal/profile"
)

// Site is the site file: the wiring of one building, local only. docs/site-file.md
// describes every key. Durations are in the unit that the key's name says.
type Site struct {
	Building string  `toml:"building"`
	Gateway  string  `toml:"gateway"`
	TimeZone string  `toml:"time_zone"`
	Registry string  `toml:"registry"`
	Board    string  `toml:"board"`
	Profiles string  `toml:"profiles"`
	State    string  `toml:"state"`
	Socket   string  `toml:"socket"`
	Journal  Journal `toml:"journal"`
	Fire     *Input  `toml:"fire"`
	Doors    []Door  `toml:"door"`

	raw []byte
}

// Journal limits the journal.
type Journal struct {
	MaxMB    int `toml:"max_mb"`
	BudgetMS int `toml:"budget_ms"`
	WhoDays  int `toml:"who_days"`
}

// Door is one door.
type Door struct {
	ID                string   `toml:"id"`
	Egress            string   `toml:"egress"`
	Lock              string   `toml:"lock"`
	ReleaseSeconds    float64  `toml:"release_seconds"`
	MaxReleaseSeconds float64  `toml:"max_release_seconds"`
	HeldSeconds       *float64 `toml:"held_seconds"`
	Relay             Relay    `toml:"relay"`
	Exit              *Input   `toml:"exit"`
	Contact           *Input   `toml:"contact"`
	Signal            *Signal  `toml:"signal"`
	Readers           []Reader `toml:"reader"`
}

// Relay is the output line of a door's relay.
type Relay struct {
	Chip   string `toml:"chip"`
	Line   *int   `toml:"line"`
	Active string `toml:"active"`
	Pull   string `toml:"pull"`
}

// Signal is the output line of a buzzer or lamp at a door.
type Signal struct {
	Chip   string `toml:"chip"`
	Line   *int   `toml:"line"`
	Active string `toml:"active"`
}

// Input is an input line.
type Input struct {
	Chip   string `toml:"chip"`
	Line   *int   `toml:"line"`
	Active string `toml:"active"`
	Bias   string `toml:"bias"`
	// FilterMS is how long a state must last to be believed; of fire there is none.
	FilterMS *int `toml:"filter_ms"`
}

// Defaults of the site file.
const (
	defaultState   = "/var/lib/gatehouse"
	defaultSocket  = "/run/gatehouse/gatehouse.sock"
	defaultBudget  = 250 // ms
	defaultMaxMB   = 512
	defaultWhoDays = 30
	defaultRelease = 5  // s
	defaultHeld    = 60 // s
	// A finger presses for 50 ms and more, a spike on a wire lasts microseconds.
	defaultExitFilter    = 20  // ms
	maxExitFilter        = 100 // ms: who wants to leave does not wait
	defaultContactFilter = 100 // ms
	maxContactFilter     = 2000
	maxSocket            = 103 // bytes, the least of the systems it runs on
	minRelease           = 3   // s, IEC 60839-11-1 grade 1
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

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Lines is the request for the input's line.
func (in Input) Lines(consumer string) device.LinesConfig {
	return device.LinesConfig{Chip: in.Chip, Offsets: []int{*in.Line}, ActiveLow: in.Active == "low",
		Bias: bias(in.Bias), BothEdges: true, Consumer: consumer}
}

func bias(s string) device.Bias {
	return map[string]device.Bias{"pull-up": device.BiasPullUp, "pull-down": device.BiasPullDown,
		"none": device.BiasDisabled}[s]
}

// Hash is the SHA-256 of the file's text, by which the journal names it.
func (s *Site) Hash() [sha256.Size]byte { return sha256.Sum256(s.raw) }

// DoorIDs are those of its doors.
func (s *Site) DoorIDs() (ids []string) {
	for i := range s.Doors {
		ids = append(ids, s.Doors[i].ID)
	}
	return ids
}

// Path returns a path inside the state folder.
func (s *Site) Path(parts ...string) string {
	return filepath.Join(append([]string{s.State}, parts...)...)
}
