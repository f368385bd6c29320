// Package site reads the site file, which describes the wiring of one building: its errors are
// explained, it is completed from the profiles of boards and readers, and checked for what would
// hurt somebody, before anything is driven.
//
// It opens no line and no port: Against compares it with what was found on a machine.
package site

import (
	"bytes"
	"crypto/sha256"
	"iter"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/device/serialcard"
	"gatehouse/internal/profile"
)

// Site is the site file: the wiring of one building, local only. docs/site-file.md describes every
// key. Durations are in the unit that the key's name says.
type Site struct {
	Building string  `toml:"building"`
	Gateway  string  `toml:"gateway"`
	TimeZone string  `toml:"time_zone"`
	Registry string  `toml:"registry"`
	Board    string  `toml:"board"`
	Profiles string  `toml:"profiles"`
	State    string  `toml:"state"`
	Socket   string  `toml:"socket"`
	Backup   string  `toml:"backup"`
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
	// FilterMS is how long a state must last to be believed; there is none for fire.
	FilterMS *int `toml:"filter_ms"`
}

// Reader is a reader; which keys count depends on its type. Missing values are filled in from its
// profile.
type Reader struct {
	ID        string `toml:"id"`
	Profile   string `toml:"profile"`
	Type      string `toml:"type"`
	Direction string `toml:"direction"`
	PIN       string `toml:"pin"`
	PINLength int    `toml:"pin_length"`
	PINPause  int    `toml:"pin_pause_seconds"`

	Chip         string   `toml:"chip"`
	D0           *int     `toml:"d0"`
	D1           *int     `toml:"d1"`
	Active       string   `toml:"active"`
	Bias         string   `toml:"bias"`
	Formats      []string `toml:"formats"`
	GapMS        int      `toml:"gap_ms"`
	ReverseBytes bool     `toml:"reverse_bytes"`
	Keypad       *Keypad  `toml:"keypad"`
	LED          *Signal  `toml:"led"`
	Buzzer       *Signal  `toml:"buzzer"`

	Port     string              `toml:"port"`
	Baud     int                 `toml:"baud"`
	Layout   string              `toml:"layout"`
	Settings serialcard.Settings `toml:"settings"`

	Address  *int   `toml:"address"`
	Security string `toml:"security"`
	KeyFile  string `toml:"key_file"`

	about    *profile.Reader // nil: no profile is named
	aboutErr error
}

// HasKeys reports whether PINs may come from the reader; of an OSDP reader it can't be known
// without asking it.
func (r Reader) HasKeys() bool { return r.Keypad != nil || r.Type == TypeOSDP }

// Keypad is how a Wiegand reader sends keys.
type Keypad struct {
	Kind     string `toml:"kind"`
	Codes    string `toml:"codes"`
	Facility int    `toml:"facility"`
}

// Values of a reader's keys.
const (
	TypeWiegand = "wiegand"
	TypeSerial  = "serial"
	TypeOSDP    = "osdp"
	TypePN532   = "pn532"
	TypeCode    = "code"
	typeIDCard  = "idcard" // of profiles only: it is at the desk, not at a door

	PINWithCard = "with-card"
	PINOnly     = "only"

	securityRequired = "required"
	SecurityNone     = "none"
)

var readerTypes = []string{TypeWiegand, TypeOSDP, TypeSerial, TypePN532, TypeCode}

// NoRegistry stands for the registry's address in a standalone house.
const NoRegistry = "none"

// DefaultSocket is the default path of a daemon's socket.
const DefaultSocket = "/run/gatehouse/gatehouse.sock"

// Defaults of the site file.
const (
	defaultState   = "/var/lib/gatehouse"
	defaultBudget  = 250 // ms
	defaultMaxMB   = 512
	defaultWhoDays = 30
	defaultRelease = 5  // s
	defaultHeld    = 60 // s
	// A finger presses for 50 ms or more, a spike on a wire lasts microseconds.
	defaultExitFilter    = 20  // ms
	maxExitFilter        = 100 // ms: people who leave must not wait
	defaultContactFilter = 100 // ms
	maxContactFilter     = 2000
	maxSocket            = 103 // bytes, the least of the systems it runs on
	minRelease           = 3   // s, IEC 60839-11-1 grade 1
)

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Lines returns the request for the input's line.
func (in Input) Lines(consumer string) device.LinesConfig {
	return device.LinesConfig{Chip: in.Chip, Offsets: []int{*in.Line}, ActiveLow: in.Active == "low",
		Bias: bias(in.Bias), BothEdges: true, Consumer: consumer}
}

func bias(s string) device.Bias {
	return map[string]device.Bias{"pull-up": device.BiasPullUp, "pull-down": device.BiasPullDown,
		"none": device.BiasDisabled}[s]
}

// Hash returns the SHA-256 of the file's text, which identifies it in the journal.
func (s *Site) Hash() [sha256.Size]byte { return sha256.Sum256(s.raw) }

// Text returns the text of a site file as it was read.
func Text(s *Site) []byte { return bytes.Clone(s.raw) }

// DoorIDs returns the ids of its doors.
func (s *Site) DoorIDs() (ids []string) {
	for i := range s.Doors {
		ids = append(ids, s.Doors[i].ID)
	}
	return ids
}

// Path returns a path inside the state directory.
func (s *Site) Path(parts ...string) string {
	return filepath.Join(append([]string{s.State}, parts...)...)
}

// readers yields the readers of all doors, each with its door's id.
func (s *Site) readers() iter.Seq2[string, *Reader] {
	return func(yield func(string, *Reader) bool) {
		for _, d := range s.Doors {
			for i := range d.Readers {
				if !yield(d.ID, &d.Readers[i]) {
					return
				}
			}
		}
	}
}

// Ports returns the serial ports that the site file names, each once.
func (s *Site) Ports() (list []string) {
	for _, r := range s.readers() {
		if r.Port != "" && !slices.Contains(list, r.Port) {
			list = append(list, r.Port)
		}
	}
	return list
}

// profiles returns the program's profiles and those of the site's directory, which come first.
func (s *Site) profiles() profile.Set { return profile.Set{Dir: s.Profiles} }

// board returns the profile of the site's board; without chips where it is unknown.
func (s *Site) board() profile.Board {
	if s.Board == "" {
		return profile.Board{}
	}
	b, _ := s.profiles().Board(s.Board) // the check reports it
	return b
}

// Zone is the time zone of the building; that of the file was found to be one.
func (s *Site) Zone() *time.Location {
	zone, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}
