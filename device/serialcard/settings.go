package serialcard

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings change a Layout for one reader. They have the names of the site file
// and of profiles; what is empty stays as the layout has it.
type Settings struct {
	Base   string `toml:"base" json:"base,omitempty"`     // "hex" (upper case), "hex_lower", "dec"
	Order  string `toml:"order" json:"order,omitempty"`   // the byte that comes first: "msb", "lsb"
	Digits []int  `toml:"digits" json:"digits,omitempty"` // of the number; several only with prefix and check
	Prefix string `toml:"prefix" json:"prefix,omitempty"` // before the number, as "\u0002"
	Skip   int    `toml:"skip" json:"skip,omitempty"`     // characters between prefix and number
	Check  string `toml:"check" json:"check,omitempty"`   // "none", "xor" (two digits after the number), "lrc" (one byte after the end)
	Suffix string `toml:"suffix" json:"suffix,omitempty"` // between number and end
	End    string `toml:"end" json:"end,omitempty"`       // "any" (CR or LF or both), "cr", "lf", "crlf", "etx", "eot", "silence"
	AIM    bool   `toml:"aim" json:"aim,omitempty"`       // codes: take "]Q1" and its like off
	Once   bool   `toml:"once" json:"once,omitempty"`     // the module sends a card once: do not wait for a second time
}

var (
	bases  = map[string]base{"hex": hexUpper, "hex_lower": hexLower, "dec": decimal}
	orders = map[string]order{"msb": msbFirst, "lsb": lsbFirst}
	checks = map[string]check{"none": checkNone, "xor": checkDigits, "lrc": checkFrame}
	ends   = map[string]end{
		"any": endAny, "cr": endCR, "lf": endLF, "crlf": endCRLF, "etx": endETX, "eot": endEOT, "silence": endSilence,
	}
)

// With returns the layout as the settings change it, or an error for a word
// that is not known, or settings that the layout has not or that leave frames
// that can't be told apart from noise.
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

// setBinary takes the one setting that a binary frame has.
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
