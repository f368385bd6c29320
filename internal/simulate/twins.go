package simulate

import (
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// twins lets a plan happen twice, with other walkers, and is law W7: what owner,
// helper and operator can see is the same to the byte.
func twins(t *testing.T, p plan.Plan, dir string) report.Outcome {
	p.Twin = 1
	first := bubble(t, p, dir)
	p.Twin = 2
	second := bubble(t, p, dir)
	first.Breaches = append(first.Breaches, laws.Compared(first.Views, second.Views)...)
	first.Days += second.Days
	return first
}

// views are all that can be seen of the house by those who may not know who
// comes and goes.
func (r *run) views() laws.Views {
	views, front, op := laws.Views{}, r.w.Bed.Registry.API, r.w.Bed.Registry.Op
	ctx := r.w.Bed.Ctx
	for _, b := range r.w.Bed.Running() {
		s, err := b.Client.Status(ctx)
		views.Keep("status of "+b.Name, laws.ByID, s, err)
		d, err := b.Client.Tenancies(ctx)
		views.Keep("tenancies at "+b.Name, laws.ByID, d, err)
		k, err := b.Client.Keys(ctx)
		views.Keep("keys of "+b.Name, laws.ByID, k, err)
		var log []control.LogEntry
		err = b.Client.Log(ctx, control.LogQuery{Last: -1}, func(e control.LogEntry) error { log = append(log, e); return nil })
		views.Keep("log of "+b.Name, laws.AsMade, log, err)
	}
	g, err := front.Gateways(ctx, "")
	views.Keep("registryd gateways", laws.ByID, g, err)
	a, err := front.Alarms(ctx, "", 1000)
	views.Keep("registryd alarms", laws.AsMade, a, err)
	var entries []api.Entry
	_, err = front.Entries(ctx, api.EntryFilter{Building: testbed.Building, Limit: 100_000}, func(e api.Entry) error {
		e.Received = time.Time{} // how entries are packed into messages is not the same in two runs of one seed
		entries = append(entries, e)
		return nil
	})
	views.Keep("registryd entries", laws.AsMade, entries, err)
	t, err := op.Tenancies(ctx, "")
	views.Keep("registryd tenancies", laws.ByID, t, err)
	l, err := op.Lists(ctx, "")
	views.Keep("registryd lists", laws.ByID, l, err)
	return views
}
