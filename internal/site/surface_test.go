package site

import (
	"reflect"
	"testing"

	"gatehouse/internal/refusalstest"
)

// TestKeys: every key that a site file may have stands in docs/refusals.md.
func TestKeys(t *testing.T) {
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
	walk("", reflect.TypeFor[Site]())
	refusalstest.Compare(t, "../..", "site", keys)
}
