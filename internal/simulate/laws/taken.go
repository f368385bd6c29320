package laws

import (
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
)

// Taken is what docs/keys.md promises of a thief of issuer.key (law W8): of few tenancies a
// day he takes something. It keeps what his lists have taken, by gateway.
type Taken struct {
	took    map[string][]taking
	refused map[string]time.Duration // since when one of his lists waits for a second issuer
}

// taking is one tenancy that a list of the thief's has ended at a gateway.
type taking struct {
	at time.Duration
	id string
}

// NewTaken is that of a thief who has taken nothing.
func NewTaken() *Taken { return &Taken{map[string][]taking{}, map[string]time.Duration{}} }

// Refused notes that a gateway has refused a list at a moment since the beginning.
func (t *Taken) Refused(gateway string, now time.Duration) {
	if _, waits := t.refused[gateway]; !waits {
		t.refused[gateway] = now
	}
}

// Judge notes which tenancies a list has ended at a gateway at a moment since the beginning:
// three a day, and three more for each day for which a list was refused there.
func (t *Taken) Judge(gateway string, robbed []string, now time.Duration, r *report.Report) {
	most := 3
	if at, waits := t.refused[gateway]; waits {
		most *= 1 + int((now-at)/plan.Day)
	}
	delete(t.refused, gateway)
	for _, id := range robbed {
		t.took[gateway] = append(t.took[gateway], taking{now, id})
	}
	lately := map[string]bool{}
	for _, one := range t.took[gateway] {
		if now-one.at < plan.Day {
			lately[one.id] = true
		}
	}
	if len(lately) > most {
		r.Breach("W8", "a thief's lists have ended %s at %s within a day, at most %d", amount.Of(len(lately), "tenancy"), gateway, most)
	}
}
