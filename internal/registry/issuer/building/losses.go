package building

import (
	"maps"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// A list that takes something from many tenancies within a day needs a second issuer, so that a
// thief of one key can't lock a building out. Gateways refuse it otherwise, and count by the same
// function.

// Removed returns the tenancies that a list takes something from, without those that a list of the
// last day has taken from already. What gateways have recorded since the list before is no loss by
// this one.
func (b *Building) Removed(next *lists.Signed) []wire.ID {
	newest := &b.Lists.Newest
	if newest.Manifest.Version == 0 {
		return nil
	}
	now, after := int64(next.Manifest.Issued), next.Contents(next.Grants)
	gone := grantlist.Losses(newest.Contents(b.recorded(newest.Replaced(next), next)), after, now)
	maps.Copy(gone, grantlist.Losses(next.Contents(b.unnamed(next)), after, now))
	for id := range b.Lists.recent(next.Manifest.Issued) {
		delete(gone, id)
	}
	return slices.Collect(maps.Keys(gone))
}

// TooMany reports whether a list takes something from more tenancies than one issuer may within a day.
func (b *Building) TooMany(next *lists.Signed, gone int) bool {
	recent := b.Lists.recent(next.Manifest.Issued)
	sum := len(recent) + gone
	if gone == 0 || sum <= grantlist.MayLose(0) {
		return false
	}
	newest := &b.Lists.Newest
	open := newest.Contents(b.recorded(newest.Grants, next)).Open(int64(next.Manifest.Issued))
	maps.Copy(open, recent)
	return sum > grantlist.MayLose(len(open))
}

// recorded returns the rows of the list as gateways apply them, with what they have recorded since:
// ends, lost cards, notices without an answer in next.
func (b *Building) recorded(rows []wire.Grant, next *lists.Signed) []wire.Grant {
	seen, heard := seenBy(b.Lists.Newest.Manifest), seenBy(next.Manifest)
	out := make([]wire.Grant, 0, len(rows))
	for _, row := range rows {
		for _, e := range b.Tenancies.Events[row.ID] {
			if e.Source != "" && e.Number > seen[Line{e.Source, e.Line}] && !b.answered(&e, heard) {
				restrict(&row, e.Change)
			}
		}
		out = append(out, row)
	}
	return out
}

func seenBy(m wire.Manifest) map[Line]uint64 {
	seen := make(map[Line]uint64, len(m.Seen))
	for _, s := range m.Seen {
		seen[Line{s.Gateway, s.Line}] = s.Number
	}
	return seen
}

// answered reports whether e is a notice, and a list includes an objection to it or its withdrawal:
// an end in the list is the registry's doing then.
func (b *Building) answered(e *fold.Event, heard map[Line]uint64) bool {
	return e.Change.Op == wire.OpNotice && slices.ContainsFunc(b.Tenancies.Events[e.Change.Grant], func(o fold.Event) bool {
		switch {
		case o.Source == "" || o.Number > heard[Line{o.Source, o.Line}] || o.Change.Op != wire.OpDispute && o.Change.Op != wire.OpWithdraw:
			return false
		case o.Source == e.Source && o.Line == e.Line:
			return o.Number > e.Number
		}
		return o.Change.At >= e.Change.At
	})
}

// restrict applies a gateway's record to a row of the list.
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

// unnamed returns the rows of grants that next names first, as gateways apply their own records.
// Only those that an operator has acted on can lose by it.
func (b *Building) unnamed(next *lists.Signed) (rows []wire.Grant) {
	done := b.Lists.Listed()
	for i := range next.Grants {
		id := next.Grants[i].ID
		if done[id] {
			continue
		}
		done[id] = true
		own := slices.DeleteFunc(slices.Clone(b.Tenancies.Events[id]), func(e fold.Event) bool { return e.Source == "" })
		if g := fold.Of(id, own); len(own) < len(b.Tenancies.Events[id]) && g.Known {
			rows = append(rows, g.Lines(next.Grants[i].DoorSet, nil)...)
		}
	}
	return rows
}

// CountAsk counts what the newest list, with those of the day before, takes from a gateway that has
// an older one active. Countersigning is offered only where this count agrees that another issuer
// has to sign: a gateway that merely says so bothers nobody.
func (b *Building) CountAsk(gateway string, has *lists.Signed) {
	delete(b.Gateways.Asks, gateway)
	newest := &b.Lists.Newest
	if has.Hash == newest.Hash || len(newest.Second) > 0 || newest.Manifest.Version == 0 || has.After(newest) {
		return
	}
	now := int64(newest.Manifest.Issued)
	before := has.Contents(has.Grants)
	lost := grantlist.Losses(before, newest.Contents(newest.Grants), now)
	all, open := maps.Clone(lost), before.Open(now)
	for id := range b.Lists.recent(newest.Manifest.Issued) {
		all[id], open[id] = true, true
	}
	if len(lost) > 0 && len(all) > grantlist.MayLose(len(open)) {
		b.Gateways.Asks[gateway] = Ask{newest.Hash, slices.SortedFunc(maps.Keys(lost), compareIDs)}
	}
}

// Asked returns the tenancies that the newest list takes from gateways which want another issuer's
// signature for that, and these gateways.
func (b *Building) Asked() (removes []wire.ID, gateways []string) {
	all := make(map[wire.ID]bool)
	for _, g := range slices.Sorted(maps.Keys(b.Gateways.Asks)) {
		if b.Gateways.Asks[g].List != b.Lists.Newest.Hash {
			continue
		}
		gateways = append(gateways, g)
		for _, id := range b.Gateways.Asks[g].Removes {
			all[id] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), compareIDs), gateways
}

// Doubted returns the gateways that want another issuer's signature on the newest list where this
// count does not ask for one.
func (b *Building) Doubted() (gateways []string) {
	newest := &b.Lists.Newest
	if b.Lists.Held != nil || len(newest.Second) > 0 {
		return nil
	}
	for _, g := range slices.Sorted(maps.Keys(b.Gateways.refused)) {
		if b.Gateways.refused[g] == newest.Manifest.Version && b.Gateways.Asks[g].List != newest.Hash && b.House.Gateway(g) != nil {
			gateways = append(gateways, g)
		}
	}
	return gateways
}
