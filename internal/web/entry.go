package web

import (
	"errors"
	"net/http"

	"gatehouse/internal/web/account"
	"gatehouse/internal/web/text"
)

// entry is the first run and the sign-in.
type entry struct{ *Server }

func (e entry) routes() []route {
	return []route{
		{"GET /welcome", anybody, e.welcome},
		{"POST /welcome", anybody, e.claim},
		{"GET /login", anybody, e.login},
		{"POST /login", anybody, e.signIn},
		{"POST /logout", everyRole, e.signOut},
		{"POST /language", anybody, e.language},
		{"GET /certificate", anybody, func(v *visit) error { return v.show("certificate", nil) }},
	}
}

// form is what stands in a form that was sent and did not do.
type form struct {
	Name  string
	Wrong string // key of the words
}

func (e entry) welcome(v *visit) error {
	if e.o.Accounts.Claimed() {
		v.redirect("/login")
		return nil
	}
	return v.show("welcome", form{Name: v.say("entry.name_default")})
}

func (e entry) claim(v *visit) error {
	again := form{Name: v.FormValue("name")}
	if again.Name == "" {
		again.Name = v.say("entry.name_default")
	}
	if !e.tries.Allow(v.RemoteAddr) {
		again.Wrong = "page.too_fast"
		return v.showStatus(http.StatusTooManyRequests, "welcome", again)
	}
	a, err := e.o.Accounts.Claim(v.FormValue("code"), again.Name, v.FormValue("password"))
	switch {
	case errors.Is(err, account.ErrCode):
		again.Wrong = "entry.wrong_code"
	case errors.Is(err, account.ErrClaimed):
		v.redirect("/login")
		return nil
	case errors.Is(err, account.ErrPassword):
		again.Wrong = "entry.bad_password"
	case errors.Is(err, account.ErrName):
		again.Wrong = "entry.bad_name"
	case err != nil:
		return err
	}
	if again.Wrong != "" {
		return v.showStatus(http.StatusUnprocessableEntity, "welcome", again)
	}
	e.o.Log.Info().Msg("the house has an owner")
	v.note(a, a.Caller(), false)
	if err := v.enter(a); err != nil {
		return err
	}
	v.redirect("/")
	return nil
}

func (e entry) login(v *visit) error {
	switch {
	case !e.o.Accounts.Claimed():
		v.redirect("/welcome")
		return nil
	case v.Account.ID != "":
		v.redirect("/")
		return nil
	}
	return v.show("login", form{Name: v.say("entry.name_default")})
}

func (e entry) signIn(v *visit) error {
	again := form{Name: v.FormValue("name")}
	if !e.tries.Allow(v.RemoteAddr) {
		again.Wrong = "page.too_fast"
		return v.showStatus(http.StatusTooManyRequests, "login", again)
	}
	a, err := e.o.Accounts.Login(again.Name, v.FormValue("password"))
	if errors.Is(err, account.ErrUnknown) {
		again.Wrong = "entry.wrong_login"
		return v.showStatus(http.StatusUnauthorized, "login", again)
	}
	if err != nil {
		return err
	}
	if err := v.enter(a); err != nil {
		return err
	}
	v.redirect("/")
	return nil
}

func (e entry) signOut(v *visit) error {
	e.counter.End(v.Context(), e.sessions.GetString(v.Context(), keyDesk))
	if err := e.sessions.Destroy(v.Context()); err != nil {
		return err
	}
	v.redirect("/login")
	return nil
}

func (e entry) language(v *visit) error {
	l := text.Chinese
	if v.FormValue("to") == string(text.English) {
		l = text.English
	}
	http.SetCookie(v.w, &http.Cookie{Name: text.Cookie, Value: string(l), Path: "/", MaxAge: 400 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	v.redirect(ownPath(v.FormValue("back")))
	return nil
}

// ownPath is a path on this page; anything else leads home.
func ownPath(p string) string {
	if len(p) > 0 && p[0] == '/' && (len(p) == 1 || p[1] != '/' && p[1] != '\\') {
		return p
	}
	return "/"
}
