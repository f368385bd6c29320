package site

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"gatehouse/device"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/profile"
)

func (r *Reader) defaults(known profile.Set) {
	if r.Profile != "" {
		r.fill(known)
	}
	set(&r.Direction, "in")
	switch r.Type {
	case TypeWiegand:
		set(&r.Active, "low")
		set(&r.Bias, "pull-up")
	case TypeSerial:
		set(&r.Layout, "rdm6300")
	case TypeCode:
		set(&r.Layout, "code")
	case TypePN532:
		set(&r.Baud, 115200) // PN532 user manual, HSU
	case TypeOSDP:
		set(&r.Security, securityRequired)
	}
	if l, ok := serialcard.Lookup(r.Layout); ok && (r.Type == TypeSerial || r.Type == TypeCode) {
		set(&r.Baud, l.Baud)
	}
	if r.Type != TypeWiegand {
		set(&r.Baud, 9600)
	}
	for _, o := range r.outputs() {
		set(&o.Active, "low") // a reader's inputs are pulled to ground
	}
}

// output is a line to one of the reader's own inputs.
type output struct {
	name string
	*Signal
}

// outputs returns the wired ones.
func (r *Reader) outputs() (all []output) {
	for _, o := range []output{{"led", r.LED}, {"buzzer", r.Buzzer}} {
		if o.Signal != nil {
			all = append(all, o)
		}
	}
	return all
}

// fill completes the site file's settings from the profile.
func (r *Reader) fill(known profile.Set) {
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
		r.Keypad = &Keypad{Kind: k.Kind, Codes: k.Codes, Facility: k.Facility}
		set(&r.PINLength, k.Length)
	}
	set(&r.GapMS, p.GapMS)
	set(&r.ReverseBytes, p.ReverseBytes)
	if p.Settings != nil && reflect.ValueOf(r.Settings).IsZero() {
		r.Settings = *p.Settings
	}
}

// Indications returns how the profile's reader shows each feedback; nil: unknown.
func (r *Reader) Indications() map[string]profile.Indication {
	if r.about == nil {
		return nil
	}
	return r.about.Indications
}

// hasKey reports whether a reader's line is secured by a key of its own.
func (r *Reader) hasKey() bool { return r.Type == TypeOSDP && r.Security != SecurityNone }

func (r *Reader) hasKeypad() bool {
	return r.Type == TypeOSDP || r.Type == TypeWiegand && r.Keypad != nil
}

// Wiegand returns the reader's settings, once the formats are known.
func (r *Reader) Wiegand() wiegand.Config {
	cfg := wiegand.Config{Source: r.ID, Gap: time.Duration(r.GapMS) * time.Millisecond, ReverseBytes: r.ReverseBytes, Formats: r.WireFormats()}
	if k := r.Keypad; k != nil {
		cfg.Keypad = wiegand.Keypad{Kind: k.Kind, Codes: k.Codes, Facility: k.Facility, Length: r.PINLength, Pause: r.KeyPause()}
	}
	return cfg
}

// WireFormats returns the Wiegand formats that the reader names.
func (r *Reader) WireFormats() (all []wiegand.Format) {
	for _, name := range r.Formats {
		if format, ok := wiegand.Lookup(name); ok {
			all = append(all, format)
		}
	}
	return all
}

// KeyPause returns the longest pause between the keys of a PIN; 0: the default of the reader's
// package.
func (r *Reader) KeyPause() time.Duration { return time.Duration(r.PINPause) * time.Second }

// SerialLayout returns the layout of the reader's frames. The check has refused bad settings.
func (r *Reader) SerialLayout() serialcard.Layout {
	l, _ := serialcard.Lookup(r.Layout)
	l, _ = l.With(r.Settings)
	return l
}

// KeyFile returns the file with the keys of an OSDP reader.
func (s *Site) KeyFile(door string, r *Reader) KeyFile {
	if r.KeyFile != "" {
		return KeyFile{r.KeyFile}
	}
	return KeyFile{s.Path("readers", door+"-"+r.ID+".key")}
}

// Lines returns the request for the reader's two data lines.
func (r *Reader) Lines(consumer string) device.LinesConfig {
	return device.LinesConfig{Chip: r.Chip, Offsets: []int{*r.D0, *r.D1}, ActiveLow: r.Active == "low",
		Bias: bias(r.Bias), Consumer: consumer}
}

// Bits returns the lengths of the cards that a reader sends; none: any.
func (r *Reader) Bits() []int {
	switch r.Type {
	case TypeSerial:
		return r.SerialLayout().Lengths()
	case TypePN532:
		return []int{32, 56, 80} // UIDs of ISO/IEC 14443-3
	}
	var all []int
	for _, format := range r.WireFormats() {
		all = append(all, format.Bits)
	}
	return all
}

// Shapes returns the forms in which the reader sends numbers, except for formats that leave out
// bits of them.
func (r *Reader) Shapes() (all []cardnumber.Shape) {
	known := r.Bits()
	switch {
	case r.Type == TypeCode:
	case len(known) == 0:
		all = cardnumber.UsualShapes()
	case r.Type == TypeWiegand:
		for _, f := range r.WireFormats() {
			all = append(all, cardnumber.Shape{Format: f.Name, Bits: f.NumberBits()})
		}
	default:
		for _, n := range known {
			all = append(all, cardnumber.Shape{Bits: n})
		}
	}
	return all
}

// Shapes returns the forms in which the site's readers send numbers.
func (s *Site) Shapes() (all []cardnumber.Shape) {
	for _, r := range s.readers() {
		for _, shape := range r.Shapes() {
			if !slices.Contains(all, shape) {
				all = append(all, shape)
			}
		}
	}
	return all
}

// Name returns the name of a door's reader for messages.
func (r *Reader) Name(door string) string { return fmt.Sprintf("%s/%s", door, r.ID) }
