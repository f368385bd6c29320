package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"gatehouse/internal/caller"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/text"
	"gatehouse/internal/web/watch"
)

// Visit is one request.
type Visit struct {
	*http.Request
	W       http.ResponseWriter
	page    *Page
	Account account.Account // the zero value: nobody is signed in
	Lang    text.Language
}

// Session keys.
const (
	keyAccount = "account"
	keySince   = "since" // of the account's password: see account.Account
)

// serve handles a route: it authenticates the caller, checks the role, and turns an error into a
// page that says what to do.
func (p *Page) serve(r Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		v := &Visit{Request: req, W: w, page: p, Lang: text.Of(req)}
		v.Account = v.who()
		v.Request = req.WithContext(caller.With(req.Context(), v.caller()))
		if len(r.Roles) > 0 {
			switch {
			case v.Account.ID == "":
				v.Redirect("/login")
				return
			case !slices.Contains(r.Roles, v.Account.Role):
				v.refuse(&socket.Error{Status: http.StatusForbidden, Message: v.Say("page.not_for_you")})
				return
			}
		}
		if v.Method == http.MethodGet && !strings.HasPrefix(v.URL.Path, "/setup") && !strings.HasSuffix(v.URL.Path, "/live") {
			ctx, cancel := context.WithTimeout(v.Context(), watch.Wait) // these requests wait for no person, so the daemon hangs
			defer cancel()
			v.Request = v.Request.WithContext(ctx)
		}
		err := r.do(v)
		if v.Method == http.MethodPost && v.Account.ID != "" {
			p.Watch.Forget() // what was just done shows
		}
		if err != nil {
			v.refuse(err)
		}
	})
}

// who returns the account of the session, if it is still valid for it.
func (v *Visit) who() account.Account {
	id := v.page.Sessions.GetString(v.Context(), keyAccount)
	if id == "" {
		return account.Account{}
	}
	a, ok := v.page.Accounts.Find(id)
	if !ok || a.Since != v.page.Sessions.GetInt(v.Context(), keySince) {
		return account.Account{}
	}
	return a
}

// Stays reports whether the session is still as valid as when the request began.
func (v *Visit) Stays() bool {
	_, found, err := v.page.Sessions.Store.Find(v.page.Sessions.Token(v.Context()))
	return err == nil && found && v.who() == v.Account
}

// caller returns the caller for requests to the daemon.
func (v *Visit) caller() caller.Caller {
	if v.Account.ID == "" {
		return caller.Caller{Role: caller.Page}
	}
	return v.Account.Caller()
}

