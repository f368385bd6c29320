package disclosure

import (
	"context"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/front/disclosure/acts"
)

// refused stores that a mandate was refused; nil: it was not.
func (d Desk) refused(ctx context.Context, m mandate.Mandate, refusal *mandate.Refusal) error {
	if refusal == nil {
		return nil
	}
	_, last := d.Span()
	return d.Acts.Update(context.WithoutCancel(ctx), func(tx *acts.Tx) error { return count(tx, last, m, refusal) })
}

// count stores a refusal with its time, reason and town, for those who publish how many there were, and nothing of what
// was asked for. The mandate is the zero one where no approver has signed it: then nobody knows of which town it is.
func count(tx *acts.Tx, at time.Time, m mandate.Mandate, refusal *mandate.Refusal) error {
	if refusal == nil {
		return nil
	}
	return tx.Do(acts.Act{Refused: &acts.Refused{At: at, Reason: refusal.Name, District: m.Request.District, Town: m.Request.Town}})
}
