package setup

import (
	"net/http"
	"slices"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/web/oldcards"
	"gatehouse/internal/web/page"
)

// oldCards has the screen for the cards of an old system (S6): the gateway listens to the old
// controller, a table is imported, denied cards are named.
type oldCards struct {
	*page.Page
	tables oldcards.Tables
}

func (o *oldCards) routes() []page.Route {
	all := []page.Route{page.At("GET /oldcards", page.OwnerAlone, func(v *page.Visit) error { return o.page(v, http.StatusOK, oldCardsView{}) })}
	for name, do := range oldcards.Acts {
		all = append(all, page.At("POST /oldcards/"+name, page.OwnerAlone, func(v *page.Visit) error { return o.act(v, do) }))
	}
	return all
}

// oldCardsView is the data of the screen.
type oldCardsView struct {
	Listening *control.Listening
	Enrolled  bool // cards are given at check-in
	Adopt     control.AdoptState
	Doors     []control.Door
	Forms     []string
	Plan      *oldcards.Plan
	Headings  []string // of a table that was refused
	Flats     []string // flats and other known labels, to choose from
	SettingUp bool     // the next screen is the registry's
	Done      string   // key of the words for the result of an act
	Numbers   []any    // in those words
	Said      *page.Advice
}

func (o *oldCards) page(v *page.Visit, status int, view oldCardsView) error {
	st, err := o.Daemon.Status(v.Context()) // what was just done shows
	if err == nil {
		view.Adopt, err = control.Takeover{Daemon: o.Daemon}.Adopts(v.Context())
	}
	if err != nil {
		return err
	}
	if view.Flats, err = o.flats(v); err != nil {
		return v.Told(err)
	}
	view.SettingUp = st.Uplink == nil && v.URL.Query().Get("from") == "setup"
	view.Listening, view.Enrolled, view.Doors, view.Forms = st.Listening, st.Uplink != nil, st.Doors, cardnumber.PrintedForms()
	return v.ShowStatus(status, "oldcards", view)
}

// act carries out a form and shows the screen with the result.
func (o *oldCards) act(v *page.Visit, do oldcards.Act) error {
	done, err := do(oldcards.Form{Request: v.Request, Daemon: o.Daemon, Tables: &o.tables, Label: v.Say("oldcards.label")})
	view, status := oldCardsView{Plan: done.Plan, Headings: done.Headings, Done: done.Words, Numbers: done.Numbers}, http.StatusOK
	if err != nil {
		view.Said, status = v.Advice(err, 0), page.StatusOf(err)
	}
	return o.page(v, status, view)
}

// flats returns the labels of all grants, each once.
func (o *oldCards) flats(v *page.Visit) ([]string, error) {
	all, err := o.Daemon.Keys(v.Context())
	var labels []string
	for _, k := range all {
		if k.Label != "" {
			labels = append(labels, k.Label)
		}
	}
	slices.Sort(labels)
	return slices.Compact(labels), err
}
