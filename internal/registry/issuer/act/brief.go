package act

import (
	"fmt"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
)

// Brief begins a run that erases whom entries of tenancies name for a shorter time: it says which these are, and what is over. That is
// recorded in the same transaction; which entries they are is not for the issuer to know. A run that is done is handed in, so that
// nobody is reminded of it.
func Brief(c *ledger.Change, who string, run operator.Brief) (operator.Brief, error) {
	if !run.Before.IsZero() {
		store.SetBriefRun(c.Tx, uint32(run.Before.Unix()))
		return run, nil
	}
	now, sure := c.Clock.Agreed()
	if !sure {
		return run, api.Hinted("registryd clock says why", "the clock is in doubt, so nobody knows what is over")
	}
	run.Days = c.Keys.BriefDays()
	run.Before, run.Tenancies = time.Unix(int64(now), 0).AddDate(0, 0, -run.Days), map[string][]string{}
	buildings, err := store.BriefBuildings(c.Tx)
	for _, id := range buildings {
		b := c.Building(id)
		if b == nil {
			continue
		}
		living := b.Tenancies.Brief(now)
		for _, tenancy := range living {
			run.Tenancies[id] = append(run.Tenancies[id], tenancy.String())
		}
		store.KeepBrief(c.Tx, id, living)
	}
	c.Audit(who, "forget", "", "", fmt.Sprintf("under 14: what is over since %s", run.Before.UTC().Format(time.DateOnly)))
	return run, err
}
