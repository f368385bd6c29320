package keyring

import (
	"slices"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// maxOver bounds the file of grants that are over: years of a large house.
const maxOver = 4096

// over remembers the grants that a list named once and names no more, and those
// that ended at the building. Their ids are never used again, so a check-in that
// comes back, from a sibling whose disk was set back or from a broker that
// replays, is known for what it is. The oldest are forgotten first.
type over struct {
	Grants []hexID `json:"grants"`
	index  map[wire.ID]bool
}

// add returns whether any was new.
func (o *over) add(ids ...wire.ID) bool {
	if o.index == nil {
		o.index = make(map[wire.ID]bool, len(o.Grants))
		for _, id := range o.Grants {
			o.index[wire.ID(id)] = true
		}
	}
	before := len(o.index)
	for _, id := range ids {
		if !o.index[id] {
			o.index[id] = true
			o.Grants = append(o.Grants, hexID(id))
		}
	}
	added := len(o.index) > before
	if n := len(o.Grants) - maxOver; n > 0 {
		for _, id := range o.Grants[:n] {
			delete(o.index, wire.ID(id))
		}
		o.Grants = slices.Clone(o.Grants[n:])
	}
	return added
}

// dropped returns the grants that the list in force names and next does not, in
// order.
func (k *Keyring) dropped(next *list) (ids []wire.ID) {
	gone := make(map[access.ID]bool)
	for r := range differing(k.list, next) {
		gone[r.Grant] = true
	}
	for r := range differing(next, k.list) {
		delete(gone, r.Grant)
	}
	if len(gone) == 0 {
		return nil
	}
	for r := range next.grants.All() {
		delete(gone, r.Grant)
	}
	for id := range gone {
		ids = append(ids, wire.ID(id))
	}
	slices.SortFunc(ids, func(a, b wire.ID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// remember keeps grants that are over. A file that can't be written is reported
// only: the list that ended them goes on saying so for as long as it names them.
func (k *Keyring) remember(ids []wire.ID) {
	if !k.over.add(ids...) {
		return
	}
	if err := k.save(overFile, k.over); err != nil {
		k.opts.Log.Error().Err(err).Msg("grants that are over can't be written")
	}
}
