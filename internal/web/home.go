package web

import (
	"net/http"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/page"
)

// home is the start of the page.
type home struct{ *page.Page }

func (h home) routes() []page.Route {
	return []page.Route{
		page.At("GET /{$}", page.Anybody, h.begin),
		page.At("/", page.Anybody, func(v *page.Visit) error {
			return &socket.Error{Status: http.StatusNotFound, Message: v.Say("page.gone")}
		}),
	}
}

// begin redirects to the first screen: the owner's first run, the sign-in, the setup, the doors.
func (h home) begin(v *page.Visit) error {
	switch {
	case !h.Accounts.Claimed():
		v.Redirect("/welcome")
	case v.Account.ID == "":
		v.Redirect("/login")
	case h.noHouse(v):
		v.Redirect("/setup")
	default:
		v.Redirect("/doors")
	}
	return nil
}

// noHouse reports whether the daemon has no house to serve yet. An older daemon does not tell.
func (h home) noHouse(v *page.Visit) bool {
	st, err := control.SettingUp(h.Daemon).State(v.Context())
	return err == nil && st.State != control.SetupHouse
}
