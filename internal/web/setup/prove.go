package setup

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
)

// prove has the screens on which it is proved at each door that people get out, before it counts as
// ready (S4, S5), the acceptance sheet (S9), and the fire drill.
type prove struct{ *page.Page }

func (p prove) routes() []page.Route {
	return []page.Route{
		page.At("GET /prove", page.Builders, p.sheet),
		page.At("GET /prove/{door}", page.Builders, func(v *page.Visit) error { return p.page(v, nil) }),
		page.At("POST /prove/{door}/{part}", page.Builders, p.step),
		page.At("GET /drill", page.Builders, func(v *page.Visit) error { return p.drill(v, nil) }),
		page.At("POST /drill", page.Builders, p.drillStep(p.Daemon.Doors.BeginFireDrill)),
		page.At("POST /drill/end", page.Builders, p.drillStep(p.Daemon.Doors.EndFireDrill)),
	}
}

// sheetView is the acceptance sheet.
type sheetView struct {
	control.Acceptance
	Ready bool // all doors are
	At    time.Time
}

// sheet shows the proofs by door: to continue, and to print and sign.
func (p prove) sheet(v *page.Visit) error {
	a, err := p.Daemon.Doors.Acceptance(v.Context())
	if err != nil {
		return v.Told(err)
	}
	st, err := p.Watch.Now(v.Context())
	if err != nil {
		return v.Told(err)
	}
	ready := !slices.ContainsFunc(a.Doors, func(d control.AcceptedDoor) bool { return !d.Ready })
	view := sheetView{a, ready, st.Clock.Now}
	if a.Begun != nil { // in the building's zone, as its other times
		view.At = view.At.In(a.Begun.Location())
	}
	return v.Show("prove", view)
}

// proveView is the data of a door's screen.
type proveView struct {
	control.AcceptedDoor
	Now  *control.Proof // the next part, or the requested one; nil: none is left
	Next string         // the next door that is not ready; empty: none
	Said *page.Advice
}

// page shows the next part of a door, however often it is requested.
func (p prove) page(v *page.Visit, wrong error) error {
	a, err := p.Daemon.Doors.Acceptance(v.Context())
	if err != nil {
		return v.Told(err)
	}
	view := proveView{Said: v.Advice(wrong, 0)}
	for _, d := range a.Doors {
		switch {
		case d.Door == v.PathValue("door"):
			view.AcceptedDoor = d
		case !d.Ready && view.Next == "":
			view.Next = d.Door
		}
	}
	if view.Door == "" {
		v.Redirect("/prove")
		return nil
	}
	for i, part := range view.Parts {
		asked := v.URL.Query().Get("part")
		if part.Part == asked || asked == "" && view.Now == nil && !acceptance.State(part.State).Settled() {
			view.Now = &view.Parts[i]
		}
	}
	return p.answer(v, wrong, "prove_door", view)
}

// answer shows a screen, perhaps with the error of a refused step.
func (prove) answer(v *page.Visit, wrong error, screen string, view any) error {
	if wrong != nil {
		return v.ShowStatus(page.StatusOf(wrong), screen, view)
	}
	return v.Show(screen, view)
}

// step makes a step of a part, and continues with the next.
func (p prove) step(v *page.Visit) error {
	if _, err := p.Daemon.Doors.Prove(v.Context(), v.PathValue("door"), v.PathValue("part"), v.FormValue("step")); err != nil {
		return p.page(v, err)
	}
	v.Redirect("/prove/" + v.PathValue("door"))
	return nil
}

// drillView is the data of the fire drill's screen.
type drillView struct {
	control.FireDrill
	Any  bool   // there was one
	Fell string // what it fell short of
	Fire *control.Fire
	Said *page.Advice
}

// drill shows the present drill, or the report of the last one.
func (p prove) drill(v *page.Visit, wrong error) error {
	st, err := p.Watch.Now(v.Context())
	if err != nil {
		return v.Told(err)
	}
	view := drillView{Fire: st.Fire, Said: v.Advice(wrong, 0)}
	if d, err := p.Daemon.Doors.FireDrill(v.Context()); err == nil {
		view.FireDrill, view.Any = d, true
		view.Fell, _ = d.Short()
	}
	return p.answer(v, wrong, "drill", view)
}

func (p prove) drillStep(do func(context.Context) (control.FireDrill, error)) func(*page.Visit) error {
	return func(v *page.Visit) error {
		if _, err := do(v.Context()); err != nil {
			return p.drill(v, err)
		}
		v.Redirect("/drill")
		return nil
	}
}
