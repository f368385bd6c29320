package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/certificate"
	"gatehouse/internal/web/text"
)

// route is one thing that the page answers, and who may ask for it.
type route struct {
	pattern string         // of http.ServeMux
	roles   []account.Role // none: anybody, also without an account
	do      func(*visit) error
}

// Roles of routes.
var (
	anybody    []account.Role
	everyRole  = []account.Role{account.Owner, account.Helper, account.Installer}
	household  = []account.Role{account.Owner, account.Helper}
	ownerAlone = []account.Role{account.Owner}
)

// visit is one request.
type visit struct {
	*http.Request
	w       http.ResponseWriter
	s       *Server
	Account account.Account // the zero value: nobody is signed in
	Lang    text.Language
}

// Session keys.
const (
	keyAccount = "account"
	keySince   = "since" // of the account's password: see account.Account
)

// serve answers a route: it finds who asks, holds that to the route's roles, and turns an
// error into a page that says what to do.
func (s *Server) serve(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		v := &visit{Request: req, w: w, s: s, Lang: text.Of(req)}
		v.Account = v.who()
		v.Request = req.WithContext(caller.With(req.Context(), v.caller()))
		if len(r.roles) > 0 {
			switch {
			case v.Account.ID == "":
				v.redirect("/login")
				return
			case !slices.Contains(r.roles, v.Account.Role):
				v.refuse(&socket.Error{Status: http.StatusForbidden, Message: v.say("page.not_for_you")})
				return
			}
		}
		if err := r.do(v); err != nil {
			v.refuse(err)
		}
	})
}

// who is the account of the session, if it is still good for it.
func (v *visit) who() account.Account {
	id := v.s.sessions.GetString(v.Context(), keyAccount)
	if id == "" {
		return account.Account{}
	}
	a, ok := v.s.o.Accounts.Find(id)
	if !ok || a.Since != v.s.sessions.GetInt(v.Context(), keySince) {
		return account.Account{}
	}
	return a
}

// stays reports whether a session is as good as when its request began.
func (v *visit) stays() bool {
	_, found, err := v.s.sessions.Store.Find(v.s.sessions.Token(v.Context()))
	return err == nil && found && v.who() == v.Account
}

// caller is for whom the daemon is asked.
func (v *visit) caller() caller.Caller {
	if v.Account.ID == "" {
		return caller.Caller{Role: caller.Page}
	}
	return v.Account.Caller()
}

// enter signs somebody in.
func (v *visit) enter(a account.Account) error {
	if err := v.s.sessions.RenewToken(v.Context()); err != nil {
		return err
	}
	v.s.sessions.Put(v.Context(), keyAccount, a.ID)
	v.s.sessions.Put(v.Context(), keySince, a.Since)
	return nil
}

func (v *visit) say(key string, args ...any) string { return v.s.words.Say(v.Lang, key, args...) }

// redirect leads the browser on after a form. A page of a form that was sent is never
// sent again by going back.
func (v *visit) redirect(path string) { http.Redirect(v.w, v.Request, path, http.StatusSeeOther) }

// refuse shows an error as a page: what is wrong and what to do.
func (v *visit) refuse(err error) {
	known := &socket.Error{Status: http.StatusInternalServerError, Message: err.Error()}
	var e *socket.Error
	if errors.As(err, &e) {
		known = e
	}
	if v.Method == http.MethodGet && strings.Contains(known.Message, noHouse) {
		v.redirect("/setup")
		return
	}
	status := known.Status
	if status == 0 {
		status = http.StatusBadGateway
	}
	v.s.o.Log.Info().Str("route", v.Pattern).Int("status", status).Msg("refused")
	v.showStatus(status, "fault", known)
}

// noHouse is what the daemon says to whoever wants something of a house that it does not serve.
const noHouse = "no door is served: "

// frame is what stands on every page.
type frame struct {
	v       *visit
	Title   string
	House   string
	ToDo    int
	Doors   int // that are held, forced or released by an emergency
	Contact string
	Silent  bool // the daemon does not answer
	Tab     string
	Bare    bool // in the tenant's hands: without the ways to other screens
	Data    any
}

// T says a key in the language of the visit.
func (f frame) T(key string, args ...any) string { return f.v.say(key, args...) }

// Lang is the language of the page, for its head.
func (f frame) Lang() string { return string(f.v.Lang) }

// OtherLang is the one that the page offers.
func (f frame) OtherLang() string { return string(f.v.Lang.Other()) }

// Fingerprint is that of the page's certificate; empty where it speaks no TLS.
func (f frame) Fingerprint() string {
	if c := f.v.s.o.TLS; c != nil && len(c.Certificates) > 0 {
		return certificate.Fingerprint(c.Certificates[0])
	}
	return ""
}

// Path is where the page stands.
func (f frame) Path() string { return f.v.URL.Path }

// Account is who is signed in.
func (f frame) Account() account.Account { return f.v.Account }

// May reports whether who is signed in may use a pattern.
func (f frame) May(pattern string) bool {
	i := slices.IndexFunc(f.v.s.routes, func(r route) bool { return r.pattern == pattern })
	return i >= 0 && (len(f.v.s.routes[i].roles) == 0 || slices.Contains(f.v.s.routes[i].roles, f.v.Account.Role))
}

// show answers with a screen.
func (v *visit) show(screen string, data any) error { return v.showStatus(http.StatusOK, screen, data) }

func (v *visit) showStatus(status int, screen string, data any) error {
	f := frame{v: v, Data: data, Tab: screens2tabs[screen], Bare: screen == "desk_tenant" || strings.HasPrefix(screen, "setup_")}
	if v.Account.ID != "" && !strings.HasPrefix(screen, "setup_") {
		st, err := v.s.watch.now(v.Context())
		if err != nil {
			f.Silent, f.House = true, "Gatehouse"
		} else {
			f.House, f.ToDo, f.Doors, f.Contact = st.Building, len(toDoOf(st)), alarms(st), v.contact(st)
		}
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return v.s.screens.write(v.w, status, screen, f)
}

// contacts are the words for what the daemon says of its registry; what a later one says stands as it is.
var contacts = map[string]string{"in step": "page.contact_now", "down": "page.contact_down", "greeting": "page.contact_greeting", "list not proved": "page.contact_list", "not enrolled": "page.contact_not"}

// contact says whether the house is in contact with its registry: a heartbeat, never an
// entry.
func (v *visit) contact(st control.Status) string {
	if st.Uplink == nil {
		return v.say("page.contact_none")
	}
	if key, ok := contacts[st.Uplink.State]; ok {
		return v.say(key)
	}
	return v.say("page.contact_lost", st.Uplink.State)
}

// screens2tabs says which tab a screen stands under.
var screens2tabs = map[string]string{"doors": "doors", "drill": "doors", "todo": "todo", "prove": "todo", "prove_door": "todo", "people": "people", "more": "more", "log": "more", "stickers": "more", "recovery": "more", "restore": "more", "access": "more", "password": "more",
	"tenancy": "people", "roster": "people", "slip": "people", "notice": "people", "desk_details": "people", "desk_choose": "people", "desk_card": "people", "desk_pin": "people",
	"desk_done": "people", "desk_paused": "people", "desk_busy": "people", "desk_none": "people"}
