package site

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gatehouse/device"
	"gatehouse/device/serialcard"
	"gatehouse/device/wiegand"
	"gatehouse/internal/strict"
	"gatehouse/sync/wire"
)

func (r *Reader) check(f *strict.Faults, at string) {
	f.If(!wire.ValidName(r.ID, false), "%s: id: want 1 to 32 of a-z, 0-9 and -", at)
	f.OneOf(at+": direction", r.Direction, "in", "out")
	if r.aboutErr != nil {
		f.Add("%s: profile = %q: %w", at, r.Profile, r.aboutErr)
		return
	}
	if r.Type == typeIDCard || r.about != nil && r.about.Type == typeIDCard {
		f.Add("%s: identity cards are read at the desk, never at a door: remove this reader, and name the module's port at the check-in: gatehouse checkin --id-card PORT", at)
		return
	}
	if r.about != nil && r.about.Type != r.Type {
		f.Add("%s: type = %q, but profile %q is of a reader of type %q: leave type out", at, r.Type, r.Profile, r.about.Type)
		return
	}
	r.checkPIN(f, at)
	switch r.Type {
	case TypeWiegand:
		r.checkWiegand(f, at)
	case TypeOSDP:
		r.checkPort(f, at, osdpRates)
		r.checkOSDP(f, at)
	case TypeSerial, TypeCode:
		r.checkPort(f, at, serialRates)
		r.checkLayout(f, at)
	case TypePN532:
		r.checkPort(f, at, serialRates)
	default:
		f.Add(`%s: type = %q: want one of %s, or a profile`, at, r.Type, strings.Join(readerTypes, ", "))
		return
	}
	r.checkForeign(f, at)
}

// checkForeign refuses keys of another type of reader, which would be ignored.
func (r *Reader) checkForeign(f *strict.Faults, at string) {
	foreign := func(given bool, key string, types ...string) {
		f.If(given && !slices.Contains(types, r.Type),
			"%s: %s belongs to readers of type %s: remove it", at, key, strings.Join(types, ", "))
	}
	foreign(r.Chip != "" || r.D0 != nil || r.D1 != nil, "chip, d0, d1", TypeWiegand)
	foreign(r.Active != "", "active", TypeWiegand)
	foreign(r.Bias != "", "bias", TypeWiegand)
	foreign(r.Keypad != nil, "keypad", TypeWiegand)
	foreign(r.LED != nil, "led", TypeWiegand)
	foreign(r.Buzzer != nil, "buzzer", TypeWiegand)
	foreign(r.ReverseBytes, "reverse_bytes", TypeWiegand)
	foreign(r.GapMS != 0, "gap_ms", TypeWiegand)
	foreign(len(r.Formats) > 0, "formats", TypeWiegand, TypeOSDP)
	foreign(r.Port != "", "port", TypeOSDP, TypeSerial, TypeCode, TypePN532)
	foreign(r.Baud != 0, "baud", TypeOSDP, TypeSerial, TypeCode, TypePN532)
	foreign(r.Layout != "", "layout", TypeSerial, TypeCode)
	foreign(!reflect.ValueOf(r.Settings).IsZero(), "settings", TypeSerial, TypeCode)
	foreign(r.Address != nil, "address", TypeOSDP)
	foreign(r.Security != "", "security", TypeOSDP)
	foreign(r.KeyFile != "", "key_file", TypeOSDP)
}

func (r *Reader) keypadKind() string {
	if r.Keypad == nil {
		return ""
	}
	return r.Keypad.Kind
}

func (r *Reader) checkPIN(f *strict.Faults, at string) {
	if r.PIN != "" {
		f.OneOf(at+": pin", r.PIN, PINWithCard, PINOnly)
		f.If(r.Direction == "out", "%s: pin: no rule may stand before the way out: remove it", at)
		f.If(!r.hasKeypad(), `%s: pin = %q needs a reader with keys: OSDP, or Wiegand with keypad = {kind = ...}`, at, r.PIN)
	}
	f.If((r.PINLength != 0 || r.PINPause != 0) && !r.hasKeypad(),
		"%s: pin_length and pin_pause_seconds need a reader with keys: OSDP, or Wiegand with keypad = {kind = ...}", at)
	least, most := 1, device.MaxPIN
	switch r.PIN {
	case PINWithCard:
		least, most = 4, 8 // limits for a tenant's choice at the check-in
	case PINOnly:
		least = device.MaxPIN // a one-time code
		f.If(r.Keypad != nil && wiegand.MostDigits(r.Keypad.Kind) < least,
			"%s: pin = %q: one-time codes have %d digits, and a keypad of kind %q sends no so long PIN: set single keys on the reader", at, r.PIN, least, r.keypadKind())
	}
	f.If(r.PINLength != 0 && (r.PINLength < least || r.PINLength > most),
		"%s: pin_length = %d: want %d to %d, or nothing where # ends each PIN", at, r.PINLength, least, most)
	f.If(r.PINPause != 0 && (r.PINPause < 1 || r.PINPause > 30), "%s: pin_pause_seconds = %d: want 1 to 30", at, r.PINPause)
}

