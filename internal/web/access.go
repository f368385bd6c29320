package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/account"
)

// access is who may use the page, for the owner; and for each their own password and
// sessions.
type access struct{ *Server }

func (a access) routes() []route {
	return []route{
		{"GET /access", ownerAlone, func(v *visit) error { return a.page(v, http.StatusOK, accessView{}) }},
		{"POST /access/invite", ownerAlone, a.invite},
		{"POST /access/withdraw", ownerAlone, a.withdraw},
		{"POST /access/remove", ownerAlone, a.remove},
		{"POST /access/handover", ownerAlone, a.handOver},
		{"GET /invited", anybody, func(v *visit) error { return v.show("invited", form{}) }},
		{"POST /invited", anybody, a.accept},
		{"GET /password", everyRole, func(v *visit) error { return v.show("password", form{}) }},
		{"POST /password", everyRole, a.password},
		{"POST /everywhere", everyRole, a.everywhere},
	}
}

// accessView is the screen.
type accessView struct {
	Accounts    []account.Account
	Invitations []account.Invitation
	Code        string // of the invitation just made; it is shown this once
	For         string // whose
	Wrong       string // key
}

func (a access) page(v *visit, status int, view accessView) error {
	view.Accounts = a.o.Accounts.All()
	var err error
	if view.Invitations, err = a.o.Accounts.Invitations(time.Now()); err != nil {
		return err
	}
	return v.showStatus(status, "access", view)
}

// noteWithin is how long the page waits for the gateway to take a note.
const noteWithin = 3 * time.Second

// note puts into the gateway's log who may use the page, or no more. It is done already: a
// gateway that does not answer misses it, and the page's own log says so.
func (v *visit) note(by account.Account, of caller.Caller, ended bool) {
	ctx, cancel := context.WithTimeout(caller.With(context.WithoutCancel(v.Context()), by.Caller()), noteWithin)
	defer cancel()
	if err := control.NoteAccess(ctx, v.s.o.Daemon, control.Access{Account: of.String(), Ended: ended}); err != nil {
		v.s.o.Log.Error().Err(err).Stringer("by", by.Caller()).Stringer("of", of).Bool("ended", ended).Msg("who may use the page is not in the gateway's log")
	}
}

func (a access) invite(v *visit) error {
	name := v.FormValue("name")
	code, err := a.o.Accounts.Invite(name, account.Role(v.FormValue("role")), time.Now())
	switch {
	case errors.Is(err, account.ErrName):
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "entry.bad_name"})
	case errors.Is(err, account.ErrFull):
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.full"})
	case err != nil:
		return err
	}
	v.note(v.Account, caller.Caller{Role: account.Role(v.FormValue("role"))}, false)
	return a.page(v, http.StatusOK, accessView{Code: code[:5] + " " + code[5:], For: name})
}

func (a access) withdraw(v *visit) error {
	open, err := a.o.Accounts.Invitations(time.Now())
	if err != nil {
		return err
	}
	if err := a.o.Accounts.Withdraw(v.FormValue("name"), time.Now()); err != nil {
		return err
	}
	for _, i := range open {
		if strings.EqualFold(i.Name, strings.TrimSpace(v.FormValue("name"))) {
			v.note(v.Account, caller.Caller{Role: i.Role}, true)
		}
	}
	v.redirect("/access")
	return nil
}

func (a access) remove(v *visit) error {
	id := v.FormValue("id")
	if id == v.Account.ID {
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.not_yourself"})
	}
	who, _ := a.o.Accounts.Find(id)
	if err := a.o.Accounts.Remove(id); errors.Is(err, account.ErrUnknown) {
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.gone"})
	} else if err != nil {
		return err
	}
	v.note(v.Account, who.Caller(), true)
	v.redirect("/access")
	return nil
}

// handOver ends the installers, whose work is done.
func (a access) handOver(v *visit) error {
	if v.FormValue("sure") != "yes" {
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.not_sure"})
	}
	if err := a.o.Accounts.HandOver(time.Now()); err != nil {
		return err
	}
	v.note(v.Account, caller.Caller{Role: account.Installer}, true)
	v.redirect("/access")
	return nil
}

// accept makes the account of somebody who was invited.
func (a access) accept(v *visit) error {
	if !a.tries.Allow(v.RemoteAddr) {
		return v.showStatus(http.StatusTooManyRequests, "invited", form{Wrong: "page.too_fast"})
	}
	made, err := a.o.Accounts.Accept(v.FormValue("code"), v.FormValue("password"), time.Now())
	wrong := ""
	switch {
	case errors.Is(err, account.ErrInvitation):
		wrong = "access.wrong_code"
	case errors.Is(err, account.ErrPassword):
		wrong = "entry.bad_password"
	case errors.Is(err, account.ErrName):
		wrong = "access.name_taken"
	case errors.Is(err, account.ErrFull):
		wrong = "access.full"
	case err != nil:
		return err
	}
	if wrong != "" {
		return v.showStatus(http.StatusUnprocessableEntity, "invited", form{Wrong: wrong})
	}
	v.note(made, made.Caller(), false)
	if err := v.enter(made); err != nil {
		return err
	}
	v.redirect("/")
	return nil
}

// password changes one's own. All other sessions of the account end.
func (a access) password(v *visit) error {
	if !a.tries.Allow(v.RemoteAddr) {
		return v.showStatus(http.StatusTooManyRequests, "password", form{Wrong: "page.too_fast"})
	}
	if _, err := a.o.Accounts.Login(v.Account.Name, v.FormValue("old")); errors.Is(err, account.ErrUnknown) {
		return v.showStatus(http.StatusUnprocessableEntity, "password", form{Wrong: "access.wrong_password"})
	} else if err != nil {
		return err
	}
	changed, err := a.o.Accounts.SetPassword(v.Account.ID, v.FormValue("password"))
	if errors.Is(err, account.ErrPassword) {
		return v.showStatus(http.StatusUnprocessableEntity, "password", form{Wrong: "entry.bad_password"})
	}
	if err != nil {
		return err
	}
	v.note(changed, changed.Caller(), true)
	if err := v.enter(changed); err != nil {
		return err
	}
	v.redirect("/more")
	return nil
}

// everywhere ends all one's sessions, on whatever phone they are.
func (a access) everywhere(v *visit) error {
	if err := a.o.Accounts.EndSessions(v.Account.ID); err != nil {
		return err
	}
	v.note(v.Account, v.Account.Caller(), true)
	if err := a.sessions.Destroy(v.Context()); err != nil {
		return err
	}
	v.redirect("/login")
	return nil
}
