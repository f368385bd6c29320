package building

import (
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Lists are a building's grant lists, and what they have taken away.
type Lists struct {
	Log      tree.Range    // of all manifests that were taken into account
	Newest   lists.Signed  // that was released
	Held     *lists.Signed // that waits for a second signature; nil: none
	Healed   bool          // the newest says of a grant that it is over, and only a clock had said so
	Revoked  map[wire.ID]Revocation
	Removals map[wire.ID]uint32 // tenancies that a released list has taken something from, and when, unix s
}

// Revocation is since which version a grant has stood revoked in the list.
type Revocation struct {
	Version uint64
	Dropped bool // every gateway has proved it: it is in the list no more
}

// Listed are the grants that the newest list names.
func (l *Lists) Listed() map[wire.ID]bool {
	ids := make(map[wire.ID]bool, len(l.Newest.Grants))
	for i := range l.Newest.Grants {
		ids[l.Newest.Grants[i].ID] = true
	}
	return ids
}

// DroppedSince are the grants off the list that were not yet revoked in a version.
func (l *Lists) DroppedSince(version uint64) (ids []wire.ID) {
	for id, r := range l.Revoked {
		if r.Dropped && r.Version > version {
			ids = append(ids, id)
		}
	}
	return ids
}

// recent are the tenancies that lists of the last day have taken from.
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
