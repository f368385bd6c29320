// Package commission makes the site file of a building from what was found on its machine
// and what a person says of its doors: each part with a tick, or with what is wrong with it
// in words, and a file as a person could have written it.
//
// It opens no line and no port, and guesses nothing that could lock people in: whether
// people leave by a handle or by a button, and which kind a lock is, must be answered.
package commission

import (
	"reflect"

	"gatehouse/internal/site"
	"gatehouse/internal/strict"
)

// Answers are what a person says of a building; docs/setup.md describes every key.
type Answers struct {
	Building string       `toml:"building"`
	Gateway  string       `toml:"gateway"`
	TimeZone string       `toml:"time_zone"`
	Registry string       `toml:"registry"`
	Board    string       `toml:"board"` // where it is not found
	State    string       `toml:"state"`
	Socket   string       `toml:"socket"`
	Fire     bool         `toml:"fire"` // a fire panel's contact is wired
	Doors    []DoorAnswer `toml:"door"`
}

// DoorAnswer is what a person says of one door. The first has the first lines of the
// board's wiring.
type DoorAnswer struct {
	ID      string         `toml:"id"`
	Egress  string         `toml:"egress"`
	Lock    string         `toml:"lock"`
	Exit    bool           `toml:"exit"`    // there is a button; egress = "electric" has one always
	Contact bool           `toml:"contact"` // there is a door contact
	Pull    string         `toml:"pull"`    // of the relay's line, measured, where the profile does not know
	Readers []ReaderAnswer `toml:"reader"`
}

// ReaderAnswer says which reader that was found is at a door: the first that is not at
// another one and fits. What is left out is as it was found.
type ReaderAnswer struct {
	ID        string   `toml:"id"`
	Direction string   `toml:"direction"`
	Type      string   `toml:"type"`
	Port      string   `toml:"port"`
	Address   *int     `toml:"address"`
	Profile   string   `toml:"profile"`
	Formats   []string `toml:"formats"`
}

// ParseAnswers reads the text of a file of answers strictly.
func ParseAnswers(raw []byte) (a Answers, err error) {
	err = strict.Read(raw, &a, map[reflect.Type]string{
		reflect.TypeFor[[]DoorAnswer]():   "tables: each door begins with a line [[door]]",
		reflect.TypeFor[[]ReaderAnswer](): "tables: each reader begins with a line [[door.reader]], after its door",
	})
	return a, err
}

// fits says that a found reader is the one that is meant.
func (a ReaderAnswer) fits(typ, port string, address *int) bool {
	return (a.Type == "" || a.Type == typ) && (a.Port == "" || a.Port == port) && (a.Address == nil || address != nil && *a.Address == *address)
}

// onLines says that a Wiegand reader is meant, which no port has.
func (a ReaderAnswer) onLines() bool {
	return a.Type == site.TypeWiegand || a.Type == "" && a.Port == "" && a.Address == nil
}
