package merge

import (
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"
)

// Sweep returns the records that the list has settled and that may be erased, in the order
// in which they are: ends last, since an earlier check-in must not be left without them.
// One whose person the registry has not got stays until it has, with the others of its
// grant. left are all others, in no order; ended the grants that records to be erased have
// ended and that the list does not name: only these records say so.
func (s *State) Sweep() (done, left record.Set, ended []wire.ID) {
	listed := rowsOf(s.Counted(), s.Records)
	left, settled := settle(s.Counted(), listed, s.Over.Known, s.Records)
	waiting := withPerson(settled)
	for _, h := range settled {
		grant := h.Change.Grant
		if waiting[grant] {
			left = append(left, h)
			continue
		}
		done = append(done, h)
		if h.Change.Op == wire.OpEnd && len(listed[grant]) == 0 {
			ended = append(ended, grant)
		}
	}
	slices.SortStableFunc(done, func(a, b *record.Held) int { return sweepRank(a) - sweepRank(b) })
	return done, left, ended
}

func sweepRank(h *record.Held) int {
	switch h.Change.Op {
	case wire.OpCheckIn:
		return 0
	case wire.OpEnd:
		return 2
	}
	return 1
}

// Undelivered returns the records that the list has settled and that stay for a person.
func (s *State) Undelivered() record.Set {
	_, settled := settle(s.Counted(), rowsOf(s.Counted(), s.Records), s.Over.Known, s.Records)
	waiting := withPerson(settled)
	return slices.DeleteFunc(settled, func(h *record.Held) bool { return !waiting[h.Change.Grant] })
}

// withPerson are the grants of records with a person that the registry has not got.
func withPerson(records record.Set) map[wire.ID]bool {
	grants := make(map[wire.ID]bool)
	for _, h := range records {
		if len(h.Person) > 0 {
			grants[h.Change.Grant] = true
		}
	}
	return grants
}
