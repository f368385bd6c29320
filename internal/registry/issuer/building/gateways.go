package building

import (
	"maps"
	"slices"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// Gateways is what a building's gateways say and have proved, by gateway.
type Gateways struct {
	Applied  map[string]uint64 // version of the newest list that it has proved
	SetBacks map[string]uint64 // how many set-backs of its disk were heeded
	Asks     map[string]Ask    // that want a second signature on the list that was released
	Zone     string            // time zone of the building; empty: not heard in this run
	refused  map[string]uint64 // version of the list that it takes only with a second signature, as it says
	clocks   map[string]int64  // what its clock showed in this run, unix s; only one that was set
}

// Ask is a gateway's that refuses the newest list without a second signature, and
// that is right by its own signed list.
type Ask struct {
	List    wire.Hash // the one that it refuses
	Removes []wire.ID // tenancies
}

// clockFor is how long what a gateway said of its clock counts, without being
// carried on: it may have been off since.
const clockFor = 24 * time.Hour

// Hear takes what the front says of a gateway's clock, of its building's zone, and of
// the list that it refuses. It reports whether the clock was set by time servers: what
// rests on the registry's own time says nothing of that.
func (s *Gateways) Hear(g api.Gateway) (served bool) {
	delete(s.refused, g.Gateway)
	if g.Refuses == wire.ReasonSecondNeeded.String() {
		s.refused[g.Gateway] = g.List
	}
	if g.Zone != "" {
		s.Zone = g.Zone
	}
	delete(s.clocks, g.Gateway)
	if g.Wall == nil || g.Said < 0 || g.Said >= clockFor {
		return false
	}
	switch g.Clock {
	case wire.ClockNTP.String(), wire.ClockRTC.String(), wire.ClockRegistry.String():
		s.clocks[g.Gateway] = g.Wall.Unix()
	}
	return g.Clock == wire.ClockNTP.String()
}

// Prove takes what the front has of a gateway's proofs. It returns the version that
// these prove, and whether the disk was set back since it was last heard: that counts
// although the gateway may have proved a newer list since, for between the two it has
// skipped some.
func (s *Gateways) Prove(g api.Gateway) (version uint64, setBack bool) {
	version, setBack = g.Applied, g.SetBacks != s.SetBacks[g.Gateway]
	if setBack {
		version = min(version, g.SetBackTo)
		s.SetBacks[g.Gateway] = g.SetBacks
	}
	s.Applied[g.Gateway] = g.Applied
	return version, setBack
}

// allSay reports whether every gateway's clock, as it said last, has come to a time.
func (b *Building) allSay(at int64) bool {
	for _, h := range b.House.Gateways {
		if wall, heard := b.Gateways.clocks[h.ID]; !heard || wall < at {
			return false
		}
	}
	return len(b.House.Gateways) > 0
}

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
