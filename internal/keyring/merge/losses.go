package merge

import (
	"maps"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// Losses returns the tenancies that lose something by next. It compares what opens now with what
// would open by next, or where next is unproved by the active list with what next takes, each with
// the changes made at the building: those are no loss by the list. past is the time that is surely
// past, unix s. There must be an active list.
//
// The end by a notice, which was given at the building, is no loss by the list, whether its days
// have passed here or not. An objection lifts an end until a list includes it; for such grants the
// ends are compared as the lists have them.
func (s *State) Losses(next *signedlist.List, took Restraint, past int64, proved bool) map[wire.ID]bool {
	over, limits := s.Over.with(took.Gone), Restraint{}
	if !proved {
		next, limits = s.List, s.Limits.And(took)
	}
	counts, _ := masked(next, over)
	compare := func(records record.Set, open map[wire.ID]bool) map[wire.ID]bool {
		before, _, _ := combine(s.Counted(), nil, records, s.Over.Known, s.Limits)
		after, _, _ := combine(counts, nil, records, over, limits)
		return lossesOf(before, after, grantlist.DoorsOf(&s.List.Manifest).SameIn(grantlist.DoorsOf(&next.Manifest)), open, past)
	}
	records := aged(s.Records)
	objected := objectedTo(records)
	lost := compare(records, objected)
	if len(objected) > 0 {
		maps.Copy(lost, compare(unobjected(records, seenBy(next)), nil))
	}
	return lost
}

// lossesOf compares two views; same says whether their door sets have the same meaning. Only ends
// of grants that are not in open count.
func lossesOf(before, after View, same bool, open map[wire.ID]bool, past int64) map[wire.ID]bool {
	same = same && before.Grants.Bits() == after.Grants.Bits()
	differs := func(i int) bool { return !same || before.Grants.Bucket(i) != after.Grants.Bucket(i) }
	then := after.Contents(differs)
	for i := range then.Grants {
		if g := &then.Grants[i]; open[g.ID] {
			g.Until = 0
		}
	}
	return grantlist.Losses(before.Contents(differs), then, past)
}

// aged returns the records as if the days of all notices had passed.
func aged(records record.Set) record.Set {
	all := slices.Clone(records)
	for i, h := range all {
		if h.Young {
			old := *h
			old.Young, all[i] = false, &old
		}
	}
	return all
}

// objectedTo returns the grants with a record that lifts the end of a notice.
func objectedTo(records record.Set) map[wire.ID]bool {
	grants := make(map[wire.ID]bool)
	for _, h := range records {
		if h.Objects() {
			grants[h.Change.Grant] = true
		}
	}
	return grants
}

// unobjected returns the records without objections, and without the notices that they answer where
// a list has seen the answer: that list's own end counts.
func unobjected(records record.Set, seen record.Seen) record.Set {
	return slices.DeleteFunc(slices.Clone(records), func(h *record.Held) bool {
		return h.Objects() || h.Change.Op == wire.OpNotice && slices.ContainsFunc(records, func(o *record.Held) bool {
			return o.Objects() && o.Change.Grant == h.Change.Grant && o.After(h) && o.SeenIn(seen)
		})
	})
}
