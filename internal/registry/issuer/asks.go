package issuer

import (
	"gatehouse/internal/registry/issuer/fold"
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// ask is a gateway's that refuses the newest list without a second signature, and
// that is right by its own signed list.
type ask struct {
	list    wire.Hash // the one that it refuses
	removes []wire.ID // tenancies
}

// countAsk counts what the newest list takes from a gateway that has an older one in
// force, with what lists of the day before have taken. Only where this count agrees that another issuer has to sign, countersigning
// is offered: a gateway that merely says so tires nobody.
func (b *building) countAsk(gateway string, has foreign) {
	delete(b.asks, gateway)
	if has.hash == b.list.hash || len(b.list.second) > 0 || b.list.manifest.Version == 0 || has.stamp().after(b.list.stamp()) {
		return
	}
	now := int64(b.list.manifest.Issued)
	before := contents(has.manifest, has.grants)
	lost := grantlist.Losses(before, contents(b.list.manifest, b.list.grants), now)
	all, open := maps.Clone(lost), before.Open(now)
	for id := range b.recent(b.list.manifest.Issued) {
		all[id], open[id] = true, true
	}
	if len(lost) == 0 || len(all) <= grantlist.MayLose(len(open)) {
		return
	}
	b.asks[gateway] = ask{b.list.hash, slices.SortedFunc(maps.Keys(lost), func(a, b wire.ID) int { return strings.Compare(a.String(), b.String()) })}
}

// asked are the tenancies that the newest list takes from gateways which want another
// issuer's signature for that, and these gateways.
func (b *building) asked() (removes []wire.ID, gateways []string) {
	all := make(map[wire.ID]bool)
	for _, g := range slices.Sorted(maps.Keys(b.asks)) {
		if b.asks[g].list != b.list.hash {
			continue
		}
		gateways = append(gateways, g)
		for _, id := range b.asks[g].removes {
			all[id] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b wire.ID) int { return strings.Compare(a.String(), b.String()) }), gateways
}

// doubted are the gateways that want another issuer's signature on the newest list
// where this count does not ask for one.
func (b *building) doubted() (gateways []string) {
	if b.held != nil || len(b.list.second) > 0 {
		return nil
	}
	for _, g := range slices.Sorted(maps.Keys(b.refused)) {
		if b.refused[g] == b.list.manifest.Version && b.asks[g].list != b.list.hash && b.house.Gateway(g) != nil {
			gateways = append(gateways, g)
		}
	}
	return gateways
}

// flatsOf are those of tenancies, each once, for people who are to sign that they lose
// something.
func (b *building) flatsOf(ids []wire.ID) []string {
	of := make(map[wire.ID]string)
	for _, g := range b.grants {
		if flat := g.CheckIn.Change.Flat; g.Known && (of[g.Tenancy] == "" || flat != fold.UnknownFlat) {
			of[g.Tenancy] = flat
		}
	}
	flats := make(map[string]bool)
	for _, id := range ids {
		if flat := of[id]; flat != "" {
			flats[flat] = true
		}
	}
	return slices.Sorted(maps.Keys(flats))
}
