// Package merge works out what opens at a gateway: what the active list says, with the
// changes made at the building that it has not settled, without what is over, and as far
// as lists that prove nothing take none of it. The same list and records give the same
// answer, in whatever order they came. It is data in, data out: no file, clock or lock.
package merge

import (
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// State is what decides, and what comes of it. Whoever changes something of the first
// half calls Refresh. It is for one goroutine.
type State struct {
	List    *signedlist.List // the active one; nil: none
	Records record.Set       // made at the building
	Over    Tombstones
	Limits  Restraint  // by lists that are not active
	noticed record.Set // young notices of which only the list tells, as records; they are in no other set

	View    View
	Left    record.Set // of Records, those that the list has not settled
	counted counted
}

// counted is a list as it counts: what is over stays shut.
type counted struct {
	of     *signedlist.List
	over   int // how many were
	list   *signedlist.List
	masked []Masked
}

// Counted returns the active list as it counts; nil: none.
func (s *State) Counted() *signedlist.List {
	if c := &s.counted; c.of != s.List || c.over != len(s.Over.IDs) {
		c.of, c.over = s.List, len(s.Over.IDs)
		c.list, c.masked = masked(s.List, s.Over.Known)
	}
	return s.counted.list
}

// Seen is through which records the active list was made; nil: there is none.
func (s *State) Seen() record.Seen { return seenBy(s.List) }

// Masked returns what the active list gives back although it is over, in order.
func (s *State) Masked() []Masked {
	s.Counted()
	return slices.Clone(s.counted.masked)
}

// Refresh works out what opens. The error says why changes made at the building count
// for nothing: never with records that Try has found good.
func (s *State) Refresh() (err error) {
	s.View, s.Left, err = combine(s.Counted(), s.noticed, s.Records, s.Over.Known, s.Limits)
	return err
}

// combine returns what a list, as it counts, and the records together say, as far
// as other lists take nothing of it; and the records that the list has not settled.
func combine(l *signedlist.List, noticed, records record.Set, over map[wire.ID]bool, limits Restraint) (View, record.Set, error) {
	listed := rowsOf(l, slices.Concat(noticed, records))
	left, _ := settle(l, listed, over, records)
	v, err := merge(l, listed, over, slices.Concat(noticed, left))
	if err != nil {
		v, _ = merge(l, nil, nil, nil)
	}
	return restrict(v, &limits, left), left, err
}

// Try returns the records with one more, and whether the list has settled that one; an
// error, that its change can't be made.
func (s *State) Try(h *record.Held) (records record.Set, settled bool, err error) {
	records = s.Records.With(h)
	listed, left, done := s.settled(records)
	_, err = merge(s.Counted(), listed, s.Over.Known, left)
	return records, slices.Contains(done, h), err
}

// Takes returns what a list takes of what opens: of one that proves that it descends from
// the active one also what it does not name, of any other its name, and what waits. past
// is the time that is surely past, unix s.
func (s *State) Takes(next *signedlist.List, past int64, proved bool) Restraint {
	took := restraintOf(s.View, next, &s.Over)
	if proved {
		took.Gone = append(took.Gone, s.List.Dropped(next, past)...)
		took.Gives, took.More = nil, 0
	} else {
		took.Lists = []listName{nameOf(next)}
	}
	return took
}
