package web

import (
	"net/http"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/web/oldcards"
)

// oldCards is what becomes of the cards that a house has (S6): the old controller is
// listened to, a table is imported, cards that ask are named.
type oldCards struct{ *Server }

func (o oldCards) routes() []route {
	all := []route{{"GET /oldcards", ownerAlone, func(v *visit) error { return o.page(v, http.StatusOK, oldCardsView{}) }}}
	for name, do := range oldcards.Acts {
		all = append(all, route{"POST /oldcards/" + name, ownerAlone, func(v *visit) error { return o.act(v, do) }})
	}
	return all
}

// oldCardsView is the screen.
type oldCardsView struct {
	Listening *control.Listening
	Enrolled  bool // cards are given at check-in
	Adopt     control.AdoptState
	Doors     []control.Door
	Forms     []string
	Plan      *oldcards.Plan
	Done      string // what was done, in words
	Said      *advice
}

func (o oldCards) page(v *visit, status int, view oldCardsView) error {
	st, err := o.o.Daemon.Status(v.Context()) // what was just done shows
	if err == nil {
		view.Adopt, err = control.Takeover{Daemon: o.o.Daemon}.Adopts(v.Context())
	}
	if err != nil {
		return err
	}
	view.Listening, view.Enrolled, view.Doors, view.Forms = st.Listening, st.Uplink != nil, st.Doors, cardnumber.PrintedForms()
	return v.showStatus(status, "oldcards", view)
}

// act does one thing and shows the screen with what came of it.
func (o oldCards) act(v *visit, do oldcards.Act) error {
	done, err := do(oldcards.Form{Request: v.Request, Daemon: o.o.Daemon, Tables: &o.tables, Label: v.say("oldcards.label")})
	view, status := oldCardsView{Plan: done.Plan, Done: v.say(done.Words, done.Numbers...)}, http.StatusOK
	if err != nil {
		view.Said, status = v.advice(err, 0), statusOf(err)
	}
	return o.page(v, status, view)
}
