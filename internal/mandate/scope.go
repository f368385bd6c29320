package mandate

import (
	"slices"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// Scope is whose entries a mandate asks one gateway for, and of which doors. Its time is not in it: a gateway
// knows that by the bounds of its clock, a registry by the runs that its front has found.
type Scope struct {
	doors     map[string]bool
	everybody bool
	tenancies map[wire.ID]bool
	cards     map[wire.CredentialID]bool
}

// ScopeOf is the scope of a request at a gateway. The tenancies are those of its flats, the cards those that
// were held up; those that it names itself are in it, too.
func ScopeOf(r mandates.Request, gateway string, tenancies []wire.ID, cards []wire.CredentialID) Scope {
	return Scope{doors: setOf(r.Doors(gateway)), everybody: !r.Named(),
		tenancies: setOf(slices.Concat(r.Tenancies, tenancies)), cards: setOf(slices.Concat(r.Cards, cards))}
}

func setOf[T comparable](all []T) map[T]bool {
	set := make(map[T]bool, len(all))
	for _, v := range all {
		set[v] = true
	}
	return set
}

// At reports whether the mandate asks for a door.
func (s Scope) At(door string) bool { return s.doors[door] }

// Names reports whether the mandate asks for whom an entry at one of its doors names.
func (s Scope) Names(who wire.Who) bool {
	return s.everybody || who.Tenancy != nil && s.tenancies[*who.Tenancy] || who.Credential != nil && s.cards[*who.Credential]
}
