package merge

import (
	"maps"
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// Restraint is what lists take that are not stored: unproved lists, and the one that is being
// written. It is laid over what opens, and is kept in a small file of its own.
type Restraint struct {
	Lists []listName    `json:"lists,omitempty"` // that said so and proved nothing, the last ones
	Gone  []wire.ID     `json:"gone,omitempty"`  // grants that are over; moved into the list's files when these are written
	Rows  []restriction `json:"rows,omitempty"`
	Seen  []seenRow     `json:"seen,omitempty"`  // the records of the gateways that the lists include
	Gives []wire.ID     `json:"gives,omitempty"` // grants that these lists would give or give back, the first ones
	More  int           `json:"more,omitempty"`  // number of further grants, not in Gives
}

// listName identifies a list.
type listName struct {
	Epoch   uint64    `json:"epoch"`
	Version uint64    `json:"version"`
	Hash    wire.Hash `json:"hash"`
}

func nameOf(l *signedlist.List) listName {
	return listName{l.Signer.Epoch, l.Manifest.Version, l.Hash}
}

// restriction is the most that a credential may open under its grant.
type restriction struct {
	Grant      wire.ID           `json:"grant"`
	Credential wire.CredentialID `json:"credential"`
	State      wire.GrantState   `json:"state"`
	Until      uint32            `json:"until,omitempty"`
	Doors      []string          `json:"doors"`
}

// seenRow is a wire.Seen in JSON.
type seenRow struct {
	Gateway string `json:"gateway"`
	Line    uint64 `json:"line"`
	Number  uint64 `json:"number"`
}

// maxGives bounds the grants that a restraint names, and maxRestraining the lists.
const (
	maxGives       = 64
	maxRestraining = 16
)

// Knows reports whether a list is laid over what opens already.
func (o *Restraint) Knows(l *signedlist.List) bool { return slices.Contains(o.Lists, nameOf(l)) }

// Empty reports whether there is nothing to keep.
func (o *Restraint) Empty() bool { return len(o.Lists)+len(o.Gone)+len(o.Rows) == 0 }

// restraintOf compares what opens with a list: what the list takes, row by row, and the grants that
// it would give or give back. Rows that it does not have say nothing. over are the grants that are
// over.
func restraintOf(v View, next *signedlist.List, over *Tombstones) Restraint {
	o := Restraint{Gone: next.Ended(over.Known)}
	gone := over.with(o.Gone)
	for _, s := range next.Manifest.Seen {
		o.Seen = append(o.Seen, seenRow{s.Gateway, s.Line, s.Number})
	}
	given, said := make(map[wire.ID]bool), viewOf(next)
	for r := range next.Grants.All() {
		if gone[r.ID] {
			continue
		}
		id, was := r.ID, v.row(r)
		doors := said.Doors.Of(r.DoorSet)
		takes, gives := r.State != wire.GrantActive, r.State != wire.GrantRevoked
		if was != nil {
			takes, gives = differs(was, v.Doors.Of(was.DoorSet), r, doors)
		}
		if takes {
			o.Rows = append(o.Rows, restriction{id, r.Credential, r.State, r.Until, doors})
		}
		if gives && !given[id] {
			given[id] = true
			o.give(id)
		}
	}
	return o
}

func (o *Restraint) give(ids ...wire.ID) {
	for _, id := range ids {
		switch {
		case slices.Contains(o.Gives, id):
		case len(o.Gives) < maxGives:
			o.Gives = append(o.Gives, id)
		default:
			o.More++
		}
	}
}

// differs reports whether a row of a list takes something from what opens, and whether it gives
// something.
func differs(was *wire.Grant, wasDoors []string, r *wire.Grant, doors []string) (takes, gives bool) {
	end := func(until uint32) uint32 { return until - 1 } // no end is the latest of all
	takes = r.State > was.State || end(r.Until) < end(was.Until) || !within(wasDoors, doors)
	gives = r.State < was.State || end(r.Until) > end(was.Until) || r.From < was.From || !within(doors, wasDoors)
	return takes, gives
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(id string) bool { return !slices.Contains(all, id) })
}

