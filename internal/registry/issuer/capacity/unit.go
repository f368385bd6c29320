package capacity

import (
	"cmp"
	"slices"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/sync/wire"
)

// unit is what one event brings into a list: a check-in with its cards, or cards
// that joined later. It is in the list whole or not at all: a gateway goes by the
// list as soon as that names the grant, and a card that it lacks would be none.
type unit struct {
	g      *fold.Grant
	by     *fold.Event
	cards  []wire.CredentialID
	stands bool // in the newest list: it stays, since who is named no more is over
}

func (u *unit) checkIn() bool { return u.by.Change.Op == wire.OpCheckIn }

type row struct {
	grant wire.ID
	card  wire.CredentialID
}

// units are all that may stand in the next list: first what stands there, then
// what operators have ended, then the rest as it came. What was over long before
// the agreed time does not, while that is sure.
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
