package lists

import (
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// Contents are rows under the doors of the list, as losses are counted by.
func (l *Signed) Contents(rows []wire.Grant) grantlist.Contents {
	return grantlist.Contents{Doors: l.Manifest.Doors, DoorSets: l.Manifest.DoorSets, Grants: rows}
}

// Replaced are the rows of the list that do not stand in next as they are: all of
// them where the sets of doors mean something else there.
func (l *Signed) Replaced(next *Signed) (rows []wire.Grant) {
	m, n := &l.Manifest, &next.Manifest
	if len(m.Doors) > len(n.Doors) || !slices.Equal(m.Doors, n.Doors[:len(m.Doors)]) || len(m.DoorSets) > len(n.DoorSets) ||
		!slices.EqualFunc(m.DoorSets, n.DoorSets[:len(m.DoorSets)], slices.Equal) {
		return l.Grants
	}
	rest := next.Grants // both are sorted
	for i := range l.Grants {
		for len(rest) > 0 && rest[0].Compare(&l.Grants[i]) < 0 {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0] != l.Grants[i] {
			rows = append(rows, l.Grants[i])
		}
	}
	return rows
}
