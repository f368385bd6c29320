package profile

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"gatehouse/device"
	"gatehouse/device/osdp/protocol"
	"gatehouse/device/serialcard"
	"gatehouse/internal/strict"
)

// Reader describes a reader or module: how it is wired and what it sends. The settings have their
// names of the site file, whose missing values a profile fills in.
type Reader struct {
	Name     string   `toml:"name" json:"name"`
	Title    string   `toml:"title" json:"title"`
	Maker    string   `toml:"maker" json:"maker"`
	Type     string   `toml:"type" json:"type"` // see types
	Tried    bool     `toml:"tried" json:"tried"`
	Notes    []string `toml:"notes" json:"notes,omitempty"`
	Warnings []string `toml:"warnings" json:"warnings,omitempty"` // what an attacker can do with it
	Source   []string `toml:"source" json:"source"`               // of the settings below

	Formats      []string             `toml:"formats" json:"formats,omitempty"` // wiegand, osdp: what it sends as delivered
	GapMS        int                  `toml:"gap_ms" json:"gap_ms,omitempty"`   // wiegand
	ReverseBytes bool                 `toml:"reverse_bytes" json:"reverse_bytes,omitempty"`
	Keypad       *Keypad              `toml:"keypad" json:"keypad,omitempty"` // wiegand
	Baud         int                  `toml:"baud" json:"baud,omitempty"`     // osdp, serial, code, pn532, idcard
	Layout       string               `toml:"layout" json:"layout,omitempty"` // serial, code
	Settings     *serialcard.Settings `toml:"settings" json:"settings,omitempty"`

	// The wire as the maker describes it, in microseconds. The samples are played with this
	// interval.
	PulseUS    int `toml:"pulse_us" json:"pulse_us,omitempty"`
	IntervalUS int `toml:"interval_us" json:"interval_us,omitempty"`

	Sources     map[string]string     `toml:"sources" json:"sources"`
	Wires       []Wire                `toml:"wire" json:"wires,omitempty"`
	Indications map[string]Indication `toml:"indication" json:"indications,omitempty"`
	Quirks      []Quirk               `toml:"quirk" json:"quirks,omitempty"`
	Samples     []Sample              `toml:"sample" json:"samples"`
}

// types returns the types of readers, as in the site file; code is a scanner of bar codes and QR
// codes, idcard an ID-card module at the desk.
func types() []string { return []string{"wiegand", "osdp", "serial", "code", "pn532", "idcard"} }

// Keypad is how a Wiegand reader sends keys, with the names of wiegand.Keypad.
type Keypad struct {
	Kind     string `toml:"kind" json:"kind"`
	Codes    string `toml:"codes" json:"codes,omitempty"`
	Facility int    `toml:"facility" json:"facility,omitempty"`
	Length   int    `toml:"length" json:"length,omitempty"` // of its PINs; 0: # ends each
}

// Wire is a wire or pin of the reader.
type Wire struct {
	Name   string   `toml:"name" json:"name"`     // what it is: D0, D1, green LED, ...
	Colour string   `toml:"colour" json:"colour"` // of the wire, or the terminal's name
	Active string   `toml:"active" json:"active,omitempty"`
	Note   string   `toml:"note" json:"note,omitempty"`
	Source []string `toml:"source" json:"source"`
}

// Indication is what the reader shows for one feedback. Times are in milliseconds.
type Indication struct {
	LED    string `toml:"led" json:"led,omitempty"`       // colour
	OnMS   int    `toml:"on_ms" json:"on_ms,omitempty"`   // of a blinking light; 0: steady
	OffMS  int    `toml:"off_ms" json:"off_ms,omitempty"` // of a blinking light
	ForMS  int    `toml:"for_ms" json:"for_ms,omitempty"` // then as before; 0: until the next feedback
	Beeps  int    `toml:"beeps" json:"beeps,omitempty"`
	BeepMS int    `toml:"beep_ms" json:"beep_ms,omitempty"` // of one beep, and of the pause after it
	Text   string `toml:"text" json:"text,omitempty"`
}

// feedbacks returns the names of feedback for indications.
func feedbacks() (names []string) {
	for _, f := range device.Feedbacks() {
		names = append(names, f.String())
	}
	return names
}

// colours returns the names of the colours of an OSDP LED.
func colours() (names []string) {
	for c := protocol.Black; c <= protocol.White; c++ {
		names = append(names, c.String())
	}
	return names
}

