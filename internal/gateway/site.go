package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"gatehouse/device"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	profiles "gatehouse/firmware-profiles"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// Site is the site file: the wiring of one building, local only. docs/site-file.md
// describes every key. Durations are in the unit that the key's name says.
type Site struct {
	Building string     `toml:"building"`
	Gateway  string     `toml:"gateway"`
	TimeZone string     `toml:"time_zone"`
	Registry string     `toml:"registry"`
	Board    string     `toml:"board"`
	State    string     `toml:"state"`
	Socket   string     `toml:"socket"`
	Journal  JournalCfg `toml:"journal"`
	Fire     *InputCfg  `toml:"fire"`
	Doors    []DoorCfg  `toml:"door"`

	raw []byte
}

// JournalCfg limits the journal.
type JournalCfg struct {
	MaxMB    int `toml:"max_mb"`
	BudgetMS int `toml:"budget_ms"`
}

// DoorCfg is one door.
type DoorCfg struct {
	ID                string      `toml:"id"`
	Egress            string      `toml:"egress"`
	Lock              string      `toml:"lock"`
	ReleaseSeconds    float64     `toml:"release_seconds"`
	MaxReleaseSeconds float64     `toml:"max_release_seconds"`
	HeldSeconds       *float64    `toml:"held_seconds"`
	Relay             RelayCfg    `toml:"relay"`
	Exit              *InputCfg   `toml:"exit"`
	Contact           *InputCfg   `toml:"contact"`
	Readers           []ReaderCfg `toml:"reader"`
}

// RelayCfg is the output line of a door's relay.
type RelayCfg struct {
	Chip   string `toml:"chip"`
	Line   *int   `toml:"line"`
	Active string `toml:"active"`
	Pull   string `toml:"pull"`
}

// InputCfg is an input line.
type InputCfg struct {
	Chip   string `toml:"chip"`
	Line   *int   `toml:"line"`
	Active string `toml:"active"`
	Bias   string `toml:"bias"`
}

// ReaderCfg is a reader; which keys count depends on its type.
type ReaderCfg struct {
	ID        string   `toml:"id"`
	Type      string   `toml:"type"`
	Direction string   `toml:"direction"`
	Chip      string   `toml:"chip"`
	D0        *int     `toml:"d0"`
	D1        *int     `toml:"d1"`
	Active    string   `toml:"active"`
	Bias      string   `toml:"bias"`
	Formats   []string `toml:"formats"`
	GapMS     int      `toml:"gap_ms"`
	Port      string   `toml:"port"`
	Baud      int      `toml:"baud"`
	Layout    string   `toml:"layout"`
}

// Defaults of the site file.
const (
	defaultState   = "/var/lib/gatehouse"
	defaultSocket  = "/run/gatehouse/gatehouse.sock"
	defaultBudget  = 250 // ms
	defaultMaxMB   = 512
	defaultRelease = 5   // s
	defaultHeld    = 60  // s
	maxSocket      = 103 // bytes, the least of the systems it runs on
	minRelease     = 3   // s, IEC 60839-11-1 grade 1
	// hold bridges the repeats of a held card: readers repeat it every 50 ms to 1 s.
	hold = 1500 * time.Millisecond
)

// LoadSite reads a site file strictly.
func LoadSite(path string) (*Site, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read site file: %w", err)
	}
	s, err := ParseSite(raw)
	if err != nil {
		return nil, fmt.Errorf("site file %s: %w", path, err)
	}
	return s, nil
}

