package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/page"
)

// access has the owner's screen of who may use the page, and everybody's own password and sessions.
type access struct{ *page.Page }

func (a access) routes() []page.Route {
	return []page.Route{
		page.At("GET /access", page.OwnerAlone, func(v *page.Visit) error { return a.page(v, http.StatusOK, accessView{}) }),
		page.At("POST /access/invite", page.OwnerAlone, a.invite),
		page.At("POST /access/withdraw", page.OwnerAlone, a.withdraw),
		page.At("POST /access/remove", page.OwnerAlone, a.remove),
		page.At("POST /access/handover", page.OwnerAlone, a.handOver),
		page.At("GET /invited", page.Anybody, func(v *page.Visit) error { return v.Show("invited", form{}) }),
		page.At("POST /invited", page.Anybody, a.accept),
		page.At("GET /password", page.EveryRole, func(v *page.Visit) error { return v.Show("password", form{}) }),
		page.At("POST /password", page.EveryRole, a.password),
		page.At("POST /everywhere", page.EveryRole, a.everywhere),
	}
}

// accessView is the data of the screen.
type accessView struct {
	Accounts    []account.Account
	Invitations []account.Invitation
	Code        string // of a new invitation; shown only once
	For         string // the invited name
	Again       bool   // it was invited before, by a code that now is void
	Wrong       string // key of the words; empty: nothing is wrong
}

func (a access) page(v *page.Visit, status int, view accessView) error {
	view.Accounts = a.Accounts.All()
	var err error
	if view.Invitations, err = a.Accounts.Invitations(time.Now()); err != nil {
		return err
	}
	return v.ShowStatus(status, "access", view)
}

func (a access) invite(v *page.Visit) error {
	name := v.FormValue("name")
	code, again, err := a.Accounts.Invite(name, account.Role(v.FormValue("role")), time.Now())
	switch {
	case errors.Is(err, account.ErrName):
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "entry.bad_name"})
	case errors.Is(err, account.ErrRole):
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.one_owner"})
	case errors.Is(err, account.ErrFull):
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.full"})
	case err != nil:
		return err
	}
	v.Note(v.Account, caller.Caller{Role: account.Role(v.FormValue("role"))}, false)
	return a.page(v, http.StatusOK, accessView{Code: code[:5] + " " + code[5:], For: name, Again: again})
}

func (a access) withdraw(v *page.Visit) error {
	open, err := a.Accounts.Invitations(time.Now())
	if err != nil {
		return err
	}
	if err := a.Accounts.Withdraw(v.FormValue("name"), time.Now()); err != nil {
		return err
	}
	for _, i := range open {
		if strings.EqualFold(i.Name, strings.TrimSpace(v.FormValue("name"))) {
			v.Note(v.Account, caller.Caller{Role: i.Role}, true)
		}
	}
	v.Redirect("/access")
	return nil
}

func (a access) remove(v *page.Visit) error {
	id := v.FormValue("id")
	if id == v.Account.ID {
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.not_yourself"})
	}
	who, _ := a.Accounts.Find(id)
	if err := a.Accounts.Remove(id); errors.Is(err, account.ErrUnknown) {
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.gone"})
	} else if err != nil {
		return err
	}
	v.Note(v.Account, who.Caller(), true)
	v.Redirect("/access")
	return nil
}

// handOver deletes the installers' accounts: their work is done.
func (a access) handOver(v *page.Visit) error {
	if v.FormValue("sure") != "yes" {
		return a.page(v, http.StatusUnprocessableEntity, accessView{Wrong: "access.not_sure"})
	}
	if err := a.Accounts.HandOver(time.Now()); err != nil {
		return err
	}
	v.Note(v.Account, caller.Caller{Role: account.Installer}, true)
	v.Redirect("/access")
	return nil
}

// accept makes the account of an invited person.
func (a access) accept(v *page.Visit) error {
	if !a.Tries.Allow(v.RemoteAddr, "") {
		return v.ShowStatus(http.StatusTooManyRequests, "invited", form{Wrong: "page.too_fast"})
	}
	made, err := a.Accounts.Accept(v.FormValue("code"), v.FormValue("password"), time.Now())
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
		return v.ShowStatus(http.StatusUnprocessableEntity, "invited", form{Wrong: wrong})
	}
	v.Note(made, made.Caller(), false)
	if err := v.Enter(made); err != nil {
		return err
	}
	v.Redirect("/")
	return nil
}

// password changes one's own password. All other sessions of the account end.
func (a access) password(v *page.Visit) error {
	if !a.Tries.Allow(v.RemoteAddr, v.Account.ID) {
		return v.ShowStatus(http.StatusTooManyRequests, "password", form{Wrong: "page.too_fast"})
	}
	if _, err := a.Accounts.Login(v.Account.Name, v.FormValue("old")); errors.Is(err, account.ErrUnknown) {
		return v.ShowStatus(http.StatusUnprocessableEntity, "password", form{Wrong: "access.wrong_password"})
	} else if err != nil {
		return err
	}
	changed, err := a.Accounts.SetPassword(v.Account.ID, v.FormValue("password"))
	if errors.Is(err, account.ErrPassword) {
		return v.ShowStatus(http.StatusUnprocessableEntity, "password", form{Wrong: "entry.bad_password"})
	}
	if err != nil {
		return err
	}
	v.Note(changed, changed.Caller(), true)
	if err := v.Enter(changed); err != nil {
		return err
	}
	v.Redirect("/more")
	return nil
}

// everywhere ends all one's sessions, on any phone.
func (a access) everywhere(v *page.Visit) error {
	if err := a.Accounts.EndSessions(v.Account.ID); err != nil {
		return err
	}
	v.Note(v.Account, v.Account.Caller(), true)
	if err := a.Sessions.Destroy(v.Context()); err != nil {
		return err
	}
	v.Redirect("/login")
	return nil
}