// And combines two restraints. Duplicate rows do no harm.
func (o *Restraint) And(p Restraint) Restraint {
	both := Restraint{Lists: union(o.Lists, p.Lists), Gone: union(o.Gone, p.Gone), Rows: slices.Clone(o.Rows),
		Seen: union(o.Seen, p.Seen), Gives: slices.Clone(o.Gives), More: o.More + p.More}
	both.Lists = both.Lists[max(0, len(both.Lists)-maxRestraining):]
	for _, r := range p.Rows {
		if !slices.ContainsFunc(both.Rows, r.same) {
			both.Rows = append(both.Rows, r)
		}
	}
	both.give(p.Gives...)
	return both
}

// union returns a, and those of b that are not in a.
func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, v := range b {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

func (r restriction) same(o restriction) bool {
	return r.Grant == o.Grant && r.Credential == o.Credential && r.State == o.State && r.Until == o.Until &&
		slices.Equal(r.Doors, o.Doors)
}

// restrict lays a restraint over what opens: the stricter state of each row counts. A change that
// was made at the building and that these lists have not seen is later than they are: a card that
// was found again opens, and a disputed notice ends nobody. What is revoked stays so.
func restrict(v View, o *Restraint, left []*record.Held) View {
	if len(o.Rows) == 0 || v.Grants == nil {
		return v
	}
	later := laterOf(o, left)
	v.Doors.Sets = slices.Clone(v.Doors.Sets)
	rows := make(map[rowKey]wire.Grant)
	for _, limit := range o.Rows {
		key := limit.key()
		row, found := rows[key]
		if !found {
			was := v.row(&wire.Grant{Credential: limit.Credential, ID: limit.Grant})
			if was == nil {
				continue
			}
			row = *was
		}
		rows[key] = v.limited(row, limit, later)
	}
	if next, err := v.with(slices.Collect(maps.Values(rows))); err == nil { // never fails: rows and tables are those of v
		return next
	}
	return v
}

// rowKey identifies a row.
type rowKey struct {
	grant      wire.ID
	credential wire.CredentialID
}

func (r restriction) key() rowKey { return rowKey{r.Grant, r.Credential} }

// laterWords are changes made at the building after the lists that restrain.
type laterWords struct {
	cards map[rowKey]bool  // found again
	ends  map[wire.ID]bool // disputed or withdrawn
}

func laterOf(o *Restraint, left []*record.Held) laterWords {
	rows := make([]wire.Seen, len(o.Seen))
	for i, s := range o.Seen {
		rows[i] = wire.Seen{Gateway: s.Gateway, Line: s.Line, Number: s.Number}
	}
	seen := record.SeenOf(rows)
	later := laterWords{make(map[rowKey]bool), make(map[wire.ID]bool)}
	for _, h := range left {
		if h.SeenIn(seen) {
			continue
		}
		c := &h.Change
		switch c.Op {
		case wire.OpResume, wire.OpSuspend:
			for _, id := range c.Credentials {
				later.cards[rowKey{c.Grant, id}] = true
			}
		case wire.OpDispute, wire.OpWithdraw:
			later.ends[c.Grant] = true
		}
	}
	return later
}

// limited returns a row within a limit. It may add a set of doors.
func (v *View) limited(r wire.Grant, limit restriction, later laterWords) wire.Grant {
	if limit.State == wire.GrantRevoked || limit.State > r.State && !later.cards[limit.key()] {
		r.State = limit.State
	}
	if limit.Until != 0 && (r.Until == 0 || limit.Until < r.Until) && !later.ends[limit.Grant] {
		r.Until = limit.Until
	}
	var set []uint16
	for _, door := range v.Doors.Sets[r.DoorSet] {
		if slices.Contains(limit.Doors, v.Doors.IDs[door]) {
			set = append(set, door)
		}
	}
	if len(set) < len(v.Doors.Sets[r.DoorSet]) {
		i := slices.IndexFunc(v.Doors.Sets, func(other []uint16) bool { return slices.Equal(other, set) })
		if i < 0 && len(v.Doors.Sets) < 1<<16 {
			i, v.Doors.Sets = len(v.Doors.Sets), append(v.Doors.Sets, set)
		}
		if i < 0 {
			r.State = wire.GrantRevoked // the table of door sets is full: rather shut than wide open
		} else {
			r.DoorSet = uint16(i)
		}
	}
	return r
}