// Quirk is a different behaviour of a certain version.
type Quirk struct {
	Versions string   `toml:"versions" json:"versions"` // of firmware or model, as the source says
	Text     string   `toml:"text" json:"text"`
	Source   []string `toml:"source" json:"source"`
}

// Sample is something that the device sends, and its expected result.
type Sample struct {
	Title  string   `toml:"title" json:"title"`
	Source []string `toml:"source" json:"source"`           // keys of [sources], or computed
	Bits   string   `toml:"bits" json:"bits,omitempty"`     // wiegand: one frame of 0 and 1
	Bursts []string `toml:"bursts" json:"bursts,omitempty"` // wiegand: the frames of a keypad
	Hex    string   `toml:"hex" json:"hex,omitempty"`       // bytes on the wire
	Text   string   `toml:"text" json:"text,omitempty"`     // bytes on the wire, as a TOML string
	Want   Want     `toml:"want" json:"want"`
}

// Want is the expected result of a sample: one of card, PIN, code, ID number, fault.
type Want struct {
	Bits     int     `toml:"bits" json:"bits,omitempty"`     // of the card
	Hex      string  `toml:"hex" json:"hex,omitempty"`       // the card left-justified
	Format   string  `toml:"format" json:"format,omitempty"` // of Facility and Card
	Facility *uint64 `toml:"facility" json:"facility,omitempty"`
	Card     *uint64 `toml:"card" json:"card,omitempty"`
	PIN      string  `toml:"pin" json:"pin,omitempty"`
	Code     string  `toml:"code" json:"code,omitempty"`
	Number   string  `toml:"id_number" json:"id_number,omitempty"`
	Fault    string  `toml:"fault" json:"fault,omitempty"` // the name of a device.Fault
}

// maxSamples bounds the time of a check.
const maxSamples = 64

// ParseReader reads a profile strictly. The error lists every fault, each with what to do. Check
// decodes the samples.
func ParseReader(raw []byte) (Reader, error) {
	var r Reader
	if err := parse(raw, &r); err != nil {
		return Reader{}, err
	}
	var f strict.Faults
	checkHead(&f, r.Name, r.Title)
	f.If(r.Maker == "", `maker is missing; "various" where many make it`)
	f.OneOf("type", r.Type, types()...)
	s := newSources(&f, r.Sources)
	s.cite("settings", r.Source...)
	r.checkSettings(&f)
	for _, w := range r.Wires {
		f.If(w.Name == "" || w.Colour == "", "wire %q: give name and colour", w.Name)
		if w.Active != "" {
			f.OneOf("wire "+w.Name+": active", w.Active, "high", "low")
		}
		s.cite("wire "+w.Name, w.Source...)
	}
	for name, in := range r.Indications {
		in.check(&f, name)
	}
	for _, q := range r.Quirks {
		f.If(q.Versions == "" || q.Text == "", "quirk: give versions and text")
		s.cite("quirk of "+q.Versions, q.Source...)
	}
	r.checkSamples(&f, s)
	s.done()
	return r, sorted(f)
}

// only lists the types to which a setting belongs.
var only = map[string][]string{
	"formats": {"wiegand", "osdp"}, "keypad": {"wiegand"}, "gap_ms": {"wiegand"}, "reverse_bytes": {"wiegand"},
	"pulse_us": {"wiegand"}, "interval_us": {"wiegand"}, "layout": {"serial", "code"}, "settings": {"serial", "code"},
	"baud": {"osdp", "serial", "code", "pn532", "idcard"},
}

func (r Reader) checkSettings(f *strict.Faults) {
	given := map[string]bool{"formats": len(r.Formats) > 0, "keypad": r.Keypad != nil, "gap_ms": r.GapMS != 0,
		"reverse_bytes": r.ReverseBytes, "pulse_us": r.PulseUS != 0, "interval_us": r.IntervalUS != 0,
		"layout": r.Layout != "", "settings": r.Settings != nil, "baud": r.Baud != 0}
	for key, ok := range given {
		f.If(ok && !slices.Contains(only[key], r.Type),
			"%s belongs to type %s, not to %s: remove it", key, strings.Join(only[key], ", "), r.Type)
	}
	switch r.Type {
	case "wiegand":
		f.If(len(r.Formats) == 0 && r.Keypad == nil, `formats is missing: what this reader sends, the usual first, like ["H10301"]`)
		if given["pulse_us"] {
			f.Within("pulse_us", r.PulseUS, 10, 1000)
		}
		if given["interval_us"] {
			f.Within("interval_us", r.IntervalUS, 100, 20000)
		}
	case "osdp", "serial", "code", "pn532", "idcard":
		f.Within("baud", r.Baud, 300, 921600)
	}
}

