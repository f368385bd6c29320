// Package record defines the tenancy records that a gateway keeps beside the list: changes made at
// the building, here or at a sibling, until a list has settled them.
package record

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// Local is a tenancy record that no list has settled yet, of this gateway or of a sibling. The
// caller checks who signed it.
type Local struct {
	Gateway  string // that made it
	Record   wire.Record
	Envelope []byte      // of the record, signed
	Change   wire.Change // what Record.House says
	Person   []byte      // sealed; own records only, empty where there is none or the registry has it
	Entered  bool        // its journal entry is durable
	Aging    bool        // a notice that the list includes, and whose days have not passed here
}

// Clone copies the bytes that may be kept or erased separately.
func (l Local) Clone() Local {
	l.Envelope, l.Person = bytes.Clone(l.Envelope), bytes.Clone(l.Person)
	return l
}

// Position is the place of a record in the numbering of a gateway.
type Position struct {
	Gateway string
	Line    uint64
	Number  uint64
}

// InLine returns the line as a Position with number 0.
func (p Position) InLine() Position { return Position{p.Gateway, p.Line, 0} }

// Seen is the highest number of each line that a list includes, by Position.InLine.
type Seen map[Position]uint64

// SeenOf returns the Seen of the rows in a manifest.
func SeenOf(rows []wire.Seen) Seen {
	seen := make(Seen, len(rows))
	for _, s := range rows {
		line := Position{s.Gateway, s.Line, 0}
		seen[line] = max(seen[line], s.Number)
	}
	return seen
}

// Held is a record that is kept beside the list.
type Held struct {
	Local
	Also      []Position // earlier positions of the same change, before its gateway renumbered
	Kept      int64      // since when, s of the machine's own clock; 0: unknown
	Young     bool       // a notice whose days have not passed: it ends nothing yet
	Listed    uint32     // end of its grant by a notice in the active list; 0: none
	Unwritten bool       // active, and on no disk yet
	Unnoted   bool       // its file does not say yet that it is entered
	Stored    bool       // at the registry, as this run knows
}

// maxAlso bounds the earlier positions of a record.
const maxAlso = 8

// Renumbers takes over what is known of the record under its old number, after its gateway has
// begun a new line.
func (h *Held) Renumbers(old *Held) {
	h.Change, h.Entered, h.Kept = old.Change, old.Entered || h.Entered, old.Kept
	h.Also = append(slices.Clone(old.Also), old.Place())
	h.Also = h.Also[max(0, len(h.Also)-maxAlso):]
}

// Place returns the position of the record.
func (h *Held) Place() Position { return Position{h.Gateway, h.Record.Line, h.Record.Number} }

// SeenIn reports whether a list includes the record.
func (h *Held) SeenIn(seen Seen) bool {
	in := func(p Position) bool { return seen[p.InLine()] >= p.Number }
	return in(h.Place()) || slices.ContainsFunc(h.Also, in)
}

// After reports whether h is the later of two changes: by their numbers within a line, else by
// their times.
func (h *Held) After(o *Held) bool {
	if p, q := h.Place(), o.Place(); p.InLine() == q.InLine() {
		return p.Number > q.Number
	}
	return h.Change.At >= o.Change.At
}

// Objects reports whether the record lifts the end of a notice.
func (h *Held) Objects() bool {
	return h.Change.Op == wire.OpDispute || h.Change.Op == wire.OpWithdraw
}

// Compare orders records by gateway, line, number, then id: two records of one number are two
// changes, made by a gateway whose disk was rolled back.
func (h *Held) Compare(o *Held) int {
	return cmp.Or(cmp.Compare(h.Gateway, o.Gateway), cmp.Compare(h.Record.Line, o.Record.Line),
		cmp.Compare(h.Record.Number, o.Record.Number), bytes.Compare(h.Record.ID[:], o.Record.ID[:]))
}

// Set is a sorted list of records. It is never changed in place.
type Set []*Held

// With returns the set with one more.
func (s Set) With(h *Held) Set {
	i, _ := slices.BinarySearchFunc(s, h, (*Held).Compare)
	return slices.Insert(slices.Clone(s), i, h)
}

// Find returns the record of a gateway with that id; nil: there is none.
func (s Set) Find(gateway string, id wire.ID) *Held {
	i := slices.IndexFunc(s, func(h *Held) bool { return h.Gateway == gateway && h.Record.ID == id })
	if i < 0 {
		return nil
	}
	return s[i]
}

// CountOf returns the number of records of a gateway.
func (s Set) CountOf(gateway string) (n int) {
	for _, h := range s {
		if h.Gateway == gateway {
			n++
		}
	}
	return n
}