// ParseSite reads the text of a site file. A wrong file comes back as one error
// that lists every fault found, each with its place and what to do.
func ParseSite(raw []byte) (*Site, error) {
	s := &Site{raw: raw}
	text := bytes.TrimPrefix(raw, []byte("\ufeff")) // some editors put it there
	dec := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := dec.Decode(s); err != nil {
		return nil, explain(err)
	}
	s.defaults()
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

func explain(err error) error {
	var missing *toml.StrictMissingError
	var syntax *toml.DecodeError
	switch {
	case errors.As(err, &missing):
		var all []error
		for _, e := range missing.Errors {
			line, _ := e.Position()
			key := e.Key()
			all = append(all, fmt.Errorf("line %d: unknown key %q%s", line, strings.Join(key, "."), nearest(key)))
		}
		return errors.Join(all...)
	case errors.As(err, &syntax):
		line, col := syntax.Position()
		if strings.Contains(syntax.Error(), "into struct field") {
			return fmt.Errorf("line %d, column %d: %q has a value of the wrong type: numbers stand without quotes, texts with them", line, col, strings.Join(syntax.Key(), "."))
		}
		return fmt.Errorf("line %d, column %d: %w", line, col, err)
	}
	return err
}

func (s *Site) defaults() {
	set(&s.State, defaultState)
	set(&s.Socket, defaultSocket)
	set(&s.Registry, "none")
	set(&s.TimeZone, "Asia/Shanghai")
	set(&s.Journal.BudgetMS, defaultBudget)
	set(&s.Journal.MaxMB, defaultMaxMB)
	for i := range s.Doors {
		d := &s.Doors[i]
		set(&d.ReleaseSeconds, defaultRelease)
		if d.HeldSeconds == nil {
			d.HeldSeconds = new(float64)
			*d.HeldSeconds = defaultHeld
		}
		set(&d.Relay.Active, "high")
		for j := range d.Readers {
			r := &d.Readers[j]
			set(&r.Direction, "in")
			set(&r.Active, "low")
			set(&r.Bias, "pull-up")
			set(&r.Layout, "rdm6300")
			set(&r.Baud, 9600)
			if r.ID == "" {
				r.ID = fmt.Sprintf("reader-%d", j+1)
			}
		}
		for _, in := range []*InputCfg{d.Exit, d.Contact} {
			in.defaults()
		}
	}
	if s.Fire != nil {
		set(&s.Fire.Bias, "pull-up") // what means fire must be said
	}
}

func (in *InputCfg) defaults() {
	if in != nil {
		set(&in.Active, "low")
		set(&in.Bias, "pull-up")
	}
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// faults collects what is wrong with a site file.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) oneOf(what, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		f.add("%s = %q: want one of %s", what, v, strings.Join(allowed, ", "))
	}
}

func (s *Site) check() error {
	var f faults
	if !wire.ValidName(s.Building, false) {
		f.add("building = %q: want 1 to 32 of a-z, 0-9 and -", s.Building)
	}
	if !wire.ValidName(s.Gateway, false) {
		f.add("gateway = %q: want 1 to 32 of a-z, 0-9 and -", s.Gateway)
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		f.add("time_zone = %q: want a name like Asia/Shanghai", s.TimeZone)
	}
	f.oneOf("registry", s.Registry, "none")
	if _, err := profiles.Board(s.Board); s.Board != "" && err != nil {
		f.add("board = %q: %w", s.Board, err)
	}
	if s.Journal.BudgetMS < 1 || s.Journal.BudgetMS > 2000 {
		f.add("journal.budget_ms = %d: want 1 to 2000 (a door must start to open within 2 s)", s.Journal.BudgetMS)
	}
	if s.Journal.MaxMB < 64 {
		f.add("journal.max_mb = %d: want at least 64 (200,000 entries not yet sent must fit)", s.Journal.MaxMB)
	}
	if len(s.Socket) > maxSocket {
		f.add("socket: a path of %d bytes: the system allows %d", len(s.Socket), maxSocket)
	}
	if !filepath.IsAbs(s.State) || !filepath.IsAbs(s.Socket) {
		f.add("state and socket must be whole paths, beginning with /")
	}
	if len(s.Doors) == 0 {
		f.add("no [[door]]: a gateway serves at least one")
	}
	if s.Fire != nil && s.Fire.Active == "" {
		f.add(`fire: say active = "high" or "low", the level that means fire. Best is a contact that opens in a fire, with pull-up and active = "high": then a cut wire counts as fire`)
	} else {
		s.checkInput(&f, "fire", s.Fire)
	}
	ids := map[string]bool{}
	for i := range s.Doors {
		d := &s.Doors[i]
		if ids[d.ID] {
			f.add("door %q stands twice: give each its own id", d.ID)
		}
		ids[d.ID] = true
		s.checkDoor(&f, d)
	}
	s.checkLines(&f)
	return errors.Join(f...)
}

