package gateway

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	profiles "gatehouse/firmware-profiles"
	"gatehouse/internal/keyring"
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
	typeIDCard  = "idcard" // of profiles only: it is at the desk, not at a door

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
	switch r.Type {
	case typeWiegand:
		set(&r.Active, "low")
		set(&r.Bias, "pull-up")
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
	if r.Type != typeWiegand {
		set(&r.Baud, 9600)
	}
	for _, o := range r.outputs() {
		set(&o.Active, "low") // a reader's inputs are pulled to ground
	}
}

// output is a line to one of the reader's own inputs.
type output struct {
	name string
	*SignalCfg
}

// outputs are those that are wired.
func (r *ReaderCfg) outputs() (all []output) {
	for _, o := range []output{{"led", r.LED}, {"buzzer", r.Buzzer}} {
		if o.SignalCfg != nil {
			all = append(all, o)
		}
	}
	return all
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

func (r *ReaderCfg) hasKeypad() bool {
	return r.Type == typeOSDP || r.Type == typeWiegand && r.Keypad != nil
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

// layout returns what the reader sends. The check has refused what is wrong.
func (r *ReaderCfg) layout() serialcard.Layout {
	l, _ := serialcard.Lookup(r.Layout)
	l, _ = l.With(r.Settings)
	return l
}

// keyFile is where the key of an OSDP reader is kept.
func (s *Site) keyFile(door string, r *ReaderCfg) string {
	if r.KeyFile != "" {
		return r.KeyFile
	}
	return s.path("readers", door+"-"+r.ID+".key")
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

// shapes returns how the reader sends numbers. A format that leaves bits of them out
// is none.
func (r *ReaderCfg) shapes() (all []keyring.Shape) {
	known := r.bits()
	switch {
	case r.Type == typeCode:
	case len(known) == 0:
		all = keyring.UsualShapes()
	case r.Type == typeWiegand:
		for _, f := range r.formats() {
			all = append(all, keyring.Shape{Format: f.Name, Bits: f.Whole()})
		}
	default:
		for _, n := range known {
			all = append(all, keyring.Shape{Bits: n})
		}
	}
	return all
}

// shapes returns how the site's readers send numbers.
func (s *Site) shapes() (all []keyring.Shape) {
	for _, d := range s.Doors {
		for _, r := range d.Readers {
			for _, shape := range r.shapes() {
				if !slices.Contains(all, shape) {
					all = append(all, shape)
				}
			}
		}
	}
	return all
}

// name is how messages name a reader of a door.
func (r *ReaderCfg) name(door string) string { return fmt.Sprintf("%s/%s", door, r.ID) }
