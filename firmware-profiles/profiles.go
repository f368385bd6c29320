// Package profiles has what is known of boards and of readers, one TOML file
// each, embedded in the program. A profile says only what a source says that it
// names, has the proof in it (a reader's sample frames), and tells whether
// somebody has tried it on the real thing. docs/profiles.md explains every key.
//
// It refuses to guess: what no source says is left out. It parses and checks
// the files by themselves; internal/profile decodes the samples, because this
// package imports nothing of ours.
package profiles

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed boards/*.toml readers/*.toml
var files embed.FS

// MaxFile is the largest profile in bytes: a card with a photo among the samples
// takes 4 KiB.
const MaxFile = 64 << 10

// Kind is what a profile describes, and the folder that its file is in.
type Kind string

// The kinds of profiles.
const (
	Boards  Kind = "boards"
	Readers Kind = "readers"
)

// Names returns the names of all embedded profiles of a kind, sorted.
func Names(k Kind) []string {
	found, _ := fs.Glob(files, string(k)+"/*.toml") // the pattern is right
	for i, f := range found {
		found[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	slices.Sort(found)
	return found
}

// Text returns an embedded profile as it stands in its file. The error lists
// the names known.
func Text(k Kind, name string) ([]byte, error) {
	if slices.Contains(Names(k), name) {
		return files.ReadFile(string(k) + "/" + name + ".toml")
	}
	return nil, fmt.Errorf("no %s profile %q; known: %s", strings.TrimSuffix(string(k), "s"), name, strings.Join(Names(k), ", "))
}

// KindOf tells a board from a reader: only readers have a type.
func KindOf(raw []byte) (Kind, error) {
	var head struct {
		Type *string `toml:"type"`
	}
	if len(raw) > MaxFile {
		return "", errTooLong(len(raw))
	}
	if err := toml.Unmarshal(raw, &head); err != nil {
		return "", explain(err)
	}
	if head.Type != nil {
		return Readers, nil
	}
	return Boards, nil
}

func errTooLong(n int) error {
	return fmt.Errorf("%d bytes: a profile has at most %d; keep only the samples that prove something new", n, MaxFile)
}

// parse reads TOML strictly: a key that v does not have is an error.
func parse(raw []byte, v any) error {
	if len(raw) > MaxFile {
		return errTooLong(len(raw))
	}
	text := bytes.TrimPrefix(raw, []byte("\ufeff")) // some editors put it there
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(v); err != nil {
		return explain(err)
	}
	return nil
}

// explain makes one error a fault of what the TOML parser says, with its line.
func explain(err error) error {
	var missing *toml.StrictMissingError
	var syntax *toml.DecodeError
	switch {
	case errors.As(err, &missing):
		var all []error
		for _, e := range missing.Errors {
			line, _ := e.Position()
			all = append(all, fmt.Errorf("line %d: unknown key %q: remove it; docs/profiles.md has all keys", line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	case errors.As(err, &syntax):
		line, col := syntax.Position()
		return fmt.Errorf("line %d, column %d: %w", line, col, err)
	}
	return err
}

// faults collects what is wrong with a profile.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) oneOf(what, v string, allowed ...string) {
	if !slices.Contains(allowed, v) {
		f.add("%s = %q: want one of %s", what, v, strings.Join(allowed, ", "))
	}
}

func (f *faults) within(what string, v, least, most int) {
	if v < least || v > most {
		f.add("%s = %d: want %d to %d", what, v, least, most)
	}
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,47}$`)

// ValidName reports whether a profile may have the name: 1 to 48 of a-z, 0-9 and
// -, and no - first.
func ValidName(name string) bool { return validName.MatchString(name) }

// sources are the papers that a profile rests on: key, and what it is so that
// somebody else finds it.
type sources struct {
	all  map[string]string
	used map[string]bool
	f    *faults
}

// Computed is the source of a sample that no paper has: it was made from the
// format by hand, and proves the settings rather than the device.
const Computed = "computed"

func newSources(f *faults, all map[string]string) *sources {
	if len(all) == 0 {
		f.add("[sources] is missing: name the data sheet, manual or file that each fact is from")
	}
	for key, text := range all {
		if len(text) < 8 || key == Computed {
			f.add("source %s = %q: say what it is so that somebody else finds it", key, text)
		}
	}
	return &sources{all: all, used: map[string]bool{}, f: f}
}

// cite notes that a fact rests on the sources.
func (s *sources) cite(what string, keys ...string) {
	for _, k := range keys {
		if _, ok := s.all[k]; !ok {
			s.f.add("%s: source %q is none of [sources]", what, k)
		}
		s.used[k] = true
	}
	if len(keys) == 0 {
		s.f.add("%s: source is missing: a list of keys of [sources]", what)
	}
}

// done refuses sources that nothing rests on.
func (s *sources) done() {
	for key := range s.all {
		if !s.used[key] {
			s.f.add("source %q is used by no fact: remove it or cite it", key)
		}
	}
}

// join makes one error of all faults, in a steady order.
func (f faults) join() error {
	slices.SortStableFunc(f, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(f...)
}
