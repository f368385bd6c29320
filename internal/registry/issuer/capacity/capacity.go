// Package capacity decides what of a building is in its next list, whose manifest and buckets have
// limits. Whoever has the key of one gateway may not fill it, or no revocation of the building
// would ever be signed again. So what one gateway's records put into a list is bounded; the rest
// stays a record that counts where it is.
//
// It is pure: the state of a building in, a draft of the list out. It refuses to leave out what is
// in the newest list, since a grant that a list no longer names is over.
package capacity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// Choice is the content of the next list.
type Choice struct {
	Draft  *grantlist.Draft
	Grants []wire.Grant    // in order
	Left   map[string]bool // gateways with records that no list has
	added  map[string]int  // units that no list had before, by gateway
}

// Choose finds what fits into the next list of a building at the agreed time (unix s), which is
// sure while nothing contradicts it. It adds nothing new of the gateways in without. An error means
// that no list can be made.
func Choose(b *building.Building, without map[string]bool, now uint32, sure bool) (c Choice, err error) {
	u := newUsage(b)
	c.Left, c.added = u.left, u.added // also of a list that can't be made
	var in []unit
	for _, one := range units(b, now, sure) {
		if !one.stands && without[one.by.Source] {
			u.left[one.by.Source] = true
		} else if u.take(&one) {
			in = append(in, one)
		}
	}
	c.Draft = grantlist.NewDraft(b.ID, u.tables(b.Lists.Newest.Manifest), b.Lists.Newest.Hash)
	c.Draft.Seen = b.SeenList()
	sets := make(map[string]uint16) // most grants share a few
	for i := range in {
		one := &in[i]
		doors := u.doorsOf(one)
		set, there := sets[joined(doors)]
		if !there {
			if set, err = c.Draft.DoorSet(doors); err != nil {
				return c, fmt.Errorf("doors of grant %s: %w", one.g.ID, err)
			}
			sets[joined(doors)] = set
		}
		c.Grants = append(c.Grants, one.g.Lines(set, one.cards)...)
	}
	slices.SortFunc(c.Grants, func(a, b wire.Grant) int { return a.Compare(&b) })
	return c, nil
}

// Most returns the gateway with the most new units; empty: there are none.
func (c Choice) Most() (gateway string) {
	for _, g := range slices.Sorted(maps.Keys(c.added)) {
		if c.added[g] > c.added[gateway] {
			gateway = g
		}
	}
	return gateway
}

// Registers returns the registers on the grants of a list, the newest that fit into a number of bytes of
// its manifest.
func Registers(t *building.Tenancies, grants []wire.Grant, most int) (registers []wire.Register) {
	var all []fold.Register
	done := make(map[wire.ID]bool)
	for i := range grants {
		g := t.Grants[grants[i].ID]
		if g == nil || g.Ended || done[g.ID] {
			continue
		}
		done[g.ID] = true
		for _, w := range g.Registers {
			w.Grant, w.Tenancy = g.ID, g.Tenancy
			w.Cards = append([]wire.CredentialID{}, w.Cards...)
			if w.Check() == nil {
				all = append(all, w)
			}
		}
	}
	slices.SortFunc(all, func(v, w fold.Register) int { return cmp.Or(cmp.Compare(w.Arrival, v.Arrival), v.Compare(&w.Register)) })
	for _, w := range all {
		if most -= w.Size(); most < 0 {
			break
		}
		registers = append(registers, w.Register)
	}
	slices.SortFunc(registers, func(v, w wire.Register) int { return v.Compare(&w) })
	return slices.CompactFunc(registers, func(v, w wire.Register) bool { return v.Compare(&w) == 0 })
}

// unit is what one event adds to a list, whole or not at all: a check-in with its cards, or cards
// that joined later. A gateway applies the list as soon as that names the grant, and a card that it
// lacks would be lost.
type unit struct {
	g      *fold.Grant
	by     *fold.Event
	cards  []wire.CredentialID
	stands bool // it is in the newest list and stays, since a grant that is no longer named is over
}

func (u *unit) checkIn() bool { return u.by.Change.Op == wire.OpCheckIn }

type row struct {
	grant wire.ID
	card  wire.CredentialID
}

// units returns all units for the next list: first those in the newest list, then what operators
// have ended, then the rest in order of arrival; without what was over long before the agreed time,
// while that is sure.
func units(b *building.Building, now uint32, sure bool) (all []unit) {
	standing := make(map[row]bool, len(b.Lists.Newest.Grants))
	for _, l := range []*lists.Signed{&b.Lists.Newest, b.Lists.Held} {
		for i := 0; l != nil && i < len(l.Grants); i++ {
			standing[row{l.Grants[i].ID, l.Grants[i].Credential}] = true
		}
	}
	over := b.Over(now, sure)
	for id, g := range b.Tenancies.Grants {
		if !g.Known || b.Lists.Revoked[id].Dropped || over[id] {
			continue
		}
		first := len(all)
		for _, c := range g.Cards {
			i := first + slices.IndexFunc(all[first:], func(u unit) bool { return u.by == c.By })
			if i < first {
				i, all = len(all), append(all, unit{g: g, by: c.By})
			}
			all[i].cards = append(all[i].cards, c.ID)
			all[i].stands = all[i].stands || standing[row{id, c.ID}]
		}
	}
	slices.SortFunc(all, func(u, o unit) int {
		return cmp.Or(before(u.stands, o.stands), before(u.g.Ended && u.g.End.Source == "", o.g.Ended && o.g.End.Source == ""),
			before(u.checkIn(), o.checkIn()), cmp.Compare(u.by.Arrival, o.by.Arrival))
	})
	return all
}

// before orders those of which something is true first.
func before(u, o bool) int {
	switch {
	case u == o:
		return 0
	case u:
		return -1
	}
	return 1
}
