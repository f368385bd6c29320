// Package serialcard reads cards and codes from modules that send each as a short frame over a
// serial line: RDM6300 and its clones, ID-12, EM-18, 7941D and 7941W, desktop readers that send a
// line of text, bar-code scanners.
//
// A Layout describes, as data, what a module sends; Settings change it for one reader. One Decoder
// and one Reader serve all layouts. The package refuses numbers with a wrong checksum, numbers that
// clones of the modules are known to make up, and hex digits in the wrong case, and never completes
// a partial frame: noise on the line is a fault, never a card. It does not judge the content of a
// code.
//
// # Bits
//
// A card has as many bits as its number has in the module's own frame: 40 for an EM4100, 4 for each
// hex digit, 32 for ten decimal digits, whole bytes for a UID. People are matched by these bits, so
// a reader's byte order and base must be set right before cards are given out, and be the same at
// every door.
package serialcard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/device"
)

// Layout describes what one kind of module sends, as changed by Settings; the zero Layout is none.
type Layout struct {
	Name    string
	Title   string        // the modules that send it, for people
	Baud    int           // factory setting; 8 data bits, no parity, one stop bit
	Confirm time.Duration // a new card counts when it is read a second time within this; 0: at once

	text   text
	binary *binary // not nil: text is unused
}

// confirm is for modules that make up cards with right checksums. They repeat their frame about
// every 50 ms while a card is there, so that a second frame can be required.
const confirm = 200 * time.Millisecond

// layouts are from the modules' manuals, unless another source is named.
var layouts = []Layout{
	{
		Name: "rdm6300", Title: "RDM6300, RDM630 and clones (EM4100)", Baud: 9600, Confirm: confirm,
		text: text{prefix: "\x02", base: hexUpper, digits: []int{10}, check: checkDigits, end: endETX},
	}, {
		Name: "seeed", Title: "Seeed Grove 125 kHz (EM4100)", Baud: 9600, Confirm: confirm,
		text: text{prefix: "\x02", base: hexUpper, digits: []int{10}, check: checkDigits, end: endETX},
	}, {
		Name: "id12", Title: "ID-2, ID-12, ID-20 (EM4100)", Baud: 9600,
		text: text{prefix: "\x02", base: hexUpper, digits: []int{10}, check: checkDigits, suffix: "\r\n", end: endETX},
	}, {
		Name: "em18", Title: "EM-18 (EM4100)", Baud: 9600,
		text: text{base: hexUpper, digits: []int{10}, check: checkDigits, end: endSilence},
	}, {
		Name: "7941d", Title: "7941D, 7941E and desktop readers with the same binary frame (EM4100, MIFARE)", Baud: 9600,
		binary: &frame7941D,
	}, {
		// Its baud rate is that of programs in the field; sheets give none.
		Name: "7941w", Title: "7941W (EM4100, MIFARE), which is polled", Baud: 115200,
		binary: &frame7941W,
	}, {
		// The manual has 10 characters for 4 bytes and 8 for 3: these are
		// decimal digits.
		Name: "idteck", Title: "IDTECK SR10, SR30, RFK101", Baud: 9600,
		text: text{prefix: "\x02", base: decimal, digits: []int{10, 8}, end: endETX, check: checkFrame},
	}, {
		Name: "codatex", Title: "Codatex", Baud: 9600,
		text: text{prefix: "\x02R", base: hexUpper, digits: []int{10}, end: endEOT},
	}, {
		Name: "sp-d300", Title: "Super-RFID SP-D300", Baud: 38400,
		text: text{prefix: "\x02", base: hexUpper, digits: []int{4}, end: endSilence},
	}, {
		Name: "mf7", Title: "PROMAG MF7 as delivered, hex output (MIFARE)", Baud: 19200,
		text: text{base: hexUpper, order: lsbFirst, digits: []int{8}, end: endCRLF},
	}, {
		Name: "line", Title: "any reader that sends its number as a line of text", Baud: 9600,
		text: text{base: decimal, digits: []int{10}, end: endAny},
	}, {
		Name: "code", Title: "QR and bar-code scanners", Baud: 9600,
		text: text{base: printable, end: endAny},
	},
}

// otherNames are other names of the same modules.
var otherNames = map[string]string{"rdm630": "rdm6300", "id20": "id12", "7941e": "7941d", "idtech": "idteck", "sr30": "idteck"}

// Lookup returns a copy of the layout with that name, which the caller may change, for example to
// switch Confirm off for one reader.
func Lookup(name string) (Layout, bool) {
	if other, ok := otherNames[name]; ok {
		name = other
	}
	i := slices.IndexFunc(layouts, func(l Layout) bool { return l.Name == name })
	if i < 0 {
		return Layout{}, false
	}
	return layouts[i], true
}

// Names returns the names of all layouts, without the other names that Lookup accepts.
func Names() []string {
	names := make([]string, len(layouts))
	for i, l := range layouts {
		names[i] = l.Name
	}
	return names
}

// Code reports whether the layout gives codes (device.CodeRead), not cards.
func (l Layout) Code() bool { return l.binary == nil && l.text.base == printable }

