// Package strict reads TOML files strictly: an unknown key, a key that stands twice and a
// value of the wrong type are errors, each with its place and with what was probably meant.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// Read decodes the text of a TOML file into what v points to. Examples says how values of
// a type are written, for whoever wrote another; nil: only the simple types have such words.
// The error lists every unknown key, or the first other fault.
func Read(raw []byte, v any, examples map[reflect.Type]string) error {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff")) // some editors put it there
	if err := encoding(raw); err != nil {
		return err
	}
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(v); err != nil {
		return explain(err, string(raw), schema{reflect.TypeOf(v).Elem(), examples})
	}
	return nil
}

// encoding refuses a file that is not UTF-8, with the first line that shows it.
func encoding(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	line := 1
	for l := range bytes.Lines(text) {
		if !utf8.Valid(l) {
			break
		}
		line++
	}
	return fmt.Errorf("line %d: it is not UTF-8: save the file as UTF-8 in the editor", line)
}

// explain says what the parser found wrong in a text, and what was meant.
func explain(err error, text string, known schema) error {
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &missing):
		var all []error
		for _, e := range missing.Errors {
			line, col := e.Position()
			key := inner(e.Key(), before(text, line, col))
			all = append(all, fmt.Errorf("line %d: unknown key %q%s", line, strings.Join(key, "."), known.meant(key)))
		}
		return errors.Join(all...)
	case errors.As(err, &wrong):
		line, col := wrong.Position()
		at := fmt.Sprintf("line %d, column %d: ", line, col)
		if line == 1 && col == 1 {
			at = "" // the parser has lost the place: no value stands there
		}
		if strings.Contains(wrong.Error(), "cannot decode TOML") || strings.Contains(wrong.Error(), "cannot store") {
			return fmt.Errorf("%s%s", at, known.wrongType(wrong.Key(), before(text, line, col)))
		}
		if r := runeAt(text, line, col); r >= utf8.RuneSelf && unicode.IsGraphic(r) && strings.Contains(wrong.Error(), "unexpected character") {
			return fmt.Errorf("%s%q can't stand there: write text between straight quotation marks, as \"front\", and numbers with the digits 0 to 9", at, r)
		}
		return fmt.Errorf("%s%w", at, err)
	}
	return err
}

// runeAt is the character at a place in the file.
func runeAt(text string, line, col int) rune {
	rest := strings.Join(strings.Split(text, "\n")[max(0, line-1):], "\n")
	r, _ := utf8.DecodeRuneInString(rest[len(before(text, line, col)):])
	return r
}

// before is the part of a line that stands before a place in the file.
func before(text string, line, col int) string {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	l := lines[line-1]
	return l[:max(0, min(col-1, len(l)))]
}

// The parser's keys leave out what stands in a table on one line, as in
// relay = {chip = "gpiochip0", line = 17}.
var (
	openTable = regexp.MustCompile(`([\w.-]+)\s*=\s*\{[^{}]*$`)
	lastKey   = regexp.MustCompile(`[{,]\s*([\w-]+)\s*=[^=]*$`)
)

// inner adds to an unknown key the table on one line that it stands in.
func inner(key []string, before string) []string {
	m := openTable.FindStringSubmatch(before)
	if m == nil || len(key) == 0 {
		return key
	}
	last := len(key) - 1
	path := append(append([]string{}, key[:last]...), strings.Split(m[1], ".")...)
	return append(path, key[last])
}

// Faults collects what a check finds wrong with a file that could be read. The zero value has none.
type Faults []error

// Add notes a fault.
func (f *Faults) Add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

// If notes a fault where something is wrong.
func (f *Faults) If(wrong bool, format string, args ...any) {
	if wrong {
		f.Add(format, args...)
	}
}

// OneOf notes a word that is none of those allowed.
func (f *Faults) OneOf(what, v string, allowed ...string) {
	f.If(!slices.Contains(allowed, v), "%s = %q: want one of %s", what, v, strings.Join(allowed, ", "))
}

// Within notes a number that is below or above its bounds.
func (f *Faults) Within(what string, v, least, most int) {
	f.If(v < least || v > most, "%s = %d: want %d to %d", what, v, least, most)
}

// Join makes one error of all faults; nil: there is none.
func (f Faults) Join() error { return errors.Join(f...) }
