// Package grantlist makes lists of grants: by an Editor in the tool of whoever holds the issuer's
// key, by a Draft at a registry, whose store has the grants. And it has the rules by which both
// ends count what a list takes from whom (Losses, MayLose), so that an issuer asks for the second
// signature that a gateway would ask for. It stores nothing.
package grantlist

import (
	"errors"
	"slices"

	"gatehouse/sync/wire"
)

// List is a whole signed list: what a tool edits, what an installer carries.
type List struct {
	Manifest []byte   // the envelope; empty: no list yet
	Buckets  [][]byte // all of them, in order
}

// Update is a new version of a list: the signed manifest, and those buckets
// that the gateway does not have. With all buckets it is a full list.
type Update struct {
	Manifest []byte             // the envelope
	Buckets  [][]byte           // in any order: the manifest has their hashes
	Proof    Proof              // that the active list is in the log which the manifest names
	Second   []byte             // envelope of a second issuer (wire.TypeSecond), where many tenancies end; else empty
	Labels   map[wire.ID]string // the landlord's own words, by grant; empty text erases. Not signed, never sent on
}

// Proof is the RFC 6962 inclusion proof of the active list in the log that a
// manifest names. The zero one proves nothing, or the only list of a log.
type Proof struct {
	Index  uint64
	Hashes []wire.Hash
}

// Doors are the door tables of a list. A grant has the number of a set, and a set has
// indexes of doors, in ascending order.
type Doors struct {
	IDs  []string // of the site file
	Sets [][]uint16
}

// DoorsOf returns the tables of a list.
func DoorsOf(m *wire.Manifest) Doors { return Doors{m.Doors, m.DoorSets} }

// SameIn reports whether the sets of doors mean the same in the tables of another list.
func (d Doors) SameIn(next Doors) bool {
	return len(d.IDs) <= len(next.IDs) && slices.Equal(d.IDs, next.IDs[:len(d.IDs)]) &&
		len(d.Sets) <= len(next.Sets) && slices.EqualFunc(d.Sets, next.Sets[:len(d.Sets)], slices.Equal)
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
