package act

import (
	"slices"
	"strings"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// Look says where the sealed person of a tenancy is. It is written down with it.
func Look(c *ledger.Change, who string, l operator.Look) (p operator.Person, err error) {
	if !slices.Contains(operator.Reasons("person"), l.Reason) {
		return p, api.Hinted("one of "+strings.Join(operator.Reasons("person"), ", "), "%q is no reason to look at a person", l.Reason)
	}
	if l.Case = strings.TrimSpace(l.Case); l.Case == "" || len(l.Case) > 64 {
		return p, api.Hinted("the number of the request or order that asks for it, at most 64 characters", "no case is named")
	}
	b, grants, err := find(c, operator.Act{Tenancy: l.Tenancy})
	if err != nil {
		return p, err
	}
	p.Building = b.ID
	for _, id := range grants {
		for _, e := range b.Tenancies.Events[id] { // cards that joined later are in seals of their own
			if e.Person != (wire.Hash{}) && e.Change.Tenancy == b.Tenancies.Grants[id].Tenancy {
				p.Seals = append(p.Seals, operator.Seal{Address: b.Place(e.Source).Address(), Hash: e.Person[:]})
			}
		}
	}
	if p.Seals == nil {
		return p, api.Hinted("a tenancy that was taken over from an old house has none", "no person was sealed for tenancy %s", l.Tenancy)
	}
	c.Audit(who, "person", b.ID, l.Tenancy, l.Reason+": "+l.Case)
	return p, nil
}
