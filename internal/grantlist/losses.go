package grantlist

import (
	"cmp"
	"slices"

	"gatehouse/sync/wire"
)

// Contents are the rows of a list, or of a list with the changes made at a building, and the
// meaning of its sets of doors.
type Contents struct {
	Doors  Doors
	Grants []wire.Grant // in the order of a list
}

// Losses returns the tenancies that lose something between two lists: a credential of theirs that
// opened a door opens it no longer, or later, or for less time. now is the time that is surely
// past, unix s: what was over by then is no loss.
func Losses(before, after Contents, now int64) map[wire.ID]bool {
	lost := make(map[wire.ID]bool)
	doors := doorsKept{before.Doors, after.Doors, make(map[[2]uint16]bool)}
	for i := range before.Grants {
		if g := &before.Grants[i]; opens(g, now) && !lost[g.Tenancy] && !after.keep(g, doors, now) {
			lost[g.Tenancy] = true
		}
	}
	return lost
}

const (
	alwaysAllowed = 3  // tenancies within a day, in however small a house
	allowedPart   = 10 // and of a larger one every tenth
)

// MayLose returns how many tenancies of a building may lose something within a day on the word of
// one issuer, by the number of open ones: a tenth, and at least 3.
func MayLose(open int) int { return max(alwaysAllowed, open/allowedPart) }

// Open returns the tenancies with a credential that opens, now or later.
func (c Contents) Open(now int64) map[wire.ID]bool {
	open := make(map[wire.ID]bool)
	for i := range c.Grants {
		if g := &c.Grants[i]; opens(g, now) {
			open[g.Tenancy] = true
		}
	}
	return open
}

func opens(g *wire.Grant, now int64) bool {
	return g.State == wire.GrantActive && (g.Until == 0 || int64(g.Until) > now)
}

// keep reports whether a row opens the same doors for as long for the credential of g, a row of
// before. The tenancy must be the same, or a list could move all cards into one tenancy, and end
// that with the next.
func (c Contents) keep(g *wire.Grant, doors doorsKept, now int64) bool {
	first := wire.Grant{Credential: g.Credential} // of the zero id: before all of this credential
	i, _ := slices.BinarySearchFunc(c.Grants, first, func(o, first wire.Grant) int { return o.Compare(&first) })
	for ; i < len(c.Grants) && c.Grants[i].Credential == g.Credential; i++ {
		o := &c.Grants[i]
		if o.Tenancy == g.Tenancy && o.Kind == g.Kind && o.State == wire.GrantActive &&
			int64(o.From) <= max(int64(g.From), now) &&
			(o.Until == 0 || g.Until != 0 && o.Until >= g.Until) && doors.in(g.DoorSet, o.DoorSet) {
			return true
		}
	}
	return false
}

// doorsKept compares sets of doors of two lists by the doors' ids, each pair once.
type doorsKept struct {
	before, after Doors
	known         map[[2]uint16]bool
}

// in reports whether every door of a set of before is in a set of after.
func (d doorsKept) in(before, after uint16) bool {
	pair := [2]uint16{before, after}
	kept, known := d.known[pair]
	if !known {
		have := d.after.Of(after)
		kept = !slices.ContainsFunc(d.before.Of(before), func(door string) bool { return !slices.Contains(have, door) })
		d.known[pair] = kept
	}
	return kept
}

// NoticeDays returns how long a notice of the landlord alone runs in a house, in days.
func NoticeDays(h wire.House) int {
	return cmp.Or(int(h.NoticeDays), 3)
}