// Lengths returns the sizes in bits of the layout's cards, the smallest first; none for a layout of
// codes.
func (l Layout) Lengths() []int {
	var bits []int
	if l.binary != nil {
		for _, k := range l.binary.kinds {
			if k.bytes > 0 {
				bits = append(bits, 8*k.bytes)
			}
		}
	} else if l.text.base != printable {
		for _, n := range l.text.digits {
			bits = append(bits, l.text.base.bits(n))
		}
	}
	slices.Sort(bits)
	return slices.Compact(bits)
}

// Encode returns the frame that a module would send for the card. The error contains only the
// card's length.
func (l Layout) Encode(card device.Card) ([]byte, error) {
	if err := l.valid(); err != nil {
		return nil, err
	}
	if !slices.Contains(l.Lengths(), card.Len()) {
		return nil, fmt.Errorf("encode %v as %s: want %v bits", card, l.Name, l.Lengths())
	}
	if l.binary != nil {
		return l.binary.encode(card), nil
	}
	return l.text.encode(card), nil
}

// valid refuses a layout whose frames the decoder can't separate.
func (l Layout) valid() error {
	if l.Confirm < 0 {
		return fmt.Errorf("layout %s: negative time to confirm", l.Name)
	}
	if l.binary != nil {
		return nil // from the table; Settings change only its byte order
	}
	if err := l.text.valid(); err != nil {
		return fmt.Errorf("layout %q: %w", l.Name, err)
	}
	return nil
}

// EndsBySilence reports whether only 50 ms of silence ends a frame.
func (l Layout) EndsBySilence() bool { return l.binary == nil && l.text.end == endSilence }

// Settings change a Layout for one reader, under the names of the site file and of profiles. An
// empty setting leaves the layout as it is.
type Settings struct {
	Base   string `toml:"base" json:"base,omitempty"`     // "hex" (upper case), "hex_lower", "dec"
	Order  string `toml:"order" json:"order,omitempty"`   // the byte that comes first: "msb", "lsb"
	Digits []int  `toml:"digits" json:"digits,omitempty"` // of the number; several only with prefix and check
	Prefix string `toml:"prefix" json:"prefix,omitempty"` // before the number, as "\u0002"
	Skip   int    `toml:"skip" json:"skip,omitempty"`     // characters between prefix and number
	Check  string `toml:"check" json:"check,omitempty"`   // "none", "xor" (two digits after the number), "lrc" (one byte after the end)
	Suffix string `toml:"suffix" json:"suffix,omitempty"` // between number and end
	End    string `toml:"end" json:"end,omitempty"`       // "any" (CR or LF or both), "cr", "lf", "crlf", "etx", "eot", "silence"
	AIM    bool   `toml:"aim" json:"aim,omitempty"`       // codes: remove the AIM identifier, such as "]Q1"
	Once   bool   `toml:"once" json:"once,omitempty"`     // the module sends a card only once: do not wait for a second frame
}

var (
	bases  = map[string]base{"hex": hexUpper, "hex_lower": hexLower, "dec": decimal}
	orders = map[string]order{"msb": msbFirst, "lsb": lsbFirst}
	checks = map[string]check{"none": checkNone, "xor": checkDigits, "lrc": checkFrame}
	ends   = map[string]end{
		"any": endAny, "cr": endCR, "lf": endLF, "crlf": endCRLF, "etx": endETX, "eot": endEOT, "silence": endSilence,
	}
)

// With returns the layout as changed by the settings. The error is for an unknown word, for a
// setting that the layout has not, and for settings that make frames that can't be distinguished
// from noise.
func (l Layout) With(s Settings) (Layout, error) {
	out := l
	if s.Once {
		out.Confirm = 0
	}
	err := out.set(s)
	if err == nil {
		err = out.valid()
	}
	if err != nil {
		return Layout{}, fmt.Errorf("settings of layout %s: %w", l.Name, err)
	}
	return out, nil
}

func (l *Layout) set(s Settings) error {
	if l.binary != nil {
		return l.setBinary(s)
	}
	t := &l.text
	if l.Code() && (s.Base != "" || s.Order != "") {
		return fmt.Errorf("a code has neither base nor order")
	}
	if s.Digits != nil {
		t.digits = slices.Clone(s.Digits)
	}
	t.prefix, t.suffix, t.skip = cmp.Or(s.Prefix, t.prefix), cmp.Or(s.Suffix, t.suffix), cmp.Or(s.Skip, t.skip)
	t.aim = t.aim || s.AIM
	return cmp.Or(choose(&t.base, "base", s.Base, bases), choose(&t.order, "order", s.Order, orders),
		choose(&t.check, "check", s.Check, checks), choose(&t.end, "end", s.End, ends))
}

// setBinary applies the byte order, the only setting of a binary frame.
func (l *Layout) setBinary(s Settings) error {
	b := *l.binary
	if err := choose(&b.order, "order", s.Order, orders); err != nil {
		return err
	}
	if s.Base != "" || s.Digits != nil || s.Prefix != "" || s.Skip != 0 || s.Check != "" || s.Suffix != "" || s.End != "" || s.AIM {
		return fmt.Errorf("its frame is binary: only order can be set")
	}
	l.binary = &b
	return nil
}

func choose[T any](to *T, what, word string, known map[string]T) error {
	if word == "" {
		return nil
	}
	v, ok := known[word]
	if !ok {
		return fmt.Errorf("%s %q is not known; known: %s", what, word, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	*to = v
	return nil
}
