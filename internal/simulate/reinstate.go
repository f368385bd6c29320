package simulate

import (
	"time"

	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
)

// reinstate: the operator gives new grants to somebody whose tenancy was ended,
// for the same cards.
func (w *world) reinstate(n [4]int) {
	var over []*model.Tenancy
	for _, t := range w.model.Tenancies {
		if w.model.EndedByAnyone(t) {
			over = append(over, t)
		}
	}
	t, ok := pick(n[0], over)
	if !ok {
		return
	}
	a := operator.Act{Act: operator.ActReinstate, Reason: "mistake"}
	if n[1]%3 == 0 {
		a.Until = time.Now().Add(60 * plan.Day).Truncate(time.Second)
	}
	if w.act(t, a) != nil {
		return
	}
	t.Notice = time.Time{} // the new grants have none
	if !a.Until.IsZero() {
		t.Until = a.Until
	}
	w.model.Say("issuer", model.Reinstated, t, w.model.CardsAt("issuer", t)...)
}