func (s *Site) checkDoor(f *faults, d *DoorCfg) {
	at := fmt.Sprintf("door %q", d.ID)
	if !wire.ValidName(d.ID, false) {
		f.add("%s: id: want 1 to 32 of a-z, 0-9 and -", at)
	}
	f.oneOf(at+": egress", d.Egress, "mechanical", "electric")
	f.oneOf(at+": lock", d.Lock, "fail-safe", "fail-secure")
	if d.Egress == "electric" && d.Lock == "fail-secure" {
		f.add(`%s: egress = "electric" with lock = "fail-secure" would lock people in when the power fails: use a fail-safe lock, or a handle that always opens and egress = "mechanical"`, at)
	}
	if !between(d.ReleaseSeconds, minRelease, 600) {
		f.add("%s: release_seconds = %v: want 3 to 600 (3 s is the least that IEC 60839-11-1 allows)", at, d.ReleaseSeconds)
	}
	if !between(*d.HeldSeconds, 0, 86400) || !between(d.MaxReleaseSeconds, 0, 86400) {
		f.add("%s: held_seconds and max_release_seconds: want 0 (off) to 86400", at)
	}
	if d.MaxReleaseSeconds > 0 {
		s.checkMaxRelease(f, at, d)
	}
	s.checkRelay(f, at+": relay", d.Relay)
	s.checkInput(f, at+": exit", d.Exit)
	s.checkInput(f, at+": contact", d.Contact)
	if d.Egress == "electric" && d.Exit == nil {
		f.add(`%s: egress = "electric" needs exit = {chip = ..., line = ...}, the button that people leave by`, at)
	}
	names := map[string]bool{door.InputExit: true, door.InputContact: true, door.InputFire: true, "relay": true}
	for i := range d.Readers {
		r := &d.Readers[i]
		if names[r.ID] {
			f.add("%s: reader id %q is taken: give each reader its own", at, r.ID)
		}
		names[r.ID] = true
		s.checkReader(f, fmt.Sprintf("%s: reader %q", at, r.ID), r)
	}
}

// between is false for what is no number, too.
func between(v, least, most float64) bool { return v >= least && v <= most }

func (s *Site) checkMaxRelease(f *faults, at string, d *DoorCfg) {
	if d.Lock == "fail-safe" {
		f.add("%s: max_release_seconds limits how long a fail-secure lock is driven; a fail-safe lock is released without current: remove it", at)
	}
	if d.MaxReleaseSeconds < d.ReleaseSeconds {
		f.add("%s: max_release_seconds is less than release_seconds", at)
	}
	if s.Fire != nil {
		f.add("%s: with a fire input the lock must bear being released until the reset: use a lock rated for continuous duty and remove max_release_seconds", at)
	}
}

// checkRelay refuses a relay whose board would energise it while nobody drives
// the line: from power-on to start, and after a crash.
func (s *Site) checkRelay(f *faults, at string, r RelayCfg) {
	checkLine(f, at, r.Chip, r.Line)
	f.oneOf(at+".active", r.Active, "high", "low")
	pull := s.relayPull(r)
	if pull == "" {
		f.add(`%s: say pull = "down" or "up", what the board does to the line while nobody drives it (or name a board that knows)`, at)
		return
	}
	f.oneOf(at+".pull", pull, "up", "down")
	if (r.Active == "high") != (pull == "down") {
		f.add("%s: active = %q with pull = %q would energise the relay at power-on and after a crash: choose a line with the other pull, or add a resistor and say pull", at, r.Active, pull)
	}
}

func (s *Site) relayPull(r RelayCfg) string {
	if r.Pull != "" || s.Board == "" || r.Line == nil {
		return r.Pull
	}
	b, err := profiles.Board(s.Board)
	if err != nil {
		return ""
	}
	return b.Pull(*r.Line)
}

func (s *Site) checkInput(f *faults, at string, in *InputCfg) {
	if in == nil {
		return
	}
	checkLine(f, at, in.Chip, in.Line)
	f.oneOf(at+".active", in.Active, "high", "low")
	f.oneOf(at+".bias", in.Bias, "pull-up", "pull-down", "none", "as-is")
}

func checkLine(f *faults, at, chip string, line *int) {
	if chip == "" {
		f.add(`%s: chip is missing: name the GPIO chip, as "gpiochip0" or by its label`, at)
	}
	switch {
	case line == nil:
		f.add("%s: line is missing: give the line's number on its chip, from 0", at)
	case *line < 0 || *line > 1023:
		f.add("%s: line = %d: lines of a chip are counted from 0", at, *line)
	}
}

