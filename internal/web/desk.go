package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"gatehouse/internal/control"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/reception"
)

// desk is a visit at the desk (P2 to P4): each step is a form, and GET /people/desk shows
// the one that is next, however often it is asked for. Names, numbers and PINs stand in
// no address, no log, no cookie and no page.
type desk struct{ *Server }

func (d desk) routes() []route {
	return []route{
		{"GET /people/desk", household, d.page},
		{"POST /people/desk", household, d.begin},
		{"POST /people/desk/details", household, d.step(d.details)},
		{"POST /people/desk/choose", household, d.step(d.choose)},
		{"POST /people/desk/card", household, d.step(d.card)},
		{"POST /people/desk/pin", household, d.step(d.pin)},
		{"POST /people/desk/tenant", household, d.step(d.tenant)},
		{"POST /people/desk/back", household, d.step(func(v *visit, at *reception.Visit) error { at.Back(v.Context()); return nil })},
		{"POST /people/desk/resume", household, d.resume},
		{"POST /people/desk/leave", household, d.leave},
	}
}

// keyDesk is the session's key of the visit's token.
const keyDesk = "desk"

// deskPath is where every step is shown.
const deskPath = "/people/desk"

// deskView is a step as its screen shows it.
type deskView struct {
	reception.View
	Said      *advice
	Documents []string
	Bases     []string
	Causes    []string
	Proofs    []string
	Lost      []control.TenancyCard // those that a change may be about
	Door      string                // where the card is held up next; empty: one of Desk.Here
	Remarks   []string
	Auto      bool // the script begins to wait by itself
}

// deskScreens are the screens of the steps.
var deskScreens = map[reception.Step]string{reception.Details: "desk_details", reception.Choose: "desk_choose", reception.ByCard: "desk_card", reception.ByPIN: "desk_pin",
	reception.TwicePIN: "desk_pin", reception.Card: "desk_card", reception.Tenant: "desk_tenant", reception.Done: "desk_done", reception.Paused: "desk_paused"}

func (d desk) page(v *visit) error {
	at := d.counter.Of(d.sessions.GetString(v.Context(), keyDesk))
	if at == nil {
		return v.showStatus(http.StatusGone, "desk_none", nil)
	}
	now := at.View(v.Context())
	shown := deskView{View: now, Said: v.advice(now.Fault, now.Desk.NoticeDays), Documents: idnumber.Documents(), Bases: []string{"contract", "duty", "consent"},
		Causes: []string{"moved_out", "lease_over", "agreed", "never_came", "died", "order", "mistake"}}
	shown.Lost = concerned(now.Purpose, now.Tenancy.Cards)
	shown.Proofs = proofs(now.Purpose, now.Tenancy)
	switch {
	case len(now.Missing) > 0:
		shown.Door = now.Missing[0]
	case len(now.Desk.Here) == 1:
		shown.Door = now.Desk.Here[0]
	}
	shown.Auto = now.Fault == nil && shown.Door != ""
	if now.Done != nil {
		for _, r := range now.Done.Remarks {
			shown.Remarks = append(shown.Remarks, v.advice(&socket.Error{Message: r}, now.Desk.NoticeDays).Message)
		}
	}
	return v.show(deskScreens[now.Step], shown)
}

// concerned are the cards that a purpose may be about.
func concerned(p reception.Purpose, all []control.TenancyCard) []control.TenancyCard {
	return slices.DeleteFunc(slices.Clone(all), func(c control.TenancyCard) bool {
		switch p {
		case reception.Lost:
			return c.State == "ended"
		case reception.Found:
			return c.State != "suspended" && !c.Ending
		case reception.Confirm:
			return c.State != "active" || c.Proves
		}
		return true
	})
}

// proofs are those by which a change of a tenancy can be done. What could never prove
// anything is not offered.
func proofs(p reception.Purpose, t control.Tenancy) (all []string) {
	proving := 0
	for _, c := range t.Cards {
		if c.State == "active" && c.Proves {
			proving++
		}
	}
	if p == reception.Withdraw {
		return []string{"landlord"}
	}
	if p == reception.Lost && proving > 1 || p != reception.Lost {
		all = append(all, "card")
	}
	if t.HasPIN {
		all = append(all, "pin")
	}
	if p != reception.Confirm && p != reception.NewPIN && p != reception.NewCodes && p != reception.Dispute {
		all = append(all, "landlord")
	}
	return all
}

// begin opens a visit. The desk is one: whoever finds somebody there is told, and may take
// it over.
func (d desk) begin(v *visit) error {
	p, tenancy := reception.Purpose(v.FormValue("purpose")), v.FormValue("tenancy")
	if !p.Known() || (p == reception.CheckIn) != (tenancy == "") {
		return &socket.Error{Status: http.StatusUnprocessableEntity, Message: v.say("desk.no_purpose"), Hint: v.say("desk.no_purpose_do")}
	}
	mine := d.sessions.GetString(v.Context(), keyDesk)
	if v.FormValue("give_up") == "1" {
		d.counter.End(v.Context(), mine)
	}
	at, err := d.counter.Begin(v.Context(), mine, p, tenancy, v.FormValue("take_over") == "1")
	if errors.Is(err, reception.ErrUnfinished) || reception.Busy(err) {
		return v.showStatus(http.StatusConflict, "desk_busy", busyView{string(p), tenancy, errors.Is(err, reception.ErrUnfinished)})
	}
	if err != nil {
		return v.told(err)
	}
	d.sessions.Put(v.Context(), keyDesk, at.Token)
	v.redirect(deskPath)
	return nil
}

