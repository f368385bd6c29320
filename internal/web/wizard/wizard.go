// Package wizard has the answers about a house that is being set up, from screen to screen: which
// door a reader is at, the kind of its lock, and how people leave.
//
// It guesses neither lock nor egress: both are asked for. The answers are in the memory of a
// session, and after a power cut they begin anew.
package wizard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/web/text"
	"gatehouse/sync/wire"
)

// Draft has the answers so far. The zero value has none.
type Draft struct {
	Answers control.Answers
}

// Errors of an answer.
const (
	NoName   text.Word = "setup.no_name"
	NoLock   text.Word = "setup.no_lock"
	NoEgress text.Word = "setup.no_egress"
	NoReader text.Word = "setup.no_reader"
	Taken    text.Word = "setup.taken"
	Full     text.Word = "setup.full"
	LockedIn text.Word = "setup.fault_locked_in"
	BadID    text.Word = "setup.bad_id"
	NoDoor   text.Word = "setup.no_door"
)

// Read decodes the result of Text; anything else is an empty Draft.
func Read(text string) (d Draft) {
	if json.Unmarshal([]byte(text), &d) != nil {
		return Draft{}
	}
	return d
}

// Text encodes the draft for a session.
func (d Draft) Text() string {
	raw, _ := json.Marshal(d) // plain data
	return string(raw)
}

// NoneAt is the key for a door without a reader.
const NoneAt = "none"

// Reader is a reader as a form offers it.
type Reader struct {
	control.FoundReader
	Key    string
	Number string // its OSDP address; empty: none
	Unseen bool   // a Wiegand reader at a door's lines that has not read a card
	At     string // its door; empty: none yet
	Lit    bool   // it is the only reader without a door that has read a card
}

// key returns a name of the reader that never changes.
func key(r control.FoundReader) string {
	if r.Door > 0 {
		return fmt.Sprintf("lines %d", r.Door)
	}
	if r.Address != nil {
		return fmt.Sprintf("%s %s %d", r.Type, r.Port, *r.Address)
	}
	return r.Type + " " + r.Port
}

// Readers returns the found readers, and possible ones at the lines of doors.
func (d Draft) Readers(look control.Look) (all []Reader) {
	lit := -1
	for _, f := range look.Readers {
		r := Reader{FoundReader: f, Key: key(f), At: d.at(key(f))}
		if f.Address != nil {
			r.Number = fmt.Sprint(*f.Address)
		}
		if f.Card && r.At == "" && !f.Swapped {
			if lit < 0 {
				lit = len(all)
			} else {
				lit = len(look.Readers) // two of them: it is unknown which was meant
			}
		}
		all = append(all, r)
	}
	if lit >= 0 && lit < len(all) {
		all[lit].Lit = true
	}
	for n := 1; n <= look.Doors; n++ {
		r := control.FoundReader{Type: "wiegand", Door: n}
		if !slices.ContainsFunc(all, func(a Reader) bool { return a.Key == key(r) }) {
			all = append(all, Reader{FoundReader: r, Key: key(r), Unseen: true, At: d.at(key(r))})
		}
	}
	return all
}

// at returns the door of a reader; empty if it has none.
func (d Draft) at(k string) string {
	for _, door := range d.Answers.Doors {
		for _, r := range door.Readers {
			f := control.FoundReader{Type: r.Type, Port: r.Port, Address: r.Address}
			if r.Type == "wiegand" {
				f.Door = cmp.Or(r.Place, door.Place)
			}
			if key(f) == k {
				return door.ID
			}
		}
	}
	return ""
}

// Said is the input of a form about a door.
type Said struct {
	Reader    string // key
	Name      string // id of the door
	Direction string // in or out
	Lock      string // fail-safe or fail-secure
	Egress    string // mechanical or electric
	Exit      bool   // a button, beside a handle
	Contact   bool
}

