// Package profiles has what is known of boards, one TOML file each, embedded in
// the program. A profile says only what a named source says, and whether
// somebody has tried it on the real thing. It refuses to guess.
package profiles

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

//go:embed boards/*.toml
var files embed.FS

// BoardProfile describes a gateway's board.
type BoardProfile struct {
	Name   string      `toml:"name"`
	Title  string      `toml:"title"`
	Chip   string      `toml:"chip"`   // label of the GPIO chip that the pins are on
	Source string      `toml:"source"` // where the facts come from
	Tried  bool        `toml:"tried"`  // somebody ran Gatehouse on the real board
	Pulls  []PullRange `toml:"pull"`
}

// PullRange says what a range of lines does while nobody drives it, from
// power-on on.
type PullRange struct {
	From  int    `toml:"from"`
	To    int    `toml:"to"`
	Level string `toml:"level"` // up or down
}

// Pull returns "up", "down", or "" where the profile does not know.
func (b BoardProfile) Pull(line int) string {
	for _, r := range b.Pulls {
		if r.From <= line && line <= r.To {
			return r.Level
		}
	}
	return ""
}

// Board returns the profile of that name. The error lists the names known.
func Board(name string) (BoardProfile, error) {
	raw, err := files.ReadFile("boards/" + name + ".toml")
	if err != nil {
		return BoardProfile{}, fmt.Errorf("no board profile %q; known: %s", name, strings.Join(Boards(), ", "))
	}
	b, err := ParseBoard(raw)
	if err != nil {
		return BoardProfile{}, fmt.Errorf("board profile %q: %w", name, err)
	}
	return b, nil
}

// Boards returns the names of all board profiles, sorted.
func Boards() []string {
	found, _ := fs.Glob(files, "boards/*.toml") // the pattern is right
	for i, f := range found {
		found[i] = strings.TrimSuffix(path.Base(f), ".toml")
	}
	slices.Sort(found)
	return found
}

// ParseBoard reads a profile strictly.
func ParseBoard(raw []byte) (BoardProfile, error) {
	var b BoardProfile
	if err := toml.NewDecoder(bytes.NewReader(raw)).DisallowUnknownFields().Decode(&b); err != nil {
		return b, err
	}
	if b.Name == "" || b.Title == "" || b.Source == "" {
		return b, fmt.Errorf("name, title and source must be given")
	}
	last := -1
	for _, r := range b.Pulls {
		if r.From <= last || r.To < r.From {
			return b, fmt.Errorf("pull of lines %d to %d: ranges must rise and not overlap", r.From, r.To)
		}
		if r.Level != "up" && r.Level != "down" {
			return b, fmt.Errorf("pull of lines %d to %d: level %q: want up or down", r.From, r.To, r.Level)
		}
		last = r.To
	}
	return b, nil
}