// busyView is a desk at which somebody is: this session itself, or somebody else. Purpose
// "resume" goes on with a visit that was interrupted.
type busyView struct {
	Purpose, Tenancy string
	Own              bool
}

// step is a form of a visit. One of another visit changes nothing: the page shows where
// the visit stands.
func (d desk) step(do func(*visit, *reception.Visit) error) func(*visit) error {
	return func(v *visit) error {
		token := d.sessions.GetString(v.Context(), keyDesk)
		if at := d.counter.Of(token); at != nil && v.FormValue("visit") == token {
			if err := do(v, at); err != nil {
				return err
			}
		}
		v.redirect(deskPath)
		return nil
	}
}

func (d desk) details(v *visit, at *reception.Visit) error {
	f := reception.Form{Document: v.FormValue("document"), Number: v.FormValue("number"), Name: v.FormValue("person"), Flat: v.FormValue("flat"), Label: v.FormValue("label"),
		Doors: v.Form["door"], Term: v.FormValue("term"), From: v.FormValue("from"), Until: v.FormValue("until"), Basis: v.FormValue("basis")}
	at.Arrive(v.Context(), f)
	return nil
}

func (d desk) choose(v *visit, at *reception.Visit) error {
	card, err := strconv.Atoi(v.FormValue("card"))
	if err != nil {
		card = 0 // the only one
	}
	at.Choose(v.Context(), reception.Choice{Proof: v.FormValue("proof"), Card: card, Cause: v.FormValue("cause"), Only: v.FormValue("only") == "1"})
	return nil
}

// card waits until the card was held up, a minute or so.
func (d desk) card(v *visit, at *reception.Visit) error {
	if v.FormValue("enough") == "1" {
		at.Enough(v.Context())
		return nil
	}
	return d.waiting(v, func() { at.Show(v.Context(), v.FormValue("door")) })
}

// pin takes a PIN, or waits until it was typed at the keys of a door.
func (d desk) pin(v *visit, at *reception.Visit) error {
	if door := v.FormValue("door"); door != "" {
		return d.waiting(v, func() { at.Type(v.Context(), door) })
	}
	if at.Step() == reception.TwicePIN {
		at.SetPIN(v.Context(), v.FormValue("pin"), v.FormValue("again"))
	} else {
		at.PIN(v.Context(), v.FormValue("pin"))
	}
	return nil
}

func (d desk) tenant(v *visit, at *reception.Visit) error {
	at.Inform(v.Context(), v.FormValue("informed") == "1", v.FormValue("pin"), v.FormValue("again"))
	return nil
}

// waiting lets a request wait for somebody. A session that ended meanwhile is not saved
// again by it.
func (d desk) waiting(v *visit, wait func()) error {
	wait()
	if _, found, err := d.sessions.Store.Find(d.sessions.Token(v.Context())); err == nil && !found {
		return d.sessions.Destroy(v.Context())
	}
	return nil
}

func (d desk) resume(v *visit) error {
	at := d.counter.Of(d.sessions.GetString(v.Context(), keyDesk))
	if at != nil {
		if err := at.Resume(v.Context(), v.FormValue("take_over") == "1"); reception.Busy(err) {
			return v.showStatus(http.StatusConflict, "desk_busy", busyView{Purpose: "resume"})
		}
	}
	v.redirect(deskPath)
	return nil
}

func (d desk) leave(v *visit) error {
	if token := d.sessions.GetString(v.Context(), keyDesk); token == v.FormValue("visit") {
		d.counter.End(v.Context(), token)
	}
	v.redirect("/people")
	return nil
}

// Outcome says what a visit came to.
func (f frame) Outcome(at reception.View) string {
	t := at.Done.Tenancy
	switch {
	case at.Purpose == reception.CheckIn && t.State == "not_begun":
		return f.T("desk.did_checkin_later", f.Called(t), f.Day(t.From))
	case at.Purpose == reception.MoveOut && t.State == "ended":
		return f.T("desk.did_out_ended", f.Called(t))
	case at.Purpose == reception.MoveOut && t.Notice != nil:
		return f.T("desk.did_out_notice", f.Called(t), f.Minute(*t.Notice))
	case at.Purpose == reception.Lost && at.Change.Proof == "landlord":
		return f.T("desk.did_lost_landlord", f.Called(t))
	case at.Purpose == reception.Lost && at.Change.Action == "suspend":
		return f.T("desk.did_lost_only", f.Called(t))
	}
	return f.T("desk.did_"+string(at.Purpose), f.Called(t))
}
