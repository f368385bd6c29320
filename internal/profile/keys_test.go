package profile

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// keys lists all keys that a profile can have.
func keys(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	walk(reflect.TypeFor[Board](), found)
	walk(reflect.TypeFor[Reader](), found)
	var all []string
	for k := range found {
		all = append(all, k)
	}
	slices.Sort(all)
	if len(all) < 50 {
		t.Fatalf("only %d keys found", len(all))
	}
	return all
}

func walk(t reflect.Type, found map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		walk(t.Elem(), found)
	case reflect.Struct:
		for i := range t.NumField() {
			if key, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ","); key != "" {
				found[key] = true
				walk(t.Field(i).Type, found)
			}
		}
	}
}
