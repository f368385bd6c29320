package building

import (
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Lists are a building's grant lists, and what they have taken away.
type Lists struct {
	Log      tree.Range    // of all manifests so far
	Newest   lists.Signed  // the newest released list
	Held     *lists.Signed // the list that waits for a second signature; nil: none
	Healed   bool          // the newest list names a grant as over that only a clock had ended
	Revoked  map[wire.ID]Revocation
	Removals map[wire.ID]uint32 // tenancies that a released list has taken something from, and when, unix s
}

// Revocation is the version since which a grant is revoked in the list.
type Revocation struct {
	Version uint64
	Dropped bool // every gateway has proved it: it is no longer in the list
}

// Listed are the grants that the newest list names.
func (l *Lists) Listed() map[wire.ID]bool {
	ids := make(map[wire.ID]bool, len(l.Newest.Grants))
	for i := range l.Newest.Grants {
		ids[l.Newest.Grants[i].ID] = true
	}
	return ids
}

// DroppedSince returns the grants off the list that were not yet revoked in a version.
func (l *Lists) DroppedSince(version uint64) (ids []wire.ID) {
	for id, r := range l.Revoked {
		if r.Dropped && r.Version > version {
			ids = append(ids, id)
		}
	}
	return ids
}

// recent returns the tenancies that lists of the last day have taken from.
func (l *Lists) recent(now uint32) map[wire.ID]bool {
	recent := make(map[wire.ID]bool)
	for id, at := range l.Removals {
		if uint64(at)+LossesWindow > uint64(now) {
			recent[id] = true
		}
	}
	return recent
}

// LossesWindow is how long what a list takes away counts, s.
const LossesWindow = 24 * 3600

// A term that is over ends at the doors by itself. Here that is computed from the time and never
// stored, so that it leaves no trace of a wrong clock. The only lasting consequence is that a list
// no longer names the grant, and that waits until nobody's clock is needed for it.

// overFor is how long a term must be over before a list drops its grant, s. Gateways take a grant
// that a list lacks for ended, unless its term has been over there for 30 days, by a clock that may
// be behind by hours.
const overFor = 31 * 24 * 3600

// Over returns the grants whose terms have been over for long, so that the next list drops them: by
// the agreed time, while that is sure, and by the clock of each gateway of the building, which must
// have been heard. What a list has dropped stays out until the agreed time says that its term is
// not over: a gateway that is away brings nothing back.
func (b *Building) Over(now uint32, sure bool) map[wire.ID]bool {
	listed, over := b.Lists.Listed(), make(map[wire.ID]bool)
	for id, g := range b.Tenancies.Grants {
		end := int64(g.Until()) + overFor
		switch {
		case !g.Known || g.Ended || end == overFor:
		case !listed[id] && end <= int64(b.Lists.Newest.Manifest.Issued):
			over[id] = !sure || end <= int64(now)
		default:
			over[id] = sure && end <= int64(now) && b.allSay(end)
		}
	}
	return over
}

// Turned reports whether the newest list names a grant that it should not, or lacks one, by terms
// alone.
func (b *Building) Turned(now uint32, sure bool) bool {
	listed := b.Lists.Listed()
	for id, over := range b.Over(now, sure) {
		left := !listed[id] && int64(b.Tenancies.Grants[id].Until())+overFor <= int64(b.Lists.Newest.Manifest.Issued)
		if over && listed[id] || !over && left {
			return true
		}
	}
	return false
}

// allSay reports whether every gateway's last clock reading has reached a time.
func (b *Building) allSay(at int64) bool {
	for _, h := range b.House.Gateways {
		if wall, heard := b.Gateways.clocks[h.ID]; !heard || wall < at {
			return false
		}
	}
	return len(b.House.Gateways) > 0
}
