package issuer

import (
	"fmt"
	"gatehouse/internal/registry/issuer/fold"
	"maps"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// A list that takes something from many tenancies within a day needs a second
// issuer: whoever steals one key can't lock a building out. Gateways refuse it
// otherwise, and count by the same function.

const lossesWindow = 24 * 3600 // s

func contents(m wire.Manifest, grants []wire.Grant) grantlist.Contents {
	return grantlist.Contents{Doors: m.Doors, DoorSets: m.DoorSets, Grants: grants}
}

// removed are the tenancies that a list takes something from, without those that
// a list of the last day has taken from already. What gateways recorded since the
// list before is in force there, and no loss by this one.
func (b *building) removed(next signedList) []wire.ID {
	if b.list.manifest.Version == 0 {
		return nil
	}
	now, after := int64(next.manifest.Issued), contents(next.manifest, next.grants)
	rows := b.list.grants
	if sameTables(b.list.manifest, next.manifest) {
		rows = lost(rows, next.grants)
	}
	gone := grantlist.Losses(contents(b.list.manifest, b.recorded(rows, next)), after, now)
	maps.Copy(gone, grantlist.Losses(contents(next.manifest, b.unnamed(next)), after, now))
	for id := range b.recent(next.manifest.Issued) {
		delete(gone, id)
	}
	return slices.Collect(maps.Keys(gone))
}

// count keeps that a list has taken something from tenancies, for the day that follows.
func (c *change) count(b *building, gone []wire.ID, at uint32) error {
	for _, id := range gone {
		b.removals[id] = at
		if _, err := c.Exec(`INSERT INTO removals (building, tenancy, at) VALUES (?,?,?) ON CONFLICT DO UPDATE SET at = excluded.at`, b.id, id[:], at); err != nil {
			return fmt.Errorf("keep what a list takes away: %w", err)
		}
	}
	return nil
}

// tooMany reports whether a list takes something from more tenancies than one
// issuer may within a day.
func (b *building) tooMany(next signedList, gone int) bool {
	recent := b.recent(next.manifest.Issued)
	sum := len(recent) + gone
	if gone == 0 || sum <= grantlist.MayLose(0) {
		return false
	}
	open := contents(b.list.manifest, b.recorded(b.list.grants, next)).Open(int64(next.manifest.Issued))
	maps.Copy(open, recent)
	return sum > grantlist.MayLose(len(open))
}

// recent are the tenancies that lists of the last day have taken from.
func (b *building) recent(now uint32) map[wire.ID]bool {
	recent := make(map[wire.ID]bool)
	for id, at := range b.removals {
		if uint64(at)+lossesWindow > uint64(now) {
			recent[id] = true
		}
	}
	return recent
}

// lost are the records of sorted lists that stand in a and not in b.
func lost(a, b []wire.Grant) (only []wire.Grant) {
	for i := range a {
		for len(b) > 0 && b[0].Compare(&a[i]) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != a[i] {
			only = append(only, a[i])
		}
	}
	return only
}

// sameTables reports whether the sets of doors of a list mean the same in next.
func sameTables(m, next wire.Manifest) bool {
	return len(m.Doors) <= len(next.Doors) && slices.Equal(m.Doors, next.Doors[:len(m.Doors)]) && len(m.DoorSets) <= len(next.DoorSets) &&
		slices.EqualFunc(m.DoorSets, next.DoorSets[:len(m.DoorSets)], slices.Equal)
}

// recorded are records of the list as gateways go by them, with what they have
// recorded since: ends, lost cards, notices that next has heard no answer to.
func (b *building) recorded(rows []wire.Grant, next signedList) []wire.Grant {
	seen, heard := seenBy(b.list.manifest), seenBy(next.manifest)
	out := make([]wire.Grant, 0, len(rows))
	for _, row := range rows {
		for _, e := range b.events[row.ID] {
			if e.Source != "" && e.Number > seen[lineKey{e.Source, e.Line}] && !b.answered(&e, heard) {
				restrict(&row, e.Change)
			}
		}
		out = append(out, row)
	}
	return out
}

func seenBy(m wire.Manifest) map[lineKey]uint64 {
	seen := make(map[lineKey]uint64, len(m.Seen))
	for _, s := range m.Seen {
		seen[lineKey{s.Gateway, s.Line}] = s.Number
	}
	return seen
}

// answered reports whether e is a notice to which a list has heard an objection, or that
// it was withdrawn: an end that the list names all the same is the registry's doing.
func (b *building) answered(e *fold.Event, heard map[lineKey]uint64) bool {
	return e.Change.Op == wire.OpNotice && slices.ContainsFunc(b.events[e.Change.Grant], func(o fold.Event) bool {
		switch {
		case o.Source == "" || o.Number > heard[lineKey{o.Source, o.Line}] || o.Change.Op != wire.OpDispute && o.Change.Op != wire.OpWithdraw:
			return false
		case o.Source == e.Source && o.Line == e.Line:
			return o.Number > e.Number
		}
		return o.Change.At >= e.Change.At
	})
}

// restrict makes what a gateway recorded count in a record of the list.
func restrict(row *wire.Grant, c wire.Change) {
	switch {
	case c.Op == wire.OpEnd:
		row.State = wire.GrantRevoked
	case c.Op == wire.OpSuspend && row.State == wire.GrantActive && slices.Contains(c.Credentials, row.Credential):
		row.State = wire.GrantSuspended
	case c.Op == wire.OpNotice && (row.Until == 0 || c.Until < row.Until):
		row.Until = c.Until
	}
}

// unnamed are the records of grants that next names first, as gateways go by
// them: by their check-in and what gateways recorded. Only those of which an
// operator has said something can lose by it.
func (b *building) unnamed(next signedList) (rows []wire.Grant) {
	before, done := make(map[wire.ID]bool), make(map[wire.ID]bool)
	for i := range b.list.grants {
		before[b.list.grants[i].ID] = true
	}
	for i := range next.grants {
		id := next.grants[i].ID
		if before[id] || done[id] {
			continue
		}
		done[id] = true
		own := slices.DeleteFunc(slices.Clone(b.events[id]), func(e fold.Event) bool { return e.Source == "" })
		if g := fold.Of(id, own); len(own) < len(b.events[id]) && g.Known {
			rows = append(rows, g.Lines(next.grants[i].DoorSet, nil)...)
		}
	}
	return rows
}
