// Package merge computes what opens at a gateway: the active list, with the changes made at the
// building that it has not settled, without what is over, and limited by unproved lists. The same
// list and records give the same answer, in whatever order they came. It is pure: no file, clock or
// lock.
package merge

import (
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// State is the input of the computation and its result. After a change of the first half Refresh
// must be called. It is for one goroutine.
type State struct {
	List    *signedlist.List // the active one; nil: none
	Records record.Set       // made at the building
	Over    Tombstones
	Limits  Restraint  // by lists that are not active
	noticed record.Set // young notices that only the list has, as records; in no other set

	View    View
	Left    record.Set // of Records, those that the list has not settled
	counted counted
}

// counted is a list as it counts: what is over stays shut.
type counted struct {
	of     *signedlist.List
	over   int // number of grants that were over
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

// Seen returns the records that the active list includes; nil: there is no list.
func (s *State) Seen() record.Seen { return seenBy(s.List) }

// Masked returns the grants that the active list gives back although they are over, in order.
func (s *State) Masked() []Masked {
	s.Counted()
	return slices.Clone(s.counted.masked)
}

// Refresh computes what opens. The error says why changes made at the building count for nothing;
// that never happens with records that Try has accepted.
func (s *State) Refresh() (err error) {
	s.View, s.Left, err = combine(s.Counted(), s.noticed, s.Records, s.Over.Known, s.Limits)
	return err
}

// combine returns what a list and the records together open, limited by other lists; and the
// records that the list has not settled.
func combine(l *signedlist.List, noticed, records record.Set, over map[wire.ID]bool, limits Restraint) (View, record.Set, error) {
	listed := rowsOf(l, slices.Concat(noticed, records))
	left, _ := settle(l, listed, over, records)
	v, err := merge(l, listed, over, slices.Concat(noticed, left))
	if err != nil {
		v, _ = merge(l, nil, nil, nil)
	}
	return restrict(v, &limits, left), left, err
}

// Try returns the records with one more, and whether the list has settled that one; the error says
// that its change can't be made.
func (s *State) Try(h *record.Held) (records record.Set, settled bool, err error) {
	records = s.Records.With(h)
	listed, left, done := s.settled(records)
	_, err = merge(s.Counted(), listed, s.Over.Known, left)
	return records, slices.Contains(done, h), err
}

// Takes returns what a list takes of what opens: a list that proves that it descends from the
// active one also takes what it does not name; any other adds its name, and what waits. past is the
// time that is surely past, unix s.
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
