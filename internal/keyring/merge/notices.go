package merge

import (
	"cmp"
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"
)

// Heard is a notice in a list and since when this gateway knows of it.
type Heard struct {
	Grant wire.ID `json:"grant"`
	At    uint32  `json:"at"`    // time of the notice
	Since int64   `json:"since"` // s of the machine's own clock
}

// Clock is the time by which notices age.
type Clock struct {
	Own       int64 // the machine's own clock, s
	Days      int64 // of a notice in this house, s
	Witnessed int64 // the highest time that a witness has signed, unix s
}

// passed reports whether the days of a notice have passed that became known at a second of the own
// clock (heard), and whose end by the list is end (unix s; 0: it has none).
func (c Clock) passed(heard int64, end uint32) bool {
	return c.Own-heard >= c.Days || end != 0 && c.Witnessed >= int64(end)
}

// Age recomputes which notices are young, and reports whether that has changed. known are the
// notices that lists have named, heard those that the active one names.
//
// A notice ends a tenancy at a date, by a clock that the landlord may have set. So it counts at the
// doors only when its days have passed on the machine's own clock as well, since this gateway made
// it or learned of it (by a list, where its record did not come); or when a witness has signed that
// the end in the registry's list has come (truth T4).
func (s *State) Age(c Clock, known []Heard) (heard []Heard, changed bool) {
	l := s.Counted()
	seen := seenBy(l)
	for _, h := range s.Records {
		if h.Change.Op != wire.OpNotice {
			continue
		}
		end := uint32(0)
		if h.SeenIn(seen) {
			end = l.NoticeEnd(&h.Change)
		}
		young := h.Kept != 0 && !c.passed(h.Kept, end)
		changed = changed || young != h.Young || end != h.Listed
		h.Young, h.Listed = young, end
	}
	if l == nil {
		heard = known
	}
	var young record.Set
	for w := range l.Notices() {
		at, recorded := s.since(w, known, c)
		heard = append(heard, Heard{w.Grant, w.At, at})
		if !recorded && !c.passed(at, w.Until) {
			young = append(young, asRecord(w))
		}
	}
	same := slices.EqualFunc(young, s.noticed, func(a, b *record.Held) bool { return a.Change.Grant == b.Change.Grant && a.Listed == b.Listed })
	s.noticed = young
	return heard, changed || !same
}

// since returns since when this gateway knows of a notice in the list, and whether it has its
// record. Of a notice that an earlier program kept it is only known that it is old.
func (s *State) since(w *wire.Register, known []Heard, c Clock) (at int64, recorded bool) {
	at = c.Own
	if i := slices.IndexFunc(known, func(h Heard) bool { return h.Grant == w.Grant && h.At == w.At }); i >= 0 {
		at = known[i].Since
	}
	for _, h := range s.Records {
		if h.Change.Op == wire.OpNotice && h.Change.Grant == w.Grant && h.Change.At == w.At {
			at, recorded = min(at, cmp.Or(h.Kept, c.Own-c.Days)), true
		}
	}
	return at, recorded
}

// asRecord returns a young notice that only the list has, in the form of a record.
func asRecord(w *wire.Register) *record.Held {
	c := wire.Change{Op: w.Op, At: w.At, Proof: w.Proof, Tenancy: w.Tenancy, Grant: w.Grant, Until: w.Until, Cause: w.Cause}
	return &record.Held{Local: record.Local{Change: c}, Young: true, Listed: w.Until}
}
