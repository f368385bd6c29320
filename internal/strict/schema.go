package strict

import (
	"fmt"
	"reflect"
	"strings"
)

// schema is what a file may hold: the type that it is decoded into, and how values of a type are written.
type schema struct {
	root     reflect.Type
	examples map[reflect.Type]string
}

// wrongType says what kind of value a key wants.
func (s schema) wrongType(key []string, before string) string {
	if m := lastKey.FindStringSubmatch(before); m != nil {
		key = append(append([]string{}, key...), m[1])
	}
	key, t := s.find(key)
	return fmt.Sprintf("%q has a value of the wrong type: want %s", strings.Join(key, "."), s.written(t))
}

// written says how the values of a type are written.
func (s schema) written(t reflect.Type) string {
	if example := s.examples[t]; example != "" {
		return example
	}
	switch {
	case t.Kind() == reflect.String:
		return "a text, in quotes"
	case t.Kind() == reflect.Bool:
		return "true or false, without quotes"
	case t.Kind() == reflect.Float64:
		return "a number, without quotes"
	case t.ConvertibleTo(reflect.TypeFor[int]()):
		return "a whole number, without quotes"
	case t == reflect.TypeFor[[]string]():
		return `a list of texts, like ["one", "two"]`
	case t == reflect.TypeFor[[]int]():
		return "a list of numbers, like [8, 10]"
	}
	return "another kind of value"
}

// meant says which key was probably meant by an unknown one, from those that may stand at the same place.
func (s schema) meant(key []string) string {
	if len(key) == 0 {
		return ""
	}
	last := len(key) - 1
	outer, t := s.find(key[:last])
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
	if best := Nearest(key[last], known, max(2, len(key[last])/3)); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return " (known here: " + strings.Join(known, ", ") + ")"
}

// find follows a key as far as the schema knows it, and tells the type of the value there.
func (s schema) find(key []string) ([]string, reflect.Type) {
	t := s.root
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

// Nearest returns the known word that is nearest to a mistyped one, whatever its
// case; empty where more than so many letters differ.
func Nearest(word string, known []string, most int) (best string) {
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