func (in Indication) check(f *strict.Faults, name string) {
	at := "indication." + name
	f.OneOf("indication", name, feedbacks()...)
	if in.LED != "" {
		f.OneOf(at+": led", in.LED, colours()...)
	}
	for what, v := range map[string]int{"on_ms": in.OnMS, "off_ms": in.OffMS, "for_ms": in.ForMS, "beep_ms": in.BeepMS} {
		f.If(v%100 != 0, "%s: %s = %d: readers count in steps of 100 ms", at, what, v)
		most := 25500
		if what == "for_ms" {
			most = 6553500
		}
		f.Within(at+": "+what, v, 0, most)
	}
	f.Within(at+": beeps", in.Beeps, 0, 255)
	f.If((in.Beeps > 0) != (in.BeepMS > 0), "%s: beeps and beep_ms belong together", at)
	f.If((in.OnMS > 0) != (in.OffMS > 0), "%s: on_ms and off_ms belong together: leave both out for a steady light", at)
	f.If(in.LED == "" && in.Beeps == 0 && in.Text == "", "%s shows nothing: give led, beeps or text", at)
	f.If(len(in.Text) > 32, "%s: text of %d bytes: a reader's display has 32", at, len(in.Text))
}

func (r Reader) checkSamples(f *strict.Faults, s *sources) {
	f.If(len(r.Samples) == 0, "no [[sample]]: give at least one frame and what must come of it: a profile has its proof inside")
	f.Within("number of samples", len(r.Samples), 0, maxSamples)
	good := false
	for i, p := range r.Samples {
		at := fmt.Sprintf("sample %d (%s)", i+1, p.Title)
		f.If(p.Title == "", "%s: title is missing: say what it shows", at)
		if !slices.Equal(p.Source, []string{computed}) {
			s.cite(at, p.Source...)
		}
		if err := p.inputs(r.Type); err != nil {
			f.Add("%s: %w", at, err)
		}
		if err := p.Want.check(); err != nil {
			f.Add("%s: want: %w", at, err)
		}
		good = good || p.Want.Fault == ""
	}
	f.If(!good && len(r.Samples) > 0, "every sample wants a fault: give one that the device sends for a card")
}

// one reports whether exactly one is given.
func one(given ...bool) bool {
	return len(slices.DeleteFunc(given, func(yes bool) bool { return !yes })) == 1
}

// inputs refuses a sample without exactly one input of its reader's kind.
func (p Sample) inputs(kind string) error {
	onBits := p.Bits != "" || len(p.Bursts) > 0
	if !one(p.Bits != "", len(p.Bursts) > 0, p.Hex != "", p.Text != "") || onBits != (kind == "wiegand") {
		return fmt.Errorf("give one of bits, bursts (both wiegand), hex, text (the others)")
	}
	for _, b := range append(slices.Clone(p.Bursts), p.Bits) {
		if strings.Trim(b, "01 ") != "" {
			return fmt.Errorf("%q: want 0 and 1", b)
		}
	}
	_, err := p.Bytes()
	return err
}

// Bytes returns the sample's bytes on the wire: its text, or its hex, which may have spaces and line ends.
func (p Sample) Bytes() ([]byte, error) {
	if p.Text != "" {
		return []byte(p.Text), nil
	}
	raw, err := hex.DecodeString(strings.Join(strings.Fields(p.Hex), ""))
	if err != nil {
		return nil, fmt.Errorf("hex: %w", err)
	}
	return raw, nil
}

func (w Want) check() error {
	card := w.Hex != "" || w.Bits != 0 || w.Format != "" || w.Facility != nil || w.Card != nil
	switch {
	case !one(card, w.PIN != "", w.Code != "", w.Number != "", w.Fault != ""):
		return fmt.Errorf("say one of a card (bits and hex), pin, code, id_number, fault")
	case !card:
		return nil
	case w.Bits < 1 || w.Bits > 256 || w.Hex == "":
		return fmt.Errorf("a card has bits = 1 to 256 and hex, left-justified")
	case w.Format == "" && (w.Facility != nil || w.Card != nil):
		return fmt.Errorf("facility and card need the format that they are numbers of")
	}
	if raw, err := hex.DecodeString(w.Hex); err != nil || len(raw) != (w.Bits+7)/8 {
		return fmt.Errorf("hex = %q: want %d bytes for %d bits", w.Hex, (w.Bits+7)/8, w.Bits)
	}
	return nil
}
