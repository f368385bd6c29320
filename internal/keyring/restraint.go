package keyring

import (
	"slices"

	"gatehouse/internal/access"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// restraint is what lists take that are not stored: of those that don't prove
// where they come from, and of the one that is being written. It is laid over
// what opens, and is kept in a small file of its own.
type restraint struct {
	Lists []listName    `json:"lists,omitempty"` // that said so and proved nothing, the last ones
	Gone  []wire.ID     `json:"gone,omitempty"`  // grants that are over; in the list's files as soon as these are written
	Rows  []restriction `json:"rows,omitempty"`
	Seen  []seenRow     `json:"seen,omitempty"`  // with which records of the gateways they were made
	Gives []wire.ID     `json:"gives,omitempty"` // grants that these lists would give or give back, the first ones
	More  int           `json:"more,omitempty"`  // of them, not in Gives
}

// listName names a list.
type listName struct {
	Epoch   uint64    `json:"epoch"`
	Version uint64    `json:"version"`
	Hash    wire.Hash `json:"hash"`
}

func (l *list) name() listName {
	return listName{l.signer.Epoch, l.manifest.Version, l.hash}
}

// restriction is how far a credential opens under its grant at most.
type restriction struct {
	Grant      wire.ID           `json:"grant"`
	Credential wire.CredentialID `json:"credential"`
	State      wire.GrantState   `json:"state"`
	Until      uint32            `json:"until,omitempty"`
	Doors      []string          `json:"doors"`
}

// seenRow is a wire.Seen.
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

// knows reports whether a list was laid over what opens already.
func (o *restraint) knows(l *list) bool { return slices.Contains(o.Lists, l.name()) }

// empty reports whether nothing has to be kept.
func (o *restraint) empty() bool { return len(o.Lists)+len(o.Gone)+len(o.Rows) == 0 }

// restraintOf compares what opens with what a list says: what the list takes, row
// by row, and the grants that it would give or give back. Rows that it does not
// have say nothing. over are the grants that are over. It is pure.
func restraintOf(v view, next *list, over map[wire.ID]bool) restraint {
	o := restraint{}
	for _, id := range ended(next, over) {
		o.Gone = append(o.Gone, id)
	}
	gone := make(map[wire.ID]bool, len(o.Gone))
	for _, id := range o.Gone {
		gone[id] = true
	}
	for _, s := range next.manifest.Seen {
		o.Seen = append(o.Seen, seenRow{s.Gateway, s.Line, s.Number})
	}
	given := make(map[wire.ID]bool)
	for r := range next.grants.All() {
		if over[r.ID] || gone[r.ID] {
			continue
		}
		id, was := r.ID, findRow(v.grants, r)
		doors := grantlist.Doors{IDs: next.manifest.Doors, Sets: next.manifest.DoorSets}.Of(r.DoorSet)
		takes, gives := r.State != wire.GrantActive, r.State != wire.GrantRevoked
		if was != nil {
			takes, gives = differs(was, v.tables().Of(was.DoorSet), r, doors)
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

func (o *restraint) give(ids ...wire.ID) {
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

// differs says whether a row of a list takes something from what opens, and
// whether it gives something.
func differs(was *wire.Grant, wasDoors []string, r *wire.Grant, doors []string) (takes, gives bool) {
	end := func(until uint32) uint32 { return until - 1 } // no end is the last of all
	takes = r.State > was.State || end(r.Until) < end(was.Until) || !within(wasDoors, doors)
	gives = r.State < was.State || end(r.Until) > end(was.Until) || r.From < was.From || !within(doors, wasDoors)
	return takes, gives
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(id string) bool { return !slices.Contains(all, id) })
}

func findRow(g *access.Grants, like *wire.Grant) *wire.Grant {
	if g == nil {
		return nil
	}
	rows := g.Find(like.Credential)
	if i := slices.IndexFunc(rows, func(r wire.Grant) bool { return r.ID == like.ID }); i >= 0 {
		return &rows[i]
	}
	return nil
}

// and returns both together. What both say of one row counts twice, which is as
// good as once.
func (o *restraint) and(p restraint) restraint {
	both := restraint{Lists: slices.Clone(o.Lists), Gone: slices.Clone(o.Gone), Rows: slices.Clone(o.Rows),
		Seen: slices.Clone(o.Seen), Gives: slices.Clone(o.Gives), More: o.More + p.More}
	for _, l := range p.Lists {
		if !slices.Contains(both.Lists, l) {
			both.Lists = append(both.Lists, l)
		}
	}
	both.Lists = both.Lists[max(0, len(both.Lists)-maxRestraining):]
	for _, id := range p.Gone {
		if !slices.Contains(both.Gone, id) {
			both.Gone = append(both.Gone, id)
		}
	}
	for _, r := range p.Rows {
		if !slices.ContainsFunc(both.Rows, func(have restriction) bool { return have.same(r) }) {
			both.Rows = append(both.Rows, r)
		}
	}
	for _, s := range p.Seen {
		if !slices.Contains(both.Seen, s) {
			both.Seen = append(both.Seen, s)
		}
	}
	both.give(p.Gives...)
	return both
}

func (r restriction) same(o restriction) bool {
	return r.Grant == o.Grant && r.Credential == o.Credential && r.State == o.State && r.Until == o.Until &&
		slices.Equal(r.Doors, o.Doors)
}

// restrict lays a restraint over what opens: of each row the stricter word counts.
// A change that was made at the building and that these lists have not seen is
// later than their word: a card that was found again opens, and a notice that was
// disputed ends nobody. What is revoked stays so. It is pure.
func restrict(v view, o *restraint, left []*held) view {
	if len(o.Rows) == 0 || v.grants == nil {
		return v
	}
	later := laterOf(o, left)
	v.sets = slices.Clone(v.sets)
	rows := make(map[[33]byte]wire.Grant) // by credential and grant
	for _, limit := range o.Rows {
		key := rowKey(limit)
		row, found := rows[key]
		if !found {
			was := findRow(v.grants, &wire.Grant{Credential: limit.Credential, ID: limit.Grant})
			if was == nil {
				continue
			}
			row = *was
		}
		rows[key] = v.limited(row, limit, later)
	}
	changed := make([]wire.Grant, 0, len(rows))
	for _, row := range rows {
		changed = append(changed, row)
	}
	slices.SortFunc(changed, func(a, b wire.Grant) int { return a.Compare(&b) })
	v.grants = replacedIn(v.grants, v, changed)
	return v
}

func rowKey(r restriction) (key [33]byte) {
	copy(key[:17], r.Credential[:])
	copy(key[17:], r.Grant[:])
	return key
}

// laterWords are changes made at the building after lists that restrain.
type laterWords struct {
	cards map[[33]byte]bool // found again
	ends  map[wire.ID]bool  // disputed or withdrawn
}

func laterOf(o *restraint, left []*held) laterWords {
	seen := make(map[position]uint64, len(o.Seen))
	for _, s := range o.Seen {
		line := position{s.Gateway, s.Line, 0}
		seen[line] = max(seen[line], s.Number)
	}
	later := laterWords{make(map[[33]byte]bool), make(map[wire.ID]bool)}
	for _, h := range left {
		if h.seenIn(seen) {
			continue
		}
		c := &h.Change
		switch c.Op {
		case wire.OpResume, wire.OpSuspend:
			for _, id := range c.Credentials {
				later.cards[rowKey(restriction{Grant: c.Grant, Credential: id})] = true
			}
		case wire.OpDispute, wire.OpWithdraw:
			later.ends[c.Grant] = true
		}
	}
	return later
}

// limited returns a row as far as it opens still. It may add a set of doors.
func (v *view) limited(r wire.Grant, limit restriction, later laterWords) wire.Grant {
	if limit.State == wire.GrantRevoked || limit.State > r.State && !later.cards[rowKey(limit)] {
		r.State = limit.State
	}
	if limit.Until != 0 && (r.Until == 0 || limit.Until < r.Until) && !later.ends[limit.Grant] {
		r.Until = limit.Until
	}
	var set []uint16
	for _, door := range v.sets[r.DoorSet] {
		if slices.Contains(limit.Doors, v.doors[door]) {
			set = append(set, door)
		}
	}
	if len(set) < len(v.sets[r.DoorSet]) {
		i := slices.IndexFunc(v.sets, func(other []uint16) bool { return slices.Equal(other, set) })
		if i < 0 && len(v.sets) < 1<<16 {
			i, v.sets = len(v.sets), append(v.sets, set)
		}
		if i < 0 {
			r.State = wire.GrantRevoked // no room for a set of doors: rather shut than wide open
		} else {
			r.DoorSet = uint16(i)
		}
	}
	return r
}
