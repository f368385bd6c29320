package web

import (
	"cmp"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"gatehouse/internal/web/account"
	"gatehouse/internal/web/athand"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/reception"
	"gatehouse/internal/web/text"
)

// entry has the first run and the sign-in.
type entry struct {
	*page.Page
	counter *reception.Counter
	hand    *athand.Watches
}

func (e entry) routes() []page.Route {
	return []page.Route{
		page.At("GET /welcome", page.Anybody, e.welcome),
		page.At("POST /welcome", page.Anybody, e.claim),
		page.At("POST /welcome/exit", page.Anybody, e.hold),
		page.At("GET /welcome/exit", page.Anybody, e.exit),
		page.At("GET /welcome/exit/live", page.Anybody, e.exitLive),
		page.At("GET /login", page.Anybody, e.login),
		page.At("POST /login", page.Anybody, e.signIn),
		page.At("POST /logout", page.EveryRole, e.signOut),
		page.At("POST /language", page.Anybody, e.language),
		page.At("GET /certificate", page.Anybody, func(v *page.Visit) error { return v.Show("certificate", nil) }),
	}
}

// form is the data of a form that was refused.
type form struct {
	Name   string
	Wrong  string // key of the words; empty: nothing is wrong
	AtHand bool   // an exit button was held in the place of the code
}

// first is the first run's form; wrong is the key of what is wrong with the one before, or empty.
func (e entry) first(v *page.Visit, wrong string) form {
	return form{Name: cmp.Or(v.PostFormValue("name"), v.Say("entry.name_default")), Wrong: wrong, AtHand: e.hand.Proved(e.watch(v))}
}

// owned tells who is at the first run that the house has its owner.
func (e entry) owned(v *page.Visit) error {
	return v.ShowStatus(http.StatusConflict, "login", form{Name: e.usualName(v), Wrong: "entry.claimed"})
}

func (e entry) welcome(v *page.Visit) error {
	if e.Accounts.Claimed() {
		v.Redirect("/login")
		return nil
	}
	return v.Show("welcome", e.first(v, ""))
}

// owner makes the first owner, by the code or by the button that was held.
func (e entry) owner(v *page.Visit, f form) (account.Account, error) {
	if f.AtHand {
		return e.Accounts.ClaimAtHand(f.Name, v.FormValue("password"))
	}
	return e.Accounts.Claim(v.FormValue("code"), f.Name, v.FormValue("password"))
}

func (e entry) claim(v *page.Visit) error {
	again := e.first(v, "")
	if !e.Tries.Allow(v.RemoteAddr, "") {
		again.Wrong = "page.too_fast"
		return v.ShowStatus(http.StatusTooManyRequests, "welcome", again)
	}
	a, err := e.owner(v, again)
	switch {
	case errors.Is(err, account.ErrCode) && v.FormValue("by") == "exit":
		again.Wrong = "entry.exit_over"
	case errors.Is(err, account.ErrCode):
		again.Wrong = "entry.wrong_code"
	case errors.Is(err, account.ErrClaimed):
		return e.owned(v)
	case errors.Is(err, account.ErrPassword):
		again.Wrong = "entry.bad_password"
	case errors.Is(err, account.ErrName):
		again.Wrong = "entry.bad_name"
	case err != nil:
		return err
	}
	if again.Wrong != "" {
		return v.ShowStatus(http.StatusUnprocessableEntity, "welcome", again)
	}
	e.hand.End()
	e.Log.Info().Msg("the house has an owner")
	v.Note(a, a.Caller(), false)
	if err := v.Enter(a); err != nil {
		return err
	}
	v.Redirect("/")
	return nil
}

func (e entry) login(v *page.Visit) error {
	switch {
	case !e.Accounts.Claimed():
		v.Redirect("/welcome")
		return nil
	case v.Account.ID != "":
		v.Redirect("/")
		return nil
	}
	return v.Show("login", form{Name: e.usualName(v)})
}

// usualName returns the name that the first run proposes, in the language in which an account has
// it; empty if none has: names of accounts are not for people who are not signed in.
func (e entry) usualName(v *page.Visit) string {
	for _, l := range []text.Language{v.Lang, v.Lang.Other()} {
		if a, found := e.Accounts.Named(e.Words.Say(l, "entry.name_default")); found {
			return a.Name
		}
	}
	return ""
}

func (e entry) signIn(v *page.Visit) error {
	again := form{Name: v.FormValue("name")}
	device := ""
	if a, found := e.Accounts.Named(again.Name); found {
		device = v.KnownTo(a)
	}
	if !e.Tries.Allow(v.RemoteAddr, device) {
		again.Wrong = "page.too_fast"
		return v.ShowStatus(http.StatusTooManyRequests, "login", again)
	}
	if device == "" {
		if !e.Hashing.Enter(v.Context()) {
			e.Tries.Back(v.RemoteAddr, device)
			again.Wrong = "entry.busy"
			return v.ShowStatus(http.StatusServiceUnavailable, "login", again)
		}
		defer e.Hashing.Leave()
	}
	a, err := e.Accounts.Login(again.Name, v.FormValue("password"))
	if errors.Is(err, account.ErrUnknown) {
		again.Wrong = "entry.wrong_login"
		return v.ShowStatus(http.StatusUnauthorized, "login", again)
	}
	if err != nil {
		return err
	}
	e.Tries.Back(v.RemoteAddr, device)
	if err := v.Enter(a); err != nil {
		return err
	}
	v.Redirect("/")
	return nil
}

func (e entry) signOut(v *page.Visit) error {
	session := e.Sessions.Token(v.Context())
	if err := e.Sessions.Destroy(v.Context()); err != nil {
		return err
	}
	e.counter.End(v.Context(), session, "") // then: who waits in it finds the session gone, and does not save it again
	v.Redirect("/login")
	return nil
}

func (e entry) language(v *page.Visit) error {
	l := text.Chinese
	if v.FormValue("to") == string(text.English) {
		l = text.English
	}
	http.SetCookie(v.W, &http.Cookie{Name: text.Cookie, Value: string(l), Path: "/", MaxAge: 400 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	v.Redirect(ownPath(v.FormValue("back")))
	return nil
}

// ownPath returns a path of this page; "/" for anything else.
func ownPath(p string) string {
	if len(p) == 0 || p[0] != '/' || len(p) > 1 && (p[1] == '/' || p[1] == '\\') || strings.ContainsFunc(p, unicode.IsControl) { // a browser leaves tabs out
		return "/"
	}
	return p
}