func (s *Site) checkReader(f *faults, at string, r *ReaderCfg) {
	if !wire.ValidName(r.ID, false) {
		f.add("%s: id: want 1 to 32 of a-z, 0-9 and -", at)
	}
	f.oneOf(at+": direction", r.Direction, "in", "out")
	switch r.Type {
	case "wiegand":
		checkLine(f, at+": d0", r.Chip, r.D0)
		checkLine(f, at+": d1", r.Chip, r.D1)
		f.oneOf(at+": active", r.Active, "high", "low")
		f.oneOf(at+": bias", r.Bias, "pull-up", "pull-down", "none", "as-is")
		if len(r.Formats) == 0 {
			f.add(`%s: formats is missing: what this reader sends, like ["H10301"]; known: %s`, at, strings.Join(wiegand.Names(), ", "))
		}
		for _, name := range r.Formats {
			if _, ok := wiegand.Lookup(name); !ok {
				f.add("%s: format %q is not known; known: %s", at, name, strings.Join(wiegand.Names(), ", "))
			}
		}
		if r.GapMS != 0 && (r.GapMS < 25 || r.GapMS > 100) {
			f.add("%s: gap_ms = %d: want 25 to 100, or nothing for an adaptive gap", at, r.GapMS)
		}
	case "serial":
		if r.Port == "" {
			f.add("%s: port is missing: best a path under /dev/serial/by-id, which stays the same", at)
		}
		if _, ok := serialcard.Lookup(r.Layout); !ok {
			f.add("%s: layout %q is not known; known: %s", at, r.Layout, strings.Join(serialcard.Names(), ", "))
		}
	default:
		f.add(`%s: type = %q: want "wiegand" or "serial"`, at, r.Type)
	}
}

// checkLines refuses one line in two places.
func (s *Site) checkLines(f *faults) {
	used := map[string]string{}
	claim := func(what, chip string, line *int) {
		if line == nil {
			return
		}
		key := fmt.Sprintf("%s line %d", strings.TrimPrefix(chip, "/dev/"), *line)
		if other, ok := used[key]; ok {
			f.add("%s is used for %s and for %s", key, other, what)
		}
		used[key] = what
	}
	input := func(what string, in *InputCfg) {
		if in != nil {
			claim(what, in.Chip, in.Line)
		}
	}
	input("fire", s.Fire)
	for _, d := range s.Doors {
		claim(d.ID+" relay", d.Relay.Chip, d.Relay.Line)
		input(d.ID+" exit", d.Exit)
		input(d.ID+" contact", d.Contact)
		for _, r := range d.Readers {
			if r.Type == "wiegand" {
				claim(d.ID+" "+r.ID+" d0", r.Chip, r.D0)
				claim(d.ID+" "+r.ID+" d1", r.Chip, r.D1)
			} else if other, ok := used[r.Port]; ok && r.Port != "" {
				f.add("port %s is used for %s and for %s", r.Port, other, d.ID+" "+r.ID)
			} else {
				used[r.Port] = d.ID + " " + r.ID
			}
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (d DoorCfg) rules() door.Rules {
	return door.Rules{
		ReleaseTime: seconds(d.ReleaseSeconds),
		MaxRelease:  seconds(d.MaxReleaseSeconds),
		HeldAfter:   seconds(*d.HeldSeconds),
		OnlyExit:    d.Egress == "electric",
		SilentExit:  d.Egress == "mechanical" && d.Exit == nil,
	}
}

func (in InputCfg) lines(consumer string) device.LinesConfig {
	return device.LinesConfig{Chip: in.Chip, Offsets: []int{*in.Line}, ActiveLow: in.Active == "low",
		Bias: bias(in.Bias), BothEdges: true, Consumer: consumer}
}

func (r ReaderCfg) lines(consumer string) device.LinesConfig {
	return device.LinesConfig{Chip: r.Chip, Offsets: []int{*r.D0, *r.D1}, ActiveLow: r.Active == "low",
		Bias: bias(r.Bias), Consumer: consumer}
}

func bias(s string) device.Bias {
	return map[string]device.Bias{"pull-up": device.BiasPullUp, "pull-down": device.BiasPullDown,
		"none": device.BiasDisabled}[s]
}

// path returns a path inside the state folder.
func (s *Site) path(parts ...string) string {
	return filepath.Join(append([]string{s.State}, parts...)...)
}
