package gateway

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"gatehouse/device"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	profiles "gatehouse/firmware-profiles"
	"gatehouse/sync/wire"
)

// ReaderCfg is a reader; which keys count depends on its type. What the file
// leaves out and the profile has is filled in from there.
type ReaderCfg struct {
	ID        string `toml:"id"`
	Profile   string `toml:"profile"`
	Type      string `toml:"type"`
	Direction string `toml:"direction"`
	PIN       string `toml:"pin"`
	PINLength int    `toml:"pin_length"`
	PINPause  int    `toml:"pin_pause_seconds"`

	Chip         string     `toml:"chip"`
	D0           *int       `toml:"d0"`
	D1           *int       `toml:"d1"`
	Active       string     `toml:"active"`
	Bias         string     `toml:"bias"`
	Formats      []string   `toml:"formats"`
	GapMS        int        `toml:"gap_ms"`
	ReverseBytes bool       `toml:"reverse_bytes"`
	Keypad       *KeypadCfg `toml:"keypad"`
	LED          *SignalCfg `toml:"led"`
	Buzzer       *SignalCfg `toml:"buzzer"`

	Port     string              `toml:"port"`
	Baud     int                 `toml:"baud"`
	Layout   string              `toml:"layout"`
	Settings serialcard.Settings `toml:"settings"`

	Address  *int   `toml:"address"`
	Security string `toml:"security"`
	KeyFile  string `toml:"key_file"`

	about    *profiles.ReaderProfile // nil: no profile is named
	aboutErr error
}

// KeypadCfg is how a Wiegand reader sends keys.
type KeypadCfg struct {
	Kind     string `toml:"kind"`
	Codes    string `toml:"codes"`
	Facility int    `toml:"facility"`
}

// Values of a reader's keys.
const (
	typeWiegand = "wiegand"
	typeSerial  = "serial"
	typeOSDP    = "osdp"
	typePN532   = "pn532"
	typeCode    = "code"

	pinWithCard = "with-card"

	securityRequired = "required"
	securityNone     = "none"
)

var readerTypes = []string{typeWiegand, typeOSDP, typeSerial, typePN532, typeCode}

func (r *ReaderCfg) defaults(known profileSet) {
	if r.Profile != "" {
		r.fill(known)
	}
	set(&r.Direction, "in")
	set(&r.Active, "low")
	set(&r.Bias, "pull-up")
	switch r.Type {
	case typeSerial:
		set(&r.Layout, "rdm6300")
	case typeCode:
		set(&r.Layout, "code")
	case typePN532:
		set(&r.Baud, 115200) // PN532 user manual, HSU
	case typeOSDP:
		set(&r.Security, securityRequired)
	}
	if l, ok := serialcard.Lookup(r.Layout); ok && (r.Type == typeSerial || r.Type == typeCode) {
		set(&r.Baud, l.Baud)
	}
	set(&r.Baud, 9600)
	for _, s := range []*SignalCfg{r.LED, r.Buzzer} {
		if s != nil {
			set(&s.Active, "low") // a reader's inputs are pulled to ground
		}
	}
}

// profileSet is what the site asks of profiles.
type profileSet interface {
	Reader(name string) (profiles.ReaderProfile, error)
}

// fill takes from the profile what the site file leaves out.
func (r *ReaderCfg) fill(known profileSet) {
	p, err := known.Reader(r.Profile)
	if err != nil {
		r.aboutErr = err
		return
	}
	r.about = &p
	set(&r.Type, p.Type)
	if r.Type != p.Type {
		return // refused by the check
	}
	set(&r.Baud, p.Baud)
	set(&r.Layout, p.Layout)
	if len(r.Formats) == 0 {
		r.Formats = slices.Clone(p.Formats)
	}
	if k := p.Keypad; r.Keypad == nil && k != nil {
		r.Keypad = &KeypadCfg{Kind: k.Kind, Codes: k.Codes, Facility: k.Facility}
		set(&r.PINLength, k.Length)
	}
	set(&r.GapMS, p.GapMS)
	set(&r.ReverseBytes, p.ReverseBytes)
	if p.Settings != nil && reflect.ValueOf(r.Settings).IsZero() {
		r.Settings = serialcard.Settings(*p.Settings)
	}
}

func (r *ReaderCfg) check(f *faults, at string) {
	if !wire.ValidName(r.ID, false) {
		f.add("%s: id: want 1 to 32 of a-z, 0-9 and -", at)
	}
	f.oneOf(at+": direction", r.Direction, "in", "out")
	if r.aboutErr != nil {
		f.add("%s: profile = %q: %w", at, r.Profile, r.aboutErr)
		return
	}
	if r.about != nil && r.about.Type != r.Type {
		f.add("%s: type = %q, but profile %q is of a reader of type %q: leave type out", at, r.Type, r.Profile, r.about.Type)
		return
	}
	r.checkPIN(f, at)
	switch r.Type {
	case typeWiegand:
		r.checkWiegand(f, at)
	case typeOSDP:
		r.checkPort(f, at)
		r.checkOSDP(f, at)
	case typeSerial, typeCode:
		r.checkPort(f, at)
		r.checkLayout(f, at)
	case typePN532:
		r.checkPort(f, at)
	default:
		f.add(`%s: type = %q: want one of %s, or a profile`, at, r.Type, strings.Join(readerTypes, ", "))
		return
	}
	r.checkForeign(f, at)
}

