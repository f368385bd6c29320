package site

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"gatehouse/device/serialcard"
)

// explain says what the parser found wrong in a site file, and what was meant.
func explain(err error, text string) error {
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &missing):
		var all []error
		for _, e := range missing.Errors {
			line, col := e.Position()
			key := inner(e.Key(), before(text, line, col))
			all = append(all, fmt.Errorf("line %d: unknown key %q%s", line, strings.Join(key, "."), nearest(key)))
		}
		return errors.Join(all...)
	case errors.As(err, &wrong):
		line, col := wrong.Position()
		at := fmt.Sprintf("line %d, column %d: ", line, col)
		if line == 1 && col == 1 {
			at = "" // the parser has lost the place: no value stands there
		}
		if strings.Contains(wrong.Error(), "cannot decode TOML") || strings.Contains(wrong.Error(), "cannot store") {
			return fmt.Errorf("%s%s", at, wrongType(wrong.Key(), before(text, line, col)))
		}
		if r := runeAt(text, line, col); r >= utf8.RuneSelf && unicode.IsGraphic(r) && strings.Contains(wrong.Error(), "unexpected character") {
			return fmt.Errorf("%s%q can't stand there: write text between straight quotation marks, as \"front\", and numbers with the digits 0 to 9", at, r)
		}
		return fmt.Errorf("%s%w", at, err)
	}
	return err
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

// wrongType says what kind of value a key wants.
func wrongType(key []string, before string) string {
	if m := lastKey.FindStringSubmatch(before); m != nil {
		key = append(append([]string{}, key...), m[1])
	}
	key, t := find(key)
	want := wants[t]
	if want == "" {
		want = "another kind of value"
	}
	return fmt.Sprintf("%q has a value of the wrong type: want %s", strings.Join(key, "."), want)
}

const aLine = `a table, like {chip = "gpiochip0", line = 17}`

// wants says how the values of each type are written.
var wants = map[reflect.Type]string{
	reflect.TypeFor[string]():              "a text, in quotes",
	reflect.TypeFor[int]():                 "a whole number, without quotes",
	reflect.TypeFor[float64]():             "a number, without quotes",
	reflect.TypeFor[bool]():                "true or false, without quotes",
	reflect.TypeFor[[]string]():            `a list, like ["H10301"]`,
	reflect.TypeFor[[]int]():               "a list of numbers, like [8, 10]",
	reflect.TypeFor[Relay]():               aLine,
	reflect.TypeFor[Input]():               aLine,
	reflect.TypeFor[Signal]():              aLine,
	reflect.TypeFor[Journal]():             "a table, like {max_mb = 512}",
	reflect.TypeFor[Keypad]():              `a table, like {kind = "key4"}`,
	reflect.TypeFor[serialcard.Settings](): `a table, like {base = "dec"}`,
	reflect.TypeFor[[]Door]():              "tables: each door begins with a line [[door]]",
	reflect.TypeFor[[]Reader]():            "tables: each reader begins with a line [[door.reader]], after its door",
}

// nearest says which key was probably meant, from those that stand at the same
// place in the site file.
func nearest(key []string) string {
	if len(key) == 0 {
		return ""
	}
	last := len(key) - 1
	outer, t := find(key[:last])
	t = table(t)
	if len(outer) < last || t == nil {
		return ""
	}
	var known []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("toml"); tag != "" {
			known = append(known, tag)
		}
	}
	if best := suggest(key[last], known, max(2, len(key[last])/3)); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return " (known here: " + strings.Join(known, ", ") + ")"
}

// find follows a key as far as the site file knows it, and tells the type of the
// value there.
func find(key []string) ([]string, reflect.Type) {
	t := reflect.TypeFor[Site]()
	for i, part := range key {
		next := field(table(t), part)
		if next == nil {
			return key[:i], t
		}
		t = next
	}
	return key, t
}

// table is the type of one table of a value; nil: it has none.
func table(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	return t
}

// field is the type of a table's value; nil: it has no such key.
func field(t reflect.Type, key string) reflect.Type {
	for i := 0; t != nil && i < t.NumField(); i++ {
		if f := t.Field(i); f.Tag.Get("toml") != "" && strings.EqualFold(f.Tag.Get("toml"), key) {
			if f.Type.Kind() == reflect.Pointer {
				return f.Type.Elem()
			}
			return f.Type
		}
	}
	return nil
}

// suggest returns the known word that is nearest to a mistyped one, whatever its
// case; empty where more than so many letters differ.
func suggest(word string, known []string, most int) (best string) {
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d <= most {
			best, most = k, d-1
		}
	}
	return best
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
