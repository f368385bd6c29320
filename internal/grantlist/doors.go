package grantlist

import (
	"errors"
	"slices"

	"gatehouse/sync/wire"
)

// Doors are the door tables of a list. A grant has the number of a set, and a set has
// indexes of doors, in ascending order.
type Doors struct {
	IDs  []string // of the site file
	Sets [][]uint16
}

// Of returns the ids of the doors of a set; none where there is no such set.
func (d Doors) Of(set uint16) []string {
	var ids []string
	if int(set) < len(d.Sets) {
		for _, door := range d.Sets[set] {
			ids = append(ids, d.IDs[door])
		}
	}
	return ids
}

// Set finds or makes the set of these doors. Tables only grow, so that the records that
// stand keep their meaning; slices that were handed out stay as they are.
func (d *Doors) Set(ids []string) (uint16, error) {
	if len(ids) == 0 {
		return 0, errors.New("no door")
	}
	doors := slices.Clone(d.IDs)
	var set []uint16
	for _, id := range ids {
		if !wire.ValidName(id, false) {
			return 0, errors.New("a door id is [a-z0-9-]{1,32}")
		}
		i := slices.Index(doors, id)
		if i < 0 {
			i, doors = len(doors), append(doors, id)
		}
		set = append(set, uint16(i))
	}
	slices.Sort(set)
	set = slices.Compact(set)
	for i, other := range d.Sets {
		if slices.Equal(other, set) {
			return uint16(i), nil
		}
	}
	if len(doors) > 1<<16-1 || len(d.Sets) >= 1<<16-1 {
		return 0, errors.New("too many doors or sets of doors")
	}
	d.IDs, d.Sets = doors, append(slices.Clip(d.Sets), set)
	return uint16(len(d.Sets) - 1), nil
}
