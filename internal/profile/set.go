package profile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	profiles "gatehouse/firmware-profiles"
)

// DefaultDir is where a house keeps profiles of its own.
const DefaultDir = "/etc/gatehouse/profiles"

// Set is the profiles of a house: those in Dir/boards and Dir/readers, over the
// embedded ones of the same name. No folder is no fault. The zero value has the
// embedded ones alone. Files are read anew each time; safe for concurrent use.
type Set struct{ Dir string }

// Entry is one profile of a Set.
type Entry struct {
	Name   string        `json:"name"`
	Kind   profiles.Kind `json:"kind"` // boards or readers
	Type   string        `json:"type,omitempty"`
	Title  string        `json:"title"`
	Tried  bool          `json:"tried"`
	Origin string        `json:"origin"`          // embedded, or the path of the file
	Error  string        `json:"error,omitempty"` // why it can't be used
}

// Embedded is the Origin of a profile that is in the program.
const Embedded = "embedded"

// Board returns the board's profile, checked.
func (s Set) Board(name string) (profiles.BoardProfile, error) {
	raw, origin, err := s.Text(profiles.Boards, name)
	if err != nil {
		return profiles.BoardProfile{}, err
	}
	b, err := profiles.ParseBoard(raw)
	if err == nil {
		err = sameName(b.Name, name)
	}
	if err != nil {
		return profiles.BoardProfile{}, fmt.Errorf("board profile %q (%s): %w", name, origin, err)
	}
	return b, nil
}

// Reader returns the reader's profile, checked: its samples decode.
func (s Set) Reader(name string) (profiles.ReaderProfile, error) {
	raw, origin, err := s.Text(profiles.Readers, name)
	if err != nil {
		return profiles.ReaderProfile{}, err
	}
	r, err := profiles.ParseReader(raw)
	if err == nil {
		err = sameName(r.Name, name)
	}
	if err == nil {
		_, err = Check(r)
	}
	if err != nil {
		return profiles.ReaderProfile{}, fmt.Errorf("reader profile %q (%s): %w", name, origin, err)
	}
	return r, nil
}

func sameName(name, file string) error {
	if name != file {
		return fmt.Errorf("name = %q: want the name of its file, %q", name, file)
	}
	return nil
}

// Text returns a profile as it stands in its file, not checked, and its origin.
func (s Set) Text(k profiles.Kind, name string) (raw []byte, origin string, err error) {
	if !profiles.ValidName(name) {
		return nil, "", fmt.Errorf("profile %q: want 1 to 48 of a-z, 0-9 and -", name)
	}
	if s.Dir != "" {
		path := filepath.Join(s.Dir, string(k), name+".toml")
		raw, err = ReadFile(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return raw, path, err
		}
	}
	raw, err = profiles.Text(k, name)
	return raw, Embedded, err
}

// ReadFile reads a profile, and no more of a file than a profile may have.
func ReadFile(path string) ([]byte, error) {
	if about, err := os.Stat(path); err == nil && !about.Mode().IsRegular() {
		return nil, fmt.Errorf("read profile: %s is no file", path) // a pipe would keep us waiting
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, profiles.MaxFile+1)) // one more: the parser refuses it
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return raw, nil
}

// List returns all profiles, boards first, by name. One that can't be used is
// listed with what is wrong with it.
func (s Set) List() ([]Entry, error) {
	var all []Entry
	for _, k := range []profiles.Kind{profiles.Boards, profiles.Readers} {
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

func (s Set) names(k profiles.Kind) ([]string, error) {
	names := profiles.Names(k)
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

func (s Set) entry(k profiles.Kind, name string) Entry {
	e := Entry{Name: name, Kind: k, Origin: Embedded}
	if _, origin, err := s.Text(k, name); err == nil {
		e.Origin = origin
	}
	var err error
	if k == profiles.Boards {
		var b profiles.BoardProfile
		b, err = s.Board(name)
		e.Title, e.Tried = b.Title, b.Tried
	} else {
		var r profiles.ReaderProfile
		r, err = s.Reader(name)
		e.Title, e.Tried, e.Type = r.Title, r.Tried, r.Type
	}
	if err != nil {
		e.Error = err.Error()
	}
	return e
}
