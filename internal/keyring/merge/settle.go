package merge

import (
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

type rows map[wire.ID][]wire.Grant

// rowsOf collects the rows of a list (nil: none) for the grants that records change.
func rowsOf(l *signedlist.List, records record.Set) rows {
	of := make(rows)
	if l == nil || len(records) == 0 {
		return of
	}
	wanted := make(map[wire.ID]bool)
	for _, h := range records {
		wanted[h.Change.Grant] = true
	}
	for r := range l.Grants.All() {
		if wanted[r.ID] {
			of[r.ID] = append(of[r.ID], *r)
		}
	}
	return of
}

func anyLive(rows []wire.Grant) bool {
	return slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked })
}

// seenBy returns the records that a list includes; nil: there is no list.
func seenBy(l *signedlist.List) record.Seen {
	if l == nil {
		return nil
	}
	return record.SeenOf(l.Manifest.Seen)
}

// settle separates the records that still count beside the list from those that it has settled: it
// includes them, and shows their effect.
//
// A check-in is settled when its grant is named, in whatever state, or known to be over; a bind,
// when the credential is named under its grant; an end, when nothing of the grant can come back; a
// notice, when its days have passed, or the list's date would shorten them; the rest, when the list
// has seen them. Nothing is settled before the check-in of its grant: alone that would open a grant
// that is over.
func settle(l *signedlist.List, listed rows, over map[wire.ID]bool, records record.Set) (left, done record.Set) {
	if l == nil {
		return records, nil
	}
	seen := seenBy(l)
	arriving := make(map[wire.ID]bool) // grants with a check-in that still counts
	for _, h := range records {
		if c := &h.Change; c.Op == wire.OpCheckIn && (!h.SeenIn(seen) || len(listed[c.Grant]) == 0 && !over[c.Grant]) {
			arriving[c.Grant] = true
		}
	}
	for _, h := range records {
		if !h.SeenIn(seen) || arriving[h.Change.Grant] || h.Young || !agrees(&h.Change, listed[h.Change.Grant]) {
			left = append(left, h)
		} else {
			done = append(done, h)
		}
	}
	return left, done
}

// settled separates the building's records by the active list, as it counts.
func (s *State) settled(records record.Set) (listed rows, left, done record.Set) {
	listed = rowsOf(s.Counted(), records)
	left, done = settle(s.Counted(), listed, s.Over.Known, records)
	return listed, left, done
}

// agrees reports whether the list's rows of the grant include the change.
func agrees(c *wire.Change, listed []wire.Grant) bool {
	switch c.Op {
	case wire.OpEnd:
		return !anyLive(listed)
	case wire.OpBind:
		return !anyLive(listed) || !slices.ContainsFunc(c.Credentials, func(id wire.CredentialID) bool {
			return !slices.ContainsFunc(listed, func(r wire.Grant) bool { return r.Credential == id })
		})
	}
	return true
}

// merge returns the list (nil: none) with the changes of the records, which are in order. Buckets
// without changes are shared with the list.
func merge(l *signedlist.List, listed rows, over map[wire.ID]bool, records record.Set) (View, error) {
	v := viewOf(l)
	if l != nil && len(records) == 0 {
		return v, nil
	}
	grants := make(map[wire.ID]*changes)
	var ids []wire.ID // in the order of the records, so that door sets are found in one order
	for _, h := range records {
		id := h.Change.Grant
		if grants[id] == nil {
			grants[id] = &changes{cards: make(map[wire.CredentialID]*register)}
			ids = append(ids, id)
		}
		grants[id].add(h)
	}
	var all []wire.Grant
	for _, id := range ids {
		of, err := grants[id].apply(listed[id], over[id], v.Doors.Set)
		if err != nil {
			return View{}, err
		}
		all = append(all, of...)
	}
	return v.with(all)
}

// Sweep returns the settled records that may be erased, in the order in which they are: ends last,
// since an earlier check-in must not be left without them. A record whose person the registry lacks
// stays until it has it, with the others of its grant. left are all others, in no order; ended are
// the grants that only the erased records say are over.
func (s *State) Sweep() (done, left record.Set, ended []wire.ID) {
	listed, left, settled := s.settled(s.Records)
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
	_, _, settled := s.settled(s.Records)
	waiting := withPerson(settled)
	return slices.DeleteFunc(settled, func(h *record.Held) bool { return !waiting[h.Change.Grant] })
}

// withPerson returns the grants of records with a person that the registry lacks.
func withPerson(records record.Set) map[wire.ID]bool {
	grants := make(map[wire.ID]bool)
	for _, h := range records {
		if len(h.Person) > 0 {
			grants[h.Change.Grant] = true
		}
	}
	return grants
}
