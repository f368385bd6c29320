package simulate

import (
	"errors"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
)

// act lets the operator do something to a tenancy at the registry, and do what
// the answer says.
func (w *world) act(t *model.Tenancy, a operator.Act) error {
	if !w.bed.Registry.Issuer.Running() {
		return testbed.ErrOff
	}
	a.Tenancy = t.ID
	done, err := w.bed.Registry.Op.Do(w.bed.Ctx, a)
	hint := ""
	if err == nil && done.Hint != "" {
		hint = ": " + done.Hint
	}
	w.report.Say("the operator: %s %s (%s)%s%s", a.Act, t.Name(), a.Reason, said(err), hint)
	if err == nil && done.Held {
		w.countersign()
	}
	return err
}

func said(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		return refusal(e)
	}
	return refusal(err)
}

func (w *world) revoke(n [4]int) {
	if t, ok := w.someone(n[0]); ok && n[1]%2 == 0 {
		w.revokeOf(t)
	}
}

func (w *world) revokeOf(t *model.Tenancy) bool {
	ok := w.act(t, operator.Act{Act: operator.ActEnd, Reason: "order"}) == nil
	if ok {
		w.model.Say("issuer", model.Ended, t)
	}
	return ok
}

// stop suspends all cards of a tenancy at the registry.
func (w *world) stop(n [4]int) {
	if t, ok := w.someone(n[0]); ok {
		_ = w.stopOf(t) // told
	}
}

func (w *world) stopOf(t *model.Tenancy) error {
	err := w.act(t, operator.Act{Act: operator.ActSuspend, Reason: "lost"})
	if err == nil {
		w.model.Say("issuer", model.Suspended, t, w.model.CardsAt("issuer", t)...)
	}
	return err
}

func (w *world) goOn(n [4]int) {
	if t, ok := w.someone(n[0]); ok {
		if w.act(t, operator.Act{Act: operator.ActResume, Reason: "found"}) == nil {
			w.model.Say("issuer", model.Resumed, t, w.model.CardsAt("issuer", t)...)
		}
	}
}

// settle decides on a disputed notice.
func (w *world) settle(n [4]int) {
	t, ok := w.someone(n[0])
	if !ok {
		return
	}
	a := operator.Act{Act: operator.ActReject, Reason: "heard"}
	if n[1]%2 == 0 {
		a = operator.Act{Act: operator.ActUphold, Reason: "heard", Until: w.bed.Registry.Issuer.Clock.Wall().Add(4 * plan.Day)}
	}
	if w.act(t, a) == nil {
		t.Doubt = "the registry decided on a notice"
	}
}

// backUp makes the copies that the docs ask for: the issuer's first.
func (w *world) backUp([4]int) {
	for _, p := range []struct {
		name string
		part *testbed.Part
		up   func() error
		down func()
	}{{"issuer", &w.bed.Registry.Issuer, w.bed.Registry.StartIssuer, w.bed.Registry.Issuer.End}, {"front", &w.bed.Registry.Front, w.bed.Registry.StartFront, w.bed.Registry.StopFront}} {
		was := p.part.Running()
		p.down()
		if err := p.part.Disk.Image("backup"); err != nil {
			w.report.Breach("start", "back up: %v", err)
		}
		if was {
			w.must(p.name, p.up())
			time.Sleep(time.Second) // what it begins with is over when the other one stops
		}
		if m := w.model.Minds[p.name]; m != nil {
			w.model.Images[p.name] = m.Clone()
		}
	}
	for _, b := range w.bed.Gateways {
		if err := b.Disk.Image("backup"); err != nil {
			w.report.Breach("start", "image of %s: %v", b.Name, err)
		}
		w.model.Images[b.Name] = w.model.Minds[b.Name].Clone()
	}
	time.Sleep(time.Second)
}

// must says that something did not start; at the end it has to.
func (w *world) must(name string, err error) {
	if err != nil {
		w.report.Say("%s does not start: %v", name, err)
	}
}
