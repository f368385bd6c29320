package building

import (
	"maps"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// CountAsk counts what the newest list takes from a gateway that has an older one
// active, with what lists of the day before have taken. Only where this count agrees
// that another issuer has to sign, countersigning is offered: a gateway that merely says
// so tires nobody.
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

// Asked are the tenancies that the newest list takes from gateways which want another
// issuer's signature for that, and these gateways.
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

// Doubted are the gateways that want another issuer's signature on the newest list
// where this count does not ask for one.
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
