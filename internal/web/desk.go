package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"gatehouse/internal/control"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/reception"
	"gatehouse/internal/web/text"
)

// desk has the visit at the desk (P2 to P4): each step is a form, and GET /people/desk shows the
// next one, however often it is requested. Names, numbers and PINs are in no address, log, cookie
// or page.
type desk struct {
	*page.Page
	counter *reception.Counter
}

func (d desk) routes() []page.Route {
	return []page.Route{
		page.At("GET /people/desk", page.Household, d.page),
		page.At("POST /people/desk", page.Household, d.begin),
		page.At("POST /people/desk/details", page.Household, d.step(d.details)),
		page.At("POST /people/desk/choose", page.Household, d.step(d.choose)),
		page.At("POST /people/desk/card", page.Household, d.step(d.card)),
		page.At("POST /people/desk/pin", page.Household, d.step(d.pin)),
		page.At("POST /people/desk/tenant", page.Household, d.step(d.tenant)),
		page.At("POST /people/desk/back", page.Household, d.step(func(v *page.Visit, at *reception.Visit) error { at.Back(v.Context()); return nil })),
		page.At("POST /people/desk/resume", page.Household, d.resume),
		page.At("POST /people/desk/leave", page.Household, d.leave),
	}
}

// deskPath is the path of every step.
const deskPath = "/people/desk"

// deskView is the data of a step's screen.
type deskView struct {
	reception.View
	Said      *page.Advice
	Documents []string
	Bases     []string
	Causes    []string
	Proofs    []string
	Lost      []control.TenancyCard // the cards that a change may concern
	Door      string                // where the card is presented next; empty: one of Desk.Here
	Outcome   string                // result of a finished visit
	Remarks   []string
	Child     bool // the number is of somebody who is, or may be, a child
	Auto      bool // the script submits the form without a press
}

// deskScreens are the screens of the steps.
var deskScreens = map[reception.Step]string{reception.Details: "desk_details", reception.Choose: "desk_choose", reception.ByCard: "desk_card", reception.ByPIN: "desk_pin",
	reception.TwicePIN: "desk_pin", reception.Card: "desk_card", reception.Tenant: "desk_tenant", reception.Done: "desk_done", reception.Paused: "desk_paused"}

func (d desk) page(v *page.Visit) error {
	at := d.counter.Of(d.Sessions.Token(v.Context()))
	if at == nil {
		return v.ShowStatus(http.StatusGone, "desk_none", nil)
	}
	now := at.View(v.Context())
	shown := deskView{View: now, Said: v.Advice(now.Fault, now.Desk.NoticeDays), Documents: idnumber.Documents(), Bases: []string{"contract", "duty", "consent"},
		Causes: []string{"moved_out", "lease_over", "agreed", "never_came", "died", "order", "mistake"}}
	shown.Lost = concerned(now.Purpose, now.Tenancy.Cards)
	shown.Proofs = proofs(now.Purpose, now.Tenancy)
	switch {
	case len(now.Missing) > 0:
		shown.Door = now.Missing[0]
	case len(now.Desk.Here) == 1:
		shown.Door = now.Desk.Here[0]
	}
	shown.Child = now.Form.Guardian || errors.Is(now.Fault, text.Word(text.ChildKey))
	shown.Auto = now.Fault == nil && shown.Door != ""
	if now.Done != nil {
		shown.Outcome = outcome(v, now)
		for _, r := range slices.DeleteFunc(slices.Clone(now.Done.Remarks), reception.OfChild) { // that was told before
			shown.Remarks = append(shown.Remarks, v.Advice(&socket.Error{Message: r}, now.Desk.NoticeDays).Message)
		}
	}
	return v.Show(deskScreens[now.Step], shown)
}

// concerned returns the cards that a purpose may concern.
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

// proofs returns the possible proofs for a change of a tenancy.
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
	if p.ByPIN(t) {
		all = append(all, "pin")
	}
	if p != reception.Confirm && p != reception.NewPIN && p != reception.NewCodes && p != reception.Guest && p != reception.Dispute {
		all = append(all, "landlord")
	}
	return all
}

// begin opens a visit. There is one desk: if somebody is there, the page says so, and offers to
// take over.
func (d desk) begin(v *page.Visit) error {
	p, tenancy := reception.Purpose(v.FormValue("purpose")), v.FormValue("tenancy")
	if !p.Known() || (p == reception.CheckIn) != (tenancy == "") {
		return &socket.Error{Status: http.StatusUnprocessableEntity, Message: v.Say("desk.no_purpose"), Hint: v.Say("desk.no_purpose_do")}
	}
	mine, session := "", d.Sessions.Token(v.Context())
	if up := v.FormValue("give_up"); up != "" { // that one, and not what was begun since
		d.counter.End(v.Context(), session, up)
	}
	if at := d.counter.Of(session); at != nil {
		mine = at.Token
	}
	_, err := d.counter.Begin(v.Context(), session, p, tenancy, v.FormValue("take_over") == "1")
	if errors.Is(err, reception.ErrUnfinished) || reception.Busy(err) {
		return v.ShowStatus(http.StatusConflict, "desk_busy", busyView{string(p), tenancy, mine, errors.Is(err, reception.ErrUnfinished)})
	}
	if err != nil {
		return v.Told(err)
	}
	v.Redirect(deskPath)
	return nil
}

