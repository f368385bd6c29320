package gateway_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"gatehouse/internal/gateway"
	"gatehouse/internal/refusalstest"
)

// TestSurfaces: every path that the daemon answers and every key that its site
// file may have stands in docs/refusals.md.
func TestSurfaces(t *testing.T) {
	h := newHouse(t)
	h.start()
	refusalstest.Compare(t, "../..", "routes", slices.Collect(maps.Keys(h.gateway.Routes())))
	var keys []string
	var walk func(prefix string, s reflect.Type)
	walk = func(prefix string, s reflect.Type) {
		for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice {
			s = s.Elem()
		}
		if s.Kind() != reflect.Struct {
			return
		}
		for i := range s.NumField() {
			if tag := s.Field(i).Tag.Get("toml"); tag != "" {
				keys = append(keys, prefix+tag)
				walk(prefix+tag+".", s.Field(i).Type)
			}
		}
	}
	walk("", reflect.TypeFor[gateway.Site]())
	refusalstest.Compare(t, "../..", "site", keys)
}
