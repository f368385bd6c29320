package issuer

import (
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// A term that is over ends at the doors by itself. Here it ends by being worked out
// from the time, and nothing of it is stored: once the clock is right again it is
// as if it had never been wrong. All that follows for good is that a list names the
// grant no more, and that waits until nobody's clock is needed for it.

// overFor is for how long a term must be over before a list names its grant no
// more. Gateways take a grant that a list lacks for one that was ended, unless its
// term has been over for 30 days by what is surely past there, which may be behind
// by hours.
const overFor = 31 * 24 * 3600 // s

// clockFor is how long what a gateway said of its clock counts, without being
// carried on: it may have been off since.
const clockFor = 24 * time.Hour

// shown is what a gateway's clock showed.
type shown struct {
	wall  int64 // unix s; 0: never heard, or not set
	heard bool
}

// hear takes what the front says of a gateway's clock, of its building's zone, and of
// the list that it refuses.
func (i *Issuer) hear(b *building, g api.Gateway) {
	delete(b.refused, g.Gateway)
	if g.Refuses == wire.ReasonSecondNeeded.String() {
		b.refused[g.Gateway] = g.List
	}
	if g.Zone != "" {
		b.zone = g.Zone
	}
	s := shown{}
	if g.Wall != nil && g.Said >= 0 && g.Said < clockFor {
		if g.Clock == wire.ClockNTP.String() { // what rests on the registry's own time says nothing of it
			i.clock.Hear(b.id, *g.Wall, g.Said)
		}
		if g.Clock == wire.ClockNTP.String() || g.Clock == wire.ClockRTC.String() || g.Clock == wire.ClockRegistry.String() {
			s = shown{g.Wall.Unix(), true}
		}
	}
	b.clocks[g.Gateway] = s
}

// over are the grants whose terms have been over for long, so that the next list
// does not name them: by the agreed time, while nothing speaks against that, and by
// the clock of each gateway of the building as it said last. One that has not said
// keeps them in the list. What a list has left out stays out, until the agreed time
// says that its term is not over: a gateway that is away brings nothing back.
func (b *building) over(now uint32, sure bool) map[wire.ID]bool {
	listed, over := b.listed(), make(map[wire.ID]bool)
	for id, g := range b.grants {
		end := int64(g.Until()) + overFor
		switch {
		case !g.Known || g.Ended || end == overFor:
		case !listed[id] && end <= int64(b.list.manifest.Issued):
			over[id] = !sure || end <= int64(now)
		default:
			over[id] = sure && end <= int64(now) && b.allSay(end)
		}
	}
	return over
}

// allSay reports whether every gateway's clock, as it said last, has come to a time.
func (b *building) allSay(at int64) bool {
	for _, h := range b.house.Gateways {
		if c := b.clocks[h.ID]; !c.heard || c.wall < at {
			return false
		}
	}
	return len(b.house.Gateways) > 0
}

// turned reports whether the newest list names a grant that it should not, or lacks
// one, by terms alone.
func (b *building) turned(now uint32, sure bool) bool {
	listed := b.listed()
	for id, over := range b.over(now, sure) {
		left := !listed[id] && int64(b.grants[id].Until())+overFor <= int64(b.list.manifest.Issued)
		if over && listed[id] || !over && left {
			return true
		}
	}
	return false
}
