package act

import (
	"slices"
	"strings"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// Result is what an act has changed.
type Result struct {
	Building string
	Grants   []wire.ID // that were acted on, or made
	Before   uint64    // version of the building's list before
}

// Do carries out what an operator asks for.
func Do(c *ledger.Change, who string, a operator.Act) (r Result, err error) {
	reasons := operator.Reasons(a.Act)
	if !slices.Contains(reasons, a.Reason) {
		if reasons == nil {
			return r, api.Hinted("", "no such act: %q", a.Act)
		}
		return r, api.Hinted("one of "+strings.Join(reasons, ", "), "%q is no reason for %s", a.Reason, a.Act)
	}
	b, grants, err := find(c, a)
	if err != nil {
		return r, err
	}
	r = Result{Building: b.ID, Before: b.Lists.Newest.Manifest.Version}
	if a.Act == operator.ActReinstate {
		r.Grants, err = reinstate(c, b, grants, a)
	} else {
		r.Grants, err = order(c, b, grants, a)
	}
	if err != nil {
		return r, err
	}
	c.Relist(b)
	c.Audit(who, a.Act, b.ID, a.Grant+a.Tenancy, a.Reason)
	return r, nil
}

// order carries an act out on those grants that it has to do with.
func order(c *ledger.Change, b *building.Building, grants []wire.ID, a operator.Act) ([]wire.ID, error) {
	if grants = concerned(b, grants, a); len(grants) == 0 && decides(a) {
		return nil, api.Hinted("registryd tenancies shows which are disputed", "no notice is disputed there: tenancy %s", a.Tenancy)
	} else if len(grants) == 0 {
		return nil, api.Hinted("registryd grants --tenancy ID shows them", "nothing of tenancy %s is left to %s", a.Tenancy, a.Act)
	}
	for _, id := range grants {
		if err := On(c, b, id, a); err != nil {
			return nil, err
		}
	}
	return grants, nil
}
