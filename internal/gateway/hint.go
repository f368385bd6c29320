package gateway

import (
	"fmt"
	"reflect"
	"strings"
)

// nearest says which key was probably meant, from those that stand at the same
// place in the site file.
func nearest(key []string) string {
	if len(key) == 0 {
		return ""
	}
	t := reflect.TypeFor[Site]()
	for _, part := range key[:len(key)-1] {
		t = child(t, part)
		if t == nil {
			return ""
		}
	}
	last := key[len(key)-1]
	best, known := "", []string{}
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("toml")
		if tag == "" {
			continue
		}
		known = append(known, tag)
		if best == "" || distance(last, tag) < distance(last, best) {
			best = tag
		}
	}
	if distance(last, best) <= max(2, len(last)/3) {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return " (known here: " + strings.Join(known, ", ") + ")"
}

func child(t reflect.Type, key string) reflect.Type {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Tag.Get("toml") != key {
			continue
		}
		ft := f.Type
		for ft.Kind() == reflect.Pointer || ft.Kind() == reflect.Slice {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct {
			return ft
		}
	}
	return nil
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