func (r *Reader) checkWiegand(f *strict.Faults, at string) {
	checkLine(f, at+": d0", r.Chip, r.D0)
	checkLine(f, at+": d1", r.Chip, r.D1)
	f.OneOf(at+": active", r.Active, "high", "low")
	f.OneOf(at+": bias", r.Bias, "pull-up", "pull-down", "none", "as-is")
	for _, o := range r.outputs() {
		checkActive(f, at+": "+o.name, o.Chip, o.Line, o.Active)
	}
	if len(r.Formats) == 0 && r.Keypad == nil {
		f.Add(`%s: formats is missing: what this reader sends, like ["H10301"]. If nobody knows: write that, start, and call gatehouse teach`, at)
		return
	}
	if !r.checkFormats(f, at) {
		return
	}
	if err := r.Wiegand().Validate(); err != nil {
		f.Add("%s: %w", at, err)
	}
}

func (r *Reader) checkFormats(f *strict.Faults, at string) (ok bool) {
	ok = true
	for _, name := range r.Formats {
		if _, known := wiegand.Lookup(name); !known {
			ok = false
			f.Add("%s: format %q is not known: %s", at, name, formatHint(name))
		}
	}
	return ok
}

// formatHint returns the format that was probably meant, or where the list is.
func formatHint(name string) string {
	best := strict.Nearest(name, wiegand.Names(), (len(name)-2)/2) // W24 and W34 are no typos of each other
	if _, ok := wiegand.Lookup(strings.ToUpper(name)); ok {
		best = strings.ToUpper(name) // raw40 is in no list
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return `want names like "H10301"; docs/readers.md lists all, and so does gatehouse decode wiegand --format list`
}

// osdpRates are those of SIA OSDP 2.2.
var osdpRates = []int{9600, 19200, 38400, 57600, 115200, 230400}

// serialRates are the rates of all serial ports.
var serialRates = []int{300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}

func (r *Reader) checkPort(f *strict.Faults, at string, rates []int) {
	f.If(r.Port == "", "%s: port is missing: best a path under /dev/serial/by-id, which stays the same", at)
	f.If(!slices.Contains(rates, r.Baud),
		"%s: baud = %d: want one of %s", at, r.Baud, strings.Join(strings.Fields(strings.Trim(fmt.Sprint(rates), "[]")), ", "))
}

func (r *Reader) checkLayout(f *strict.Faults, at string) {
	l, ok := serialcard.Lookup(r.Layout)
	if !ok {
		f.Add("%s: layout %q is not known; known: %s", at, r.Layout, strings.Join(serialcard.Names(), ", "))
		return
	}
	if _, err := l.With(r.Settings); err != nil {
		f.Add("%s: %w", at, err)
	}
	f.If(l.Code() != (r.Type == TypeCode),
		`%s: layout %q with type = %q: scanners of codes are of type "code", readers of cards of type "serial"`, at, r.Layout, r.Type)
}

func (r *Reader) checkOSDP(f *strict.Faults, at string) {
	switch {
	case r.Address == nil:
		f.Add("%s: address is missing: 0 to 126, as the reader is set (0 as most are delivered)", at)
	case *r.Address < 0 || *r.Address > 126:
		f.Add("%s: address = %d: want 0 to 126 (127 is for all readers at once)", at, *r.Address)
	}
	f.OneOf(at+": security", r.Security, securityRequired, SecurityNone)
	f.If(r.Security == SecurityNone && r.KeyFile != "", `%s: key_file with security = "none": remove one of them`, at)
	f.If(r.KeyFile != "" && !filepath.IsAbs(r.KeyFile), "%s: key_file = %q: want a whole path, beginning with /", at, r.KeyFile)
	r.checkFormats(f, at)
}

// checkPorts refuses one port for two readers, except for OSDP readers with own addresses and one
// baud rate.
func (s *Site) checkPorts(f *strict.Faults) {
	type user struct {
		name string
		r    *Reader
	}
	used := map[string][]user{}
	for door, r := range s.readers() {
		if r.Port == "" {
			continue
		}
		me := user{door + " " + r.ID, r}
		for _, o := range used[r.Port] {
			switch {
			case r.Type != TypeOSDP || o.r.Type != TypeOSDP:
				f.Add("port %s is used for %s and for %s", r.Port, o.name, me.name)
			case r.Baud != o.r.Baud:
				f.Add("%s and %s are on one bus (%s) with baud = %d and %d: all readers of a bus have the same", o.name, me.name, r.Port, o.r.Baud, r.Baud)
			case r.Address != nil && o.r.Address != nil && *r.Address == *o.r.Address:
				f.Add("%s and %s are on one bus (%s) with address = %d: each needs its own", o.name, me.name, r.Port, *r.Address)
			}
		}
		used[r.Port] = append(used[r.Port], me)
	}
}

// checkKeyFiles refuses one file for the keys of two readers, which would overwrite each other.
// Different names may give one file, too: a-b with c, and a with b-c.
func (s *Site) checkKeyFiles(f *strict.Faults) {
	used := map[string]string{}
	for door, r := range s.readers() {
		if !r.hasKey() {
			continue
		}
		path, me := filepath.Clean(s.KeyFile(door, r).path), r.Name(door)
		if other, ok := used[path]; ok {
			f.Add("%s and %s keep their keys in one file (%s): give one of them another key_file", other, me, path)
		}
		used[path] = me
	}
}
