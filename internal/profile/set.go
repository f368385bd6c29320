package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	profiles "gatehouse/firmware-profiles"
)

// DefaultDir is where a house keeps profiles of its own.
const DefaultDir = "/etc/gatehouse/profiles"

// Set is the profiles of a house: those in Dir/boards and Dir/readers, before the embedded ones of
// the same name. A missing directory is no fault. The zero value has only the embedded ones. Files
// are read at each call; safe for concurrent use.
type Set struct{ Dir string }

// Entry is one profile of a Set.
type Entry struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"` // boards or readers
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Tried  bool   `json:"tried"`
	Origin string `json:"origin"`          // embedded, or the path of the file
	Error  string `json:"error,omitempty"` // why it can't be used
}

// Embedded is the Origin of a profile in the program.
const Embedded = "embedded"

// Board returns the board's profile, checked.
func (s Set) Board(name string) (Board, error) {
	raw, origin, err := s.Text(Boards, name)
	if err != nil {
		return Board{}, err
	}
	b, err := ParseBoard(raw)
	if err == nil {
		err = sameName(b.Name, name)
	}
	if err != nil {
		return Board{}, fmt.Errorf("board profile %q (%s): %w", name, origin, err)
	}
	return b, nil
}

// Reader returns the reader's profile, checked: its samples decode.
func (s Set) Reader(name string) (Reader, error) {
	raw, origin, err := s.Text(Readers, name)
	if err != nil {
		return Reader{}, err
	}
	r, err := ParseReader(raw)
	if err == nil {
		err = sameName(r.Name, name)
	}
	if err == nil {
		_, err = Check(r)
	}
	if err != nil {
		return Reader{}, fmt.Errorf("reader profile %q (%s): %w", name, origin, err)
	}
	return r, nil
}

func sameName(name, file string) error {
	if name != file {
		return fmt.Errorf("name = %q: want the name of its file, %q", name, file)
	}
	return nil
}

// Text returns the text of a profile, not checked, and its origin.
func (s Set) Text(k Kind, name string) (raw []byte, origin string, err error) {
	if !validName(name) {
		return nil, "", fmt.Errorf("profile %q: want 1 to 48 of a-z, 0-9 and -", name)
	}
	if s.Dir != "" {
		path := filepath.Join(s.Dir, string(k), name+".toml")
		raw, err = ReadFile(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return raw, path, err
		}
	}
	raw, err = embedded(k, name)
	return raw, Embedded, err
}

// embedded returns a profile in the program. The error lists the known names.
func embedded(k Kind, name string) ([]byte, error) {
	names := embeddedNames(k)
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("no %s profile %q; known: %s", strings.TrimSuffix(string(k), "s"), name, strings.Join(names, ", "))
	}
	return profiles.Files.ReadFile(string(k) + "/" + name + ".toml")
}

// embeddedNames returns the names of the profiles in the program, sorted.
func embeddedNames(k Kind) []string {
	names, _ := fs.Glob(profiles.Files, string(k)+"/*.toml") // the pattern is right
	for i, f := range names {
		names[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	return names
}

// ReadFile reads a profile, up to the maximal size of one.
func ReadFile(path string) ([]byte, error) {
	if about, err := os.Stat(path); err == nil && !about.Mode().IsRegular() {
		return nil, fmt.Errorf("read profile: %s is no file", path) // a pipe would keep us waiting
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1)) // one more: the parser refuses it
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return raw, nil
}

// List returns all profiles, boards first, by name; one that can't be used has what is wrong with
// it.
func (s Set) List() ([]Entry, error) {
	var all []Entry
	for _, k := range []Kind{Boards, Readers} {
		names, err := s.names(k)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			all = append(all, s.entry(k, name))
		}
	}
	return all, nil
}

func (s Set) names(k Kind) ([]string, error) {
	names := embeddedNames(k)
	if s.Dir != "" {
		files, err := os.ReadDir(filepath.Join(s.Dir, string(k)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list profiles: %w", err)
		}
		for _, f := range files {
			if name, ok := strings.CutSuffix(f.Name(), ".toml"); ok && !strings.HasPrefix(name, ".") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (s Set) entry(k Kind, name string) Entry {
	e := Entry{Name: name, Kind: k, Origin: Embedded}
	if _, origin, err := s.Text(k, name); err == nil {
		e.Origin = origin
	}
	var err error
	if k == Boards {
		var b Board
		b, err = s.Board(name)
		e.Title, e.Tried = b.Title, b.Tried
	} else {
		var r Reader
		r, err = s.Reader(name)
		e.Title, e.Tried, e.Type = r.Title, r.Tried, r.Type
	}
	if err != nil {
		e.Error = err.Error()
	}
	return e
}
