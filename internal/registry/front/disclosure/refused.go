package disclosure

import (
	"context"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/store"
)

// refused stores that a mandate was refused; nil: it was not.
func (d Desk) refused(ctx context.Context, m mandate.Mandate, refusal *mandate.Refusal) error {
	_, last := d.Span()
	return d.Store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return count(tx, last, m, refusal) })
}

// count stores a refusal with its time, reason and town, for those who publish how many there were, and nothing of what
// was asked for. The mandate is the zero one where no approver has signed it: then nobody knows of which town it is.
func count(tx *store.Tx, at time.Time, m mandate.Mandate, refusal *mandate.Refusal) error {
	if refusal == nil {
		return nil
	}
	return tx.Refusals.Add(store.Refusal{At: at, Reason: refusal.Name, District: m.Request.District, Town: m.Request.Town})
}