// Add adds a door with a reader, or a reader to an existing door. The lock, way out and contact of
// an existing door become what is said; if neither lock nor way out is, they stay.
func (d *Draft) Add(look control.Look, s Said) error {
	s.Name = strings.ToLower(strings.TrimSpace(s.Name))
	if !wire.ValidName(s.Name, false) {
		return NoName
	}
	var chosen Reader
	if s.Reader != NoneAt {
		i := slices.IndexFunc(d.Readers(look), func(r Reader) bool { return r.Key == s.Reader })
		if i < 0 {
			return NoReader
		}
		if chosen = d.Readers(look)[i]; chosen.At != "" {
			return Taken
		}
	}
	i := slices.IndexFunc(d.Answers.Doors, func(a control.DoorAnswer) bool { return a.ID == s.Name })
	if i < 0 {
		door, err := d.door(look, s, chosen.Door)
		if err != nil {
			return err
		}
		d.Answers.Doors = append(d.Answers.Doors, door)
		i = len(d.Answers.Doors) - 1
	} else if s.Lock != "" || s.Egress != "" {
		if err := s.check(); err != nil {
			return err
		}
		s.wire(&d.Answers.Doors[i])
	}
	if chosen.Key != "" {
		door := &d.Answers.Doors[i]
		door.Readers = append(door.Readers, answer(chosen, *door, s.Direction))
	}
	return nil
}

// door returns a new door; at is its place, 0: the first free one.
func (d *Draft) door(look control.Look, s Said, at int) (control.DoorAnswer, error) {
	out := control.DoorAnswer{ID: s.Name, Place: at}
	s.wire(&out)
	taken := func(n int) bool {
		return slices.ContainsFunc(d.Answers.Doors, func(a control.DoorAnswer) bool { return a.Place == n })
	}
	for n := 1; out.Place == 0 && n <= look.Doors; n++ {
		if !taken(n) {
			out.Place = n
		}
	}
	if out.Place == 0 || taken(out.Place) {
		return out, Full
	}
	return out, s.check()
}

// check reports what was not said of a door, or may not be.
func (s Said) check() error {
	switch {
	case s.Lock != "fail-safe" && s.Lock != "fail-secure":
		return NoLock
	case s.Egress != "mechanical" && s.Egress != "electric":
		return NoEgress
	case s.Lock == "fail-secure" && s.Egress == "electric":
		return LockedIn
	}
	return nil
}

// wire puts what was said into a door.
func (s Said) wire(d *control.DoorAnswer) {
	d.Egress, d.Lock, d.Contact, d.Exit = s.Egress, s.Lock, s.Contact, s.Exit && s.Egress == "mechanical"
}

// answer returns a reader for a door that has others.
func answer(r Reader, at control.DoorAnswer, direction string) control.ReaderAnswer {
	if direction != "out" {
		direction = "in"
	}
	out := control.ReaderAnswer{ID: direction, Direction: direction, Type: r.Type, Port: r.Port, Address: r.Address}
	if r.Door != at.Place { // of a Wiegand reader; others are at none
		out.Place = r.Door
	}
	for n := 2; slices.ContainsFunc(at.Readers, func(o control.ReaderAnswer) bool { return o.ID == out.ID }); n++ {
		out.ID = fmt.Sprintf("%s-%d", direction, n)
	}
	return out
}

// Name sets the building's name, and whether a fire panel's contact is wired.
func (d *Draft) Name(building string, fire bool) error {
	building = strings.ToLower(strings.TrimSpace(building))
	switch {
	case len(d.Answers.Doors) == 0:
		return NoDoor
	case !wire.ValidName(building, false):
		return BadID
	}
	d.Answers.Building, d.Answers.Fire = building, fire
	return nil
}

// Drop removes a door.
func (d *Draft) Drop(id string) {
	d.Answers.Doors = slices.DeleteFunc(d.Answers.Doors, func(a control.DoorAnswer) bool { return a.ID == id })
}
