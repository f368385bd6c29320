// Package discovery finds the devices of a machine: its board, the lines that the board's profile
// has for doors, its serial ports, and the readers at both. Polled readers are found by polling;
// others when somebody holds a card up.
//
// It drives no line, gives no reader a setting or a key, and keeps no card: of a card it reports
// the format and the number of bits. Lines and ports are opened by functions that are passed in.
package discovery

import (
	"fmt"
	"io"

	"gatehouse/device/serialcard"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

// Found is what was found on a machine, for people and programs.
type Found struct {
	Model    string     `json:"model,omitempty"` // as the device tree has it
	Board    string     `json:"board,omitempty"` // the profile's name; empty: none is known
	Machine  site.Found `json:"machine"`
	Readers  []Reader   `json:"readers,omitempty"`
	Inputs   []Input    `json:"inputs,omitempty"`
	Silent   []string   `json:"silent,omitempty"`   // ports without an answer
	Problems []string   `json:"problems,omitempty"` // each with what to do
}

// Reader is a reader that answered, with the keys of the site file.
type Reader struct {
	Type     string               `json:"type"`
	Port     string               `json:"port,omitempty"`
	Baud     int                  `json:"baud,omitempty"`
	Address  *int                 `json:"address,omitempty"`
	Identity string               `json:"identity,omitempty"` // as it says itself
	Clear    bool                 `json:"clear,omitempty"`    // OSDP: it says that it has no secure channel
	Layout   string               `json:"layout,omitempty"`
	Settings *serialcard.Settings `json:"settings,omitempty"`
	Chip     string               `json:"chip,omitempty"` // label
	D0       *int                 `json:"d0,omitempty"`
	D1       *int                 `json:"d1,omitempty"`
	Formats  []string             `json:"formats,omitempty"`
	Swapped  bool                 `json:"swapped,omitempty"` // Wiegand: D0 and D1 are exchanged
	Card     bool                 `json:"card,omitempty"`    // a card was held to it
}

// String says which reader it is, in words.
func (r Reader) String() string {
	switch r.Type {
	case site.TypeWiegand:
		return fmt.Sprintf("Wiegand reader at lines %d and %d of %s", *r.D0, *r.D1, r.Chip)
	case site.TypeOSDP:
		return fmt.Sprintf("OSDP reader %d at %s, %d baud", *r.Address, r.Port, r.Baud)
	case site.TypePN532:
		return fmt.Sprintf("PN532 module at %s, %d baud", r.Port, r.Baud)
	case site.TypeCode:
		return fmt.Sprintf("scanner of codes at %s, %d baud", r.Port, r.Baud)
	}
	return fmt.Sprintf("serial reader (%s) at %s, %d baud", r.Layout, r.Port, r.Baud)
}

// Input is a line of the profile's wiring, and its level when it was read.
type Input struct {
	Name string `json:"name"` // as profile.Wiring names it
	Chip string `json:"chip"`
	Line int    `json:"line"`
	High bool   `json:"high"`
}

// Level returns the level of a line; false: it was not read.
func (f Found) Level(chip string, line int) (high, known bool) {
	for _, in := range f.Inputs {
		if in.Chip == chip && in.Line == line {
			return in.High, true
		}
	}
	return false, false
}

// Write prints the findings for people.
func (f Found) Write(w io.Writer, known profile.Set) {
	title := "no board that is known"
	if b, err := known.Board(f.Board); f.Board != "" && err == nil {
		title = fmt.Sprintf("%s (board = %q)", b.Title, f.Board)
	} else if f.Model != "" {
		title = fmt.Sprintf("%s, which no profile knows", f.Model)
	}
	fmt.Fprintf(w, "board: %s\n", title)
	for i, r := range f.Readers {
		fmt.Fprintf(w, "reader %d: %s%s\n", i+1, r, r.more())
	}
	for _, path := range f.Silent {
		fmt.Fprintf(w, "port %s: nobody spoke: hold a card to its reader while setup looks\n", path)
	}
	for _, p := range f.Problems {
		fmt.Fprintf(w, "problem: %s\n", p)
	}
}

// more describes further findings about a reader.
func (r Reader) more() string {
	switch {
	case r.Swapped:
		return ": its wires D0 and D1 are exchanged"
	case r.Identity != "":
		return ": " + r.Identity
	case len(r.Formats) > 0:
		return ": sends " + r.Formats[0]
	}
	return ""
}