// Enter signs an account in.
func (v *Visit) Enter(a account.Account) error {
	if err := v.page.Sessions.RenewToken(v.Context()); err != nil {
		return err
	}
	v.page.Sessions.Put(v.Context(), keyAccount, a.ID)
	v.page.Sessions.Put(v.Context(), keySince, a.Since)
	if v.KnownTo(a) == "" {
		http.SetCookie(v.W, &http.Cookie{Name: deviceKey, Value: a.Device(), Path: "/", MaxAge: 400 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	return nil
}

// deviceKey is the cookie of a device on which somebody has signed in.
const deviceKey = "gatehouse-device"

// KnownTo is the device that asks, if an account has signed in on it before: its tries are its own, whatever strangers do.
func (v *Visit) KnownTo(a account.Account) string {
	if c, err := v.Cookie(deviceKey); err == nil {
		if device, ok := a.Knows(c.Value); ok {
			return device
		}
	}
	return ""
}

func (v *Visit) Say(key string, args ...any) string { return v.page.Words.Say(v.Lang, key, args...) }

// Redirect leads the browser on after a form, so that going back does not send the form again.
func (v *Visit) Redirect(path string) { http.Redirect(v.W, v.Request, path, http.StatusSeeOther) }

// refuse shows an error as a page: what is wrong and what to do.
func (v *Visit) refuse(err error) {
	known := &socket.Error{Status: http.StatusInternalServerError, Message: err.Error()}
	var e *socket.Error
	switch {
	case errors.As(err, &e):
		known = e
	case errors.Is(err, syscall.ENOSPC): // of the page's own files
		known = &socket.Error{Status: http.StatusInsufficientStorage, Message: "the disk is full"}
	}
	if v.Method == http.MethodGet && strings.Contains(known.Message, noHouse) {
		v.Redirect("/setup")
		return
	}
	status, shown := cmp.Or(known.Status, http.StatusBadGateway), v.Advice(known, 0) // 0: there was no answer
	var t told
	if errors.As(err, &t) {
		shown = t.advice
	}
	v.page.Log.Info().Str("route", v.Pattern).Int("status", status).Msg("refused")
	v.ShowStatus(status, "fault", shown)
}

// noHouse begins the daemon's message to requests about a house that it does not serve.
const noHouse = "no door is served: "

// Show answers with a screen.
func (v *Visit) Show(screen string, data any) error { return v.ShowStatus(http.StatusOK, screen, data) }

// ShowStatus answers with a screen, and a status. The answer to a form stands at an address of its own, or at least can be
// shown again there: see answers.
func (v *Visit) ShowStatus(status int, screen string, data any) error {
	return v.answer(status, screen, v.frame(screen, data))
}

// ShowPassing answers a form with a screen that is kept nowhere: a reload and the other language lead to a path.
func (v *Visit) ShowPassing(path string, status int, screen string, data any) error {
	f := v.frame(screen, data)
	f.again = path
	return v.send(status, screen, f)
}

// frame returns the data of a screen, with what its head and foot say of the house at this moment.
func (v *Visit) frame(screen string, data any) frame {
	f := frame{v: v, Data: data, Kept: kept{v}, Tab: tabOf[screen], Bare: screen == "desk_tenant" || strings.HasPrefix(screen, "setup_")}
	if v.Account.ID != "" && !strings.HasPrefix(screen, "setup_") {
		st, err := v.page.Watch.Now(v.Context())
		if err != nil {
			f.Silent, f.House = "page.no_daemon", "Gatehouse"
			if strings.Contains(err.Error(), noHouse) {
				f.Silent = "page.no_house"
			}
		} else {
			f.House, f.ToDo, f.Doors, f.Contact = st.Building, len(watch.ToDo(st)), watch.Alarms(st), v.contact(st)
			f.zone, f.Alone = st.Clock.Now.Location(), st.Registry == "none"
		}
	}
	return f
}

// answer sends a screen, or who sent a form to where its answer is kept.
func (v *Visit) answer(status int, screen string, f frame) error {
	if v.Method == http.MethodPost {
		whole, err := v.page.screens.whole(screen, f)
		if err != nil {
			return err
		}
		f.again = v.keep(status, screen, f.Data, len(whole))
		if f.again != "" && status == http.StatusOK {
			v.Redirect(f.again)
			return nil
		}
	}
	return v.send(status, screen, f)
}

// send sends a screen.
func (v *Visit) send(status int, screen string, f frame) error {
	whole, err := v.page.screens.whole(screen, f)
	if err != nil {
		return err
	}
	v.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.W.WriteHeader(status)
	_, _ = v.W.Write(whole) // or who asked has gone
	return nil
}

// Live sends the list of a screen, and what head and foot of the page say, whenever one of them
// changes (server-sent events). look returns its data,
// or false if there is nothing to send; next waits until look is due, and returns false to end.
func (v *Visit) Live(screen string, look func() (data any, ok bool), next func() bool) error {
	out := http.NewResponseController(v.W)
	v.W.Header().Set("Content-Type", "text/event-stream")
	if err := out.Flush(); err != nil {
		return err
	}
	last := map[string]string{}
	for {
		if data, ok := look(); ok {
			if err := v.sendChanged(v.frame(screen, data), screen, last); err != nil {
				return err
			}
			if out.Flush() != nil {
				return nil
			}
		}
		if !next() {
			return nil
		}
	}
}

// sendChanged sends the parts of a screen that are not as they were sent last, as events of their
// names.
func (v *Visit) sendChanged(f frame, screen string, last map[string]string) error {
	for _, block := range []string{"list", "state", "contact"} {
		part, err := v.page.screens.part(screen, block, f)
		if err != nil {
			return err
		}
		if sent, ok := last[block]; !ok || sent != part {
			fmt.Fprintf(v.W, "event: %s\ndata: %s\n\n", block, strings.ReplaceAll(part, "\n", "\ndata: "))
			last[block] = part
		}
	}
	return nil
}
