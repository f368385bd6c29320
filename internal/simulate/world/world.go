// Package world is what all that happens in a run has in common: the machines, what people know,
// and what is told. It looks at the machines and holds cards up at their doors.
package world

import (
	"slices"
	"testing/synctest"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// World is what everything that happens has in common: the machines, what people know, what
// is told, and the laws that see all days. One goroutine moves it.
type World struct {
	Bed     *testbed.Bed
	Plan    plan.Plan
	Model   *model.Model
	Report  *report.Report
	Shown   *laws.Shown
	Entries *laws.Entries
	Answers *laws.Answers
	Erased  *laws.Erased
	Keys    Theft

	BackedUp time.Duration // when the front's database was copied last

	lastLoss time.Duration
	listHash map[string]string        // by gateway: the list that it applied when it was looked at last
	lit      map[string]time.Duration // by gateway: when it was looked at last and something could tell it the time
}

// Theft says what has become of the registry's keys.
type Theft int

const (
	Safe     Theft = iota // nobody has stolen them
	Stolen                // a thief signs with them
	Replaced              // the root has replaced those that were stolen
)

// New is a world in which nothing has happened and nothing runs.
func New(p plan.Plan, bed *testbed.Bed) *World {
	return &World{Bed: bed, Plan: p, Model: model.NewModel(), Report: &report.Report{}, Shown: laws.NewShown(), Entries: laws.NewEntries(),
		Answers: &laws.Answers{}, Erased: laws.NewErased(), listHash: map[string]string{}, lit: map[string]time.Duration{}}
}

// Now is the true time since the beginning.
func (w *World) Now() time.Duration { return time.Since(plan.Begin) }

// Must says that something did not start; at the end it has to.
func (w *World) Must(name string, err error) {
	if err != nil {
		w.Report.Say("%s does not start: %v", name, err)
	}
}

// Pick chooses by an event's number.
func Pick[T any](n int, from []T) (t T, ok bool) {
	if len(from) == 0 {
		return t, false
	}
	return from[n%len(from)], true
}

// Someone picks a tenancy: mostly one that lives.
func (w *World) Someone(n int) (*model.Tenancy, bool) {
	living := slices.DeleteFunc(slices.Clone(w.Model.Tenancies), func(t *model.Tenancy) bool { return !w.Model.Lives(t) })
	if len(living) > 0 && n%5 > 0 {
		return Pick(n/5, living)
	}
	return Pick(n/5, w.Model.Tenancies)
}

// TenantAt picks a tenancy and a desk.
func (w *World) TenantAt(n [4]int) (*model.Tenancy, *testbed.Gateway, bool) {
	t, ok := w.Someone(n[0])
	b, ok2 := Pick(n[1], w.Bed.Running())
	return t, b, ok && ok2
}

// Boot boots a machine without power; a time server sets its clock a while
// later.
func (w *World) Boot(b *testbed.Gateway) {
	wrong := !b.Clock.Right()
	b.Clock.Reboot()
	w.Must(b.Name, b.Start())
	if wrong {
		return // whatever made it wrong still does
	}
	time.Sleep(90 * time.Second)
	b.Clock.Set(0, true)
	synctest.Wait()
}

// RestartIssuer ends the issuer and starts it again.
func (w *World) RestartIssuer() {
	w.Report.Say("the issuer is started again")
	w.Bed.Registry.Issuer.End()
	w.Must("the issuer", w.Bed.Registry.StartIssuer())
}

// Ruined reports whether something was destroyed lately: one loss at once is
// what the laws stand.
func (w *World) Ruined() bool {
	return !w.Plan.Named && w.lastLoss != 0 && w.Now()-w.lastLoss < 12*time.Hour
}

// Lost notes a loss that began then, and what has to say so.
func (w *World) Lost(began time.Duration, what string, signs ...string) {
	w.lastLoss, w.Shown.Calm = w.Now(), false
	w.Shown.Lost(began, what, signs...)
	w.Model.Forget()
}

// Received are the entries that the registry has, by gateway, and how often.
func (w *World) Received() (map[string]map[testbed.Spot]int, error) {
	have := map[string]map[testbed.Spot]int{}
	_, err := w.Bed.Registry.API.Entries(w.Bed.Ctx, api.EntryFilter{Building: testbed.Building, Limit: 1_000_000}, func(e api.Entry) error {
		if have[e.Gateway] == nil {
			have[e.Gateway] = map[testbed.Spot]int{}
		}
		have[e.Gateway][testbed.Spot{Epoch: e.Epoch, N: e.Sequence}]++
		return nil
	})
	return have, err
}
