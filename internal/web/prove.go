package web

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
)

// prove is where it is proved at each door that people get out, before it counts as ready
// (S4, S5), the sheet of that (S9), and the fire drill.
type prove struct{ *Server }

// proving are the roles that prove.
var proving = []account.Role{account.Owner, account.Installer}

func (p prove) routes() []route {
	return []route{
		{"GET /prove", proving, p.sheet},
		{"GET /prove/{door}", proving, func(v *visit) error { return p.page(v, nil) }},
		{"POST /prove/{door}/{part}", proving, p.step},
		{"GET /drill", proving, func(v *visit) error { return p.drill(v, nil) }},
		{"POST /drill", proving, p.drillStep(p.o.Daemon.Doors.BeginFireDrill)},
		{"POST /drill/end", proving, p.drillStep(p.o.Daemon.Doors.EndFireDrill)},
	}
}

// sheetView is the acceptance sheet.
type sheetView struct {
	control.Acceptance
	Ready bool // all doors are
	At    time.Time
}

// sheet shows what was proved, by door: to go on from, and to print and sign.
func (p prove) sheet(v *visit) error {
	a, err := p.o.Daemon.Doors.Acceptance(v.Context())
	if err != nil {
		return v.told(err)
	}
	st, err := p.watch.now(v.Context())
	if err != nil {
		return v.told(err)
	}
	ready := !slices.ContainsFunc(a.Doors, func(d control.AcceptedDoor) bool { return !d.Ready })
	view := sheetView{a, ready, st.Clock.Now}
	if a.Begun != nil { // in the building's zone, as its other times
		view.At = view.At.In(a.Begun.Location())
	}
	return v.show("prove", view)
}

// proveView is one door while it is proved.
type proveView struct {
	control.AcceptedDoor
	Now  *control.Proof // the part that is next, or that was asked for; nil: none is left
	Next string         // the next door that is not ready; empty: none
	Said *advice
}

// page shows the next part of a door: how often it is asked for changes nothing.
func (p prove) page(v *visit, wrong error) error {
	a, err := p.o.Daemon.Doors.Acceptance(v.Context())
	if err != nil {
		return v.told(err)
	}
	view := proveView{Said: v.advice(wrong, 0)}
	for _, d := range a.Doors {
		switch {
		case d.Door == v.PathValue("door"):
			view.AcceptedDoor = d
		case !d.Ready && view.Next == "":
			view.Next = d.Door
		}
	}
	if view.Door == "" {
		v.redirect("/prove")
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

// answer shows a screen, on which a step may have been refused.
func (prove) answer(v *visit, wrong error, screen string, view any) error {
	if wrong != nil {
		return v.showStatus(statusOf(wrong), screen, view)
	}
	return v.show(screen, view)
}

// step does a step of a part, and goes on to the next.
func (p prove) step(v *visit) error {
	if _, err := p.o.Daemon.Doors.Prove(v.Context(), v.PathValue("door"), v.PathValue("part"), v.FormValue("step")); err != nil {
		return p.page(v, err)
	}
	v.redirect("/prove/" + v.PathValue("door"))
	return nil
}

// drillView is the fire drill.
type drillView struct {
	control.FireDrill
	Any  bool // there was one
	Fire *control.Fire
	Said *advice
}

// drill shows the drill that is on, or the report of the last one.
func (p prove) drill(v *visit, wrong error) error {
	st, err := p.watch.now(v.Context())
	if err != nil {
		return v.told(err)
	}
	view := drillView{Fire: st.Fire, Said: v.advice(wrong, 0)}
	if d, err := p.o.Daemon.Doors.FireDrill(v.Context()); err == nil {
		view.FireDrill, view.Any = d, true
	}
	return p.answer(v, wrong, "drill", view)
}

func (p prove) drillStep(do func(context.Context) (control.FireDrill, error)) func(*visit) error {
	return func(v *visit) error {
		if _, err := do(v.Context()); err != nil {
			return p.drill(v, err)
		}
		v.redirect("/drill")
		return nil
	}
}

// Second is a time of day in the building's zone, for a report; a dash where there is none.
func (f frame) Second(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.Format("15:04:05")
}