// checkForeign refuses keys of another type of reader: they would be ignored,
// and whoever wrote them expects something of them.
func (r *ReaderCfg) checkForeign(f *faults, at string) {
	foreign := func(given bool, key string, types ...string) {
		if given && !slices.Contains(types, r.Type) {
			f.add("%s: %s belongs to readers of type %s: remove it", at, key, strings.Join(types, ", "))
		}
	}
	foreign(r.Chip != "" || r.D0 != nil || r.D1 != nil, "chip, d0, d1", typeWiegand)
	foreign(r.Keypad != nil, "keypad", typeWiegand)
	foreign(r.ReverseBytes, "reverse_bytes", typeWiegand)
	foreign(r.GapMS != 0, "gap_ms", typeWiegand)
	foreign(len(r.Formats) > 0, "formats", typeWiegand, typeOSDP)
	foreign(r.Port != "", "port", typeOSDP, typeSerial, typeCode, typePN532)
	foreign(r.Layout != "", "layout", typeSerial, typeCode)
	foreign(r.Address != nil, "address", typeOSDP)
	foreign(r.Security != "", "security", typeOSDP)
	foreign(r.KeyFile != "", "key_file", typeOSDP)
}

func (r *ReaderCfg) checkPIN(f *faults, at string) {
	if r.PIN != "" {
		f.oneOf(at+": pin", r.PIN, pinWithCard)
		if r.Direction == "out" {
			f.add("%s: pin: no rule may stand before the way out: remove it", at)
		}
		if !r.hasKeypad() {
			f.add(`%s: pin = %q needs a reader with keys: OSDP, or Wiegand with keypad = {kind = ...}`, at, r.PIN)
		}
	}
	if r.PINLength < 0 || r.PINLength > device.MaxPIN {
		f.add("%s: pin_length = %d: want 1 to %d, or nothing where # ends each PIN", at, r.PINLength, device.MaxPIN)
	}
	if r.PINPause != 0 && (r.PINPause < 1 || r.PINPause > 30) {
		f.add("%s: pin_pause_seconds = %d: want 1 to 30", at, r.PINPause)
	}
}

func (r *ReaderCfg) hasKeypad() bool {
	return r.Type == typeOSDP || r.Type == typeWiegand && r.Keypad != nil
}

func (r *ReaderCfg) checkWiegand(f *faults, at string) {
	checkLine(f, at+": d0", r.Chip, r.D0)
	checkLine(f, at+": d1", r.Chip, r.D1)
	f.oneOf(at+": active", r.Active, "high", "low")
	f.oneOf(at+": bias", r.Bias, "pull-up", "pull-down", "none", "as-is")
	for what, s := range map[string]*SignalCfg{"led": r.LED, "buzzer": r.Buzzer} {
		if s != nil {
			checkLine(f, at+": "+what, s.Chip, s.Line)
			f.oneOf(at+": "+what+".active", s.Active, "high", "low")
		}
	}
	if len(r.Formats) == 0 && r.Keypad == nil {
		f.add(`%s: formats is missing: what this reader sends, like ["H10301"]. If nobody knows: write that, start, and call gatehouse teach`, at)
	}
	if !r.checkFormats(f, at) {
		return
	}
	if err := r.wiegand().Validate(); err != nil {
		f.add("%s: %w", at, err)
	}
}

func (r *ReaderCfg) checkFormats(f *faults, at string) (ok bool) {
	ok = true
	for _, name := range r.Formats {
		if _, known := wiegand.Lookup(name); !known {
			ok = false
			f.add("%s: format %q is not known; known: %s", at, name, strings.Join(wiegand.Names(), ", "))
		}
	}
	return ok
}

// wiegand returns the reader's settings, once the formats are known.
func (r *ReaderCfg) wiegand() wiegand.Config {
	cfg := wiegand.Config{Source: r.ID, Gap: time.Duration(r.GapMS) * time.Millisecond, ReverseBytes: r.ReverseBytes, Formats: r.formats()}
	if k := r.Keypad; k != nil {
		cfg.Keypad = wiegand.Keypad{Kind: k.Kind, Codes: k.Codes, Facility: k.Facility, Length: r.PINLength, Pause: r.pause()}
	}
	return cfg
}

func (r *ReaderCfg) formats() (all []wiegand.Format) {
	for _, name := range r.Formats {
		if format, ok := wiegand.Lookup(name); ok {
			all = append(all, format)
		}
	}
	return all
}

func (r *ReaderCfg) pause() time.Duration { return time.Duration(r.PINPause) * time.Second }

func (r *ReaderCfg) checkPort(f *faults, at string) {
	if r.Port == "" {
		f.add("%s: port is missing: best a path under /dev/serial/by-id, which stays the same", at)
	}
	if r.Baud < 300 || r.Baud > 921600 {
		f.add("%s: baud = %d: want 300 to 921600", at, r.Baud)
	}
}

