package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/strict"
)

// maxFile is the largest profile in bytes: a card with a photo among the samples takes 4 KiB.
const maxFile = 64 << 10

// Kind is what a profile describes, and the directory that its file is in.
type Kind string

// The kinds of profiles.
const (
	Boards  Kind = "boards"
	Readers Kind = "readers"
)

// KindOf distinguishes boards and readers: only readers have a type.
func KindOf(raw []byte) (Kind, error) {
	var keys map[string]any
	if err := parse(raw, &keys); err != nil {
		return "", err
	}
	for key := range keys {
		if strings.EqualFold(key, "type") {
			return Readers, nil
		}
	}
	return Boards, nil
}

// parse reads TOML strictly.
func parse(raw []byte, v any) error {
	if len(raw) > maxFile {
		return fmt.Errorf("%d bytes: a profile has at most %d; keep only the samples that prove something new", len(raw), maxFile)
	}
	return strict.Read(raw, v, nil)
}

// sorted joins all faults into one error, in a steady order.
func sorted(f strict.Faults) error {
	slices.SortStableFunc(f, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return f.Join()
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

// validName reports whether a profile may have the name: 1 to 48 of a-z, 0-9 and -, and no - first.
func validName(name string) bool { return nameForm.MatchString(name) }

// sources are the documents that a profile cites, by their keys.
type sources struct {
	all  map[string]string
	used map[string]bool
	f    *strict.Faults
}

// computed is the source of a sample that no document has: it was made from the format by hand, and
// proves the settings rather than the device.
const computed = "computed"

func newSources(f *strict.Faults, all map[string]string) *sources {
	f.If(len(all) == 0, "[sources] is missing: name the data sheet, manual or file that each fact is from")
	for key, text := range all {
		f.If(len(text) < 8 || key == computed, "source %s = %q: say what it is so that somebody else finds it", key, text)
	}
	return &sources{all: all, used: map[string]bool{}, f: f}
}

// cite notes that a fact cites the sources.
func (s *sources) cite(what string, keys ...string) {
	for _, k := range keys {
		if _, ok := s.all[k]; !ok {
			s.f.Add("%s: source %q is none of [sources]", what, k)
		}
		s.used[k] = true
	}
	s.f.If(len(keys) == 0, "%s: source is missing: a list of keys of [sources]", what)
}

// done refuses sources that nothing cites.
func (s *sources) done() {
	for key := range s.all {
		s.f.If(!s.used[key], "source %q is used by no fact: remove it or cite it", key)
	}
}