// busyView is for an occupied desk: by this session itself (Own), or by somebody else. Purpose
// "resume" continues an interrupted visit. Token is the visit of the session.
type busyView struct {
	Purpose, Tenancy, Token string
	Own                     bool
}

// of returns the visit that a form is of: nil if that is not the session's present one.
func (d desk) of(v *page.Visit) *reception.Visit {
	at := d.counter.Of(d.Sessions.Token(v.Context()))
	if at == nil || at.Token != v.FormValue("visit") {
		return nil
	}
	return at
}

// past answers a form of a visit that is no more: it did nothing, and no other visit's screen may
// stand there as if it had been its next step.
func (d desk) past(v *page.Visit) error {
	if d.counter.Taken() {
		return v.ShowStatus(http.StatusConflict, "desk_other", nil)
	}
	return v.ShowStatus(http.StatusGone, "desk_none", nil)
}

// step handles a form of a visit.
func (d desk) step(do func(*page.Visit, *reception.Visit) error) func(*page.Visit) error {
	return func(v *page.Visit) error {
		at := d.of(v)
		if at == nil {
			return d.past(v)
		}
		if err := do(v, at); err != nil {
			return err
		}
		if d.of(v) != at && v.Stays() { // another one was begun while this one waited
			return d.past(v)
		}
		v.Redirect(deskPath)
		return nil
	}
}

func (d desk) details(v *page.Visit, at *reception.Visit) error {
	f := reception.Form{Document: v.FormValue("document"), Number: v.FormValue("number"), Name: v.FormValue("person"), Flat: v.FormValue("flat"), Label: v.FormValue("label"),
		Doors: v.Form["door"], Term: v.FormValue("term"), From: v.FormValue("from"), Until: v.FormValue("until"), Basis: v.FormValue("basis"), Guardian: v.FormValue("guardian") == "1"}
	at.Arrive(v.Context(), f)
	return nil
}

func (d desk) choose(v *page.Visit, at *reception.Visit) error {
	card, err := strconv.Atoi(v.FormValue("card"))
	if err != nil {
		card = 0 // the only card
	}
	at.Choose(v.Context(), reception.Choice{Proof: v.FormValue("proof"), Card: card, Cause: v.FormValue("cause"), Only: v.FormValue("only") == "1", Guest: reception.GuestFormOf(v.Request)})
	return nil
}

// card waits until a card is presented, for about a minute.
func (d desk) card(v *page.Visit, at *reception.Visit) error {
	if v.FormValue("enough") == "1" {
		at.Enough(v.Context())
		return nil
	}
	return d.waiting(v, func() { at.Show(v.Context(), v.FormValue("door")) })
}

// pin takes a PIN, or waits until it is typed at a door's keys.
func (d desk) pin(v *page.Visit, at *reception.Visit) error {
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

func (d desk) tenant(v *page.Visit, at *reception.Visit) error {
	at.Inform(v.Context(), v.FormValue("informed") == "1", v.FormValue("pin"), v.FormValue("again"))
	return nil
}

// waiting runs a request that waits for a person. If the session ended meanwhile, it is not saved
// again.
func (d desk) waiting(v *page.Visit, wait func()) error {
	wait()
	if _, found, err := d.Sessions.Store.Find(d.Sessions.Token(v.Context())); err == nil && !found {
		return d.Sessions.Destroy(v.Context())
	}
	return nil
}

func (d desk) resume(v *page.Visit) error {
	at := d.of(v)
	if at == nil {
		return d.past(v)
	}
	if err := at.Resume(v.Context(), v.FormValue("take_over") == "1"); reception.Busy(err) {
		return v.ShowStatus(http.StatusConflict, "desk_busy", busyView{Purpose: "resume", Token: at.Token})
	}
	v.Redirect(deskPath)
	return nil
}

func (d desk) leave(v *page.Visit) error {
	if at := d.of(v); at != nil {
		d.counter.End(v.Context(), d.Sessions.Token(v.Context()), at.Token)
	}
	v.Redirect("/people")
	return nil
}

// outcome returns the result of a visit in words.
func outcome(v *page.Visit, at reception.View) string {
	t := at.Done.Tenancy
	switch {
	case at.Purpose == reception.CheckIn && t.State == "not_begun":
		return v.Say("desk.did_checkin_later", v.Called(t), page.Day(t.From))
	case at.Purpose == reception.MoveOut && t.State == "ended":
		return v.Say("desk.did_out_ended", v.Called(t))
	case at.Purpose == reception.MoveOut && t.Notice != nil:
		return v.Say("desk.did_out_notice", v.Called(t), page.Minute(*t.Notice))
	case at.Purpose == reception.Lost && at.Change.Proof == "landlord":
		return v.Say("desk.did_lost_landlord", v.Called(t))
	case at.Purpose == reception.Lost && at.Change.Action == "suspend":
		return v.Say("desk.did_lost_only", v.Called(t))
	}
	return v.Say("desk.did_"+string(at.Purpose), v.Called(t))
}