func (r *ReaderCfg) checkLayout(f *faults, at string) {
	l, ok := serialcard.Lookup(r.Layout)
	if !ok {
		f.add("%s: layout %q is not known; known: %s", at, r.Layout, strings.Join(serialcard.Names(), ", "))
		return
	}
	if _, err := l.With(r.Settings); err != nil {
		f.add("%s: %w", at, err)
	}
	if l.Code() != (r.Type == typeCode) {
		f.add(`%s: layout %q with type = %q: scanners of codes are of type "code", readers of cards of type "serial"`, at, r.Layout, r.Type)
	}
}

// layout returns what the reader sends. The check has refused what is wrong.
func (r *ReaderCfg) layout() serialcard.Layout {
	l, _ := serialcard.Lookup(r.Layout)
	l, _ = l.With(r.Settings)
	return l
}

func (r *ReaderCfg) checkOSDP(f *faults, at string) {
	switch {
	case r.Address == nil:
		f.add("%s: address is missing: 0 to 126, as the reader is set (0 as most are delivered)", at)
	case *r.Address < 0 || *r.Address > 126:
		f.add("%s: address = %d: want 0 to 126 (127 is for all readers at once)", at, *r.Address)
	}
	f.oneOf(at+": security", r.Security, securityRequired, securityNone)
	if r.Security == securityNone && r.KeyFile != "" {
		f.add(`%s: key_file with security = "none": remove one of them`, at)
	}
	r.checkFormats(f, at)
}

// claim tells which lines the reader uses.
func (r *ReaderCfg) claim(what string, claim func(what, chip string, line *int)) {
	claim(what+" d0", r.Chip, r.D0)
	claim(what+" d1", r.Chip, r.D1)
	for name, s := range map[string]*SignalCfg{" led": r.LED, " buzzer": r.Buzzer} {
		if s != nil {
			claim(what+name, s.Chip, s.Line)
		}
	}
}

// checkPorts refuses one port for two readers, unless it is a bus of OSDP readers
// that have addresses of their own and one baud rate.
func (s *Site) checkPorts(f *faults) {
	type user struct {
		name string
		r    *ReaderCfg
	}
	used := map[string][]user{}
	for i := range s.Doors {
		for j := range s.Doors[i].Readers {
			r := &s.Doors[i].Readers[j]
			me := user{s.Doors[i].ID + " " + r.ID, r}
			if r.Port == "" {
				continue
			}
			for _, o := range used[r.Port] {
				switch {
				case r.Type != typeOSDP || o.r.Type != typeOSDP:
					f.add("port %s is used for %s and for %s", r.Port, o.name, me.name)
				case r.Baud != o.r.Baud:
					f.add("%s and %s are on one bus (%s) with baud = %d and %d: all readers of a bus have the same", o.name, me.name, r.Port, o.r.Baud, r.Baud)
				case r.Address != nil && o.r.Address != nil && *r.Address == *o.r.Address:
					f.add("%s and %s are on one bus (%s) with address = %d: each needs its own", o.name, me.name, r.Port, *r.Address)
				}
			}
			used[r.Port] = append(used[r.Port], me)
		}
	}
}

// keyFile is where the key of an OSDP reader is kept.
func (s *Site) keyFile(door string, r *ReaderCfg) string {
	if r.KeyFile != "" {
		return r.KeyFile
	}
	return s.path("readers", door+"-"+r.ID+".key")
}

// checkKeyFiles refuses one file for the keys of two readers: each would write its
// own over the other's. Names may make that, too: a-b with c, and a with b-c.
func (s *Site) checkKeyFiles(f *faults) {
	used := map[string]string{}
	for _, d := range s.Doors {
		for i := range d.Readers {
			r := &d.Readers[i]
			if r.Type != typeOSDP || r.Security == securityNone {
				continue
			}
			path, me := filepath.Clean(s.keyFile(d.ID, r)), r.name(d.ID)
			if other, ok := used[path]; ok {
				f.add("%s and %s keep their keys in one file (%s): give one of them another key_file", other, me, path)
			}
			used[path] = me
		}
	}
}

func (r *ReaderCfg) lines(consumer string) device.LinesConfig {
	return device.LinesConfig{Chip: r.Chip, Offsets: []int{*r.D0, *r.D1}, ActiveLow: r.Active == "low",
		Bias: bias(r.Bias), Consumer: consumer}
}

// bits returns the lengths of the cards that a reader gives; none: any.
func (r *ReaderCfg) bits() []int {
	switch r.Type {
	case typeSerial:
		return r.layout().Lengths()
	case typePN532:
		return []int{32, 56, 80} // UIDs of ISO/IEC 14443-3
	}
	var all []int
	for _, format := range r.formats() {
		all = append(all, format.Bits)
	}
	return all
}

// name is how messages name a reader of a door.
func (r *ReaderCfg) name(door string) string { return fmt.Sprintf("%s/%s", door, r.ID) }
